import * as v from 'valibot';
import { AccountService } from '../account/service.js';
import type { AccountSummary } from '../account/view.js';
import type { ListenerStatus } from '../listener/service.js';
import type { AuditRing } from '../observe/audit.js';
import type { MuxCounters } from '../remote-control/clients/mux.js';
import type { LinkCounters } from '../remote-control/service.js';
import type { PublicStatus, TimedReport } from '../remote-control/status.js';
import type { ConnectionStatus } from '../session/local-client.js';
import type { MethodTable } from '../session/methods.js';
import { chartHashes } from './charts.js';
import type { LocalAccess } from './local-access.js';
import type { EngineDeps, RemoteControl } from './remote-control.js';

/** One remote client in `EngineStatus`. */
export interface VirtualClientStatus {
  readonly clientId: string;
  readonly streamId: string;
  /** The client name of its `initialize`. */
  readonly name: string | null;
  readonly state: string;
  /** Wall-clock ms at which it connected. */
  readonly since: number;
  /** Wall-clock ms of its last message or ping. */
  readonly lastActivity: number;
}

/** The full status of an engine. It contains no secret. Times are wall-clock milliseconds. */
export interface EngineStatus {
  readonly version: string;
  readonly pid: number;
  /** Absolute path of the home directory. */
  readonly home: string;
  readonly startedAt: number;
  readonly now: number;
  /** Content hash of each chart by its name; it identifies the behaviour that a report describes. */
  readonly charts: Readonly<Record<string, string>>;
  readonly remoteControl: PublicStatus &
    TimedReport & {
      /** Empty when the configured one was refused. */
      readonly baseUrl: string;
      readonly lastPongAt: number | null;
      /** How the backend is reached: `direct`, or the proxy without its credentials. RC-25b */
      readonly route: string | null;
      /** The account file holds a different account than the one in use. RC-26 */
      readonly accountDiffersOnDisk: boolean;
    };
  /** Null when the embedding program supplies the account. */
  readonly account: AccountSummary | null;
  readonly remoteClients: readonly VirtualClientStatus[];
  /** Number of local clients, those of the control socket included. */
  readonly localClients: number;
  /** Clients of the listener, of its unix socket, or over stdio. */
  readonly connections: readonly ConnectionStatus[];
  /** Null without a listener. */
  readonly listener: ListenerStatus | null;
  /** Name of the app server. */
  readonly appServer: string;
  /** Kind of the enrollment store. */
  readonly store: string;
  /** Totals since the start. */
  readonly counters: LinkCounters & MuxCounters;
}

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
