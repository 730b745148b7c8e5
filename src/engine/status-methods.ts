import * as v from 'valibot';
import { AccountService } from '../account/service.js';
import type { AuditRing } from '../observe/audit.js';
import type { MethodTable } from '../session/methods.js';
import { chartHashes } from './charts.js';
import type { LocalAccess } from './local-access.js';
import type { EngineDeps, RemoteControl } from './remote-control.js';
import type { EngineStatus } from './status.js';

type StatusDeps = EngineDeps & RemoteControl & { readonly local: LocalAccess };

export function engineStatusOf(
  deps: StatusDeps,
  { version, startedAt }: { readonly version: string; readonly startedAt: number },
): EngineStatus {
  const { board, mux, target, account, local, env, counters } = deps;
  return {
    version,
    pid: process.pid,
    home: deps.home.dir,
    startedAt,
    now: env.now(),
    charts: chartHashes(),
    remoteControl: {
      ...board.publicStatus,
      ...board.report,
      baseUrl: target.ok ? target.target.baseUrl : '',
      lastPongAt: deps.lastPongAt(),
      route: routeOf(deps),
      accountDiffersOnDisk: account.differsOnDisk,
    },
    account: account instanceof AccountService ? account.summary() : null,
    remoteClients: mux.clients.map((client) => ({
      clientId: client.clientId,
      streamId: client.streamId,
      name: client.session.clientName ?? null,
      state: client.state,
      since: client.since,
      lastActivity: client.lastActivity,
    })),
    localClients: local.clients,
    connections: local.connections,
    listener: local.listener,
    appServer: deps.appServer.name,
    store: deps.store.kind,
    counters: { ...counters, ...mux.counters },
  };
}

/** How the backend is reached: `direct`, or the proxy without its credentials. RC-25b */
export function routeOf({ target, dialer }: Pick<EngineDeps, 'target' | 'dialer'>): string | null {
  if (!target.ok) return null;
  const route = dialer.routeFor(target.target.socketUrl);
  return route.kind === 'direct' ? 'direct' : route.proxy;
}

/** Most audit records in one response. */
const MAX_AUDIT_RECORDS = 1_000;

/** Adds `engine/status/read`, `engine/audit/read` and `engine/echo`, for clients of every origin. */
export function addEngineMethods(
  methods: MethodTable,
  deps: { readonly status: () => EngineStatus; readonly audit: AuditRing },
): void {
  methods.add('engine/status/read', v.looseObject({}), () => deps.status());
  methods.add(
    'engine/audit/read',
    v.object({
      limit: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(MAX_AUDIT_RECORDS))),
    }),
    (params) => ({ records: deps.audit.read(params.limit ?? MAX_AUDIT_RECORDS) }),
  );
  // A controller measures the round trip to the engine with it.
  methods.add('engine/echo', v.looseObject({ payload: v.optional(v.unknown()) }), (params) => ({
    payload: params.payload ?? null,
  }));
}
