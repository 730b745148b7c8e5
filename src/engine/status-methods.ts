import { resolve } from 'node:path';
import * as v from 'valibot';
import { AccountService } from '../account/service.js';
import { BuiltinAppServer } from '../app-server/builtin.js';
import type { AuditRing } from '../observe/audit.js';
import { peerText } from '../observe/peer-text.js';
import { wallTimeOf } from '../protocol/timing.js';
import type { FlightRecorder } from '../recorder/recorder.js';
import { type Authority, covers } from '../session/authority-table.js';
import type { MethodTable } from '../session/methods.js';
import {
  type AppServerAccountStatus,
  hasAccountStatus,
  SEPARATE_ACCOUNT,
} from './app-server-account-status.js';
import { CHART_HASHES } from './chart-hashes.js';
import type { LocalAccess } from './local-access.js';
import type { EngineDeps, RemoteControl } from './remote-control.js';
import type { EngineStatus } from './status.js';

type StatusDeps = EngineDeps &
  RemoteControl & { readonly local: LocalAccess; readonly recorder: FlightRecorder | undefined };

export function engineStatusOf(
  deps: StatusDeps,
  {
    version,
    startedAt,
    ready,
  }: { readonly version: string; readonly startedAt: number; readonly ready: boolean },
): EngineStatus {
  const { board, mux, target, account, local, env, counters } = deps;
  const { health } = deps.appServer;
  return {
    version,
    pid: process.pid,
    home: deps.home.dir,
    startedAt: wallTimeOf(env, startedAt),
    ready,
    now: env.now(),
    clockDifference: deps.dialer.clock?.difference ?? null,
    charts: CHART_HASHES,
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
      clientId: peerText(client.clientId, MAX_SHOWN_ID),
      streamId: peerText(client.streamId, MAX_SHOWN_ID),
      name: client.session.clientName ?? null,
      state: client.state,
      since: wallTimeOf(env, client.since),
      lastActivity: wallTimeOf(env, client.lastActivity),
    })),
    localClients: local.clients,
    connections: local.connections,
    listener: local.listener,
    policy: deps.options.policy ?? {},
    appServer: deps.appServer.name,
    appServerProtocol: deps.protocol,
    appServerHealth: health ?? null,
    appServerAccount: appServerAccountOf(deps),
    caCert: deps.options.caCert === undefined ? null : resolve(deps.options.caCert),
    historyFailing: deps.recorder?.totals.failing ?? null,
    store: deps.store.kind,
    counters: {
      ...counters,
      ...mux.counters,
      appServerExits: health?.exits ?? 0,
      appServerFailures: health?.failures ?? 0,
      historyLines: deps.recorder?.totals.recorded ?? 0,
      historyDropped: deps.recorder?.totals.dropped ?? 0,
    },
  };
}

/** Whether the app server uses the account of the engine. ACC-101 */
function appServerAccountOf({ appServer, account }: StatusDeps): AppServerAccountStatus | null {
  if (hasAccountStatus(appServer)) return appServer.accountStatus;
  return appServer instanceof BuiltinAppServer || !(account instanceof AccountService)
    ? null
    : SEPARATE_ACCOUNT;
}

/** Clients in a response of `engine/status/read`, the newest ones: it must stay small whatever peers do. */
const MAX_LISTED = 200;
/** Bytes of an id that a controller chose. */
const MAX_SHOWN_ID = 100;

/** How the backend is reached: `direct`, or the proxy without its credentials. RC-25b */
export function routeOf({ target, dialer }: Pick<EngineDeps, 'target' | 'dialer'>): string | null {
  if (!target.ok) return null;
  const route = dialer.routeFor(target.target.socketUrl);
  return route.kind === 'direct' ? 'direct' : route.proxy;
}

/** What a client may know that does not own this machine: nothing of the home, the account and other connections. */
function publicPartOf({ version, remoteControl, appServerHealth }: EngineStatus, held: Authority): object {
  const { status, state, environmentId } = remoteControl;
  const shown = { version, remoteControl: { status, state, environmentId } };
  if (!covers(held, 'remote') || appServerHealth === null) return shown;
  // A controller must be able to say why nothing answers; the detail may quote output of the app server.
  const { state: appServerState, reason } = appServerHealth;
  return { ...shown, appServer: { state: appServerState, reason } };
}

/** Most audit records in one response. */
const MAX_AUDIT_RECORDS = 1_000;

/** Adds `engine/status/read`, `engine/audit/read` and `engine/echo`, for clients of every origin. */
export function addEngineMethods(
  methods: MethodTable,
  deps: { readonly status: () => EngineStatus; readonly audit: AuditRing },
): void {
  methods.add('engine/status/read', v.looseObject({}), (_params, { authority }) => {
    const status = deps.status();
    if (!covers(authority, 'listener')) return publicPartOf(status, authority);
    const { connections, remoteClients } = status;
    return {
      ...status,
      connections: connections.slice(-MAX_LISTED),
      remoteClients: remoteClients.slice(-MAX_LISTED),
    };
  });
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
