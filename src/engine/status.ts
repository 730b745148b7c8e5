import { AccountService } from '../account/service.js';
import type { AccountSummary } from '../account/types.js';
import type { ListenerStatus } from '../listener/service.js';
import type { MuxCounters } from '../remote-control/clients/mux.js';
import type { LinkCounters } from '../remote-control/host.js';
import type { PublicStatus, TimedReport } from '../remote-control/status.js';
import type { ConnectionStatus } from '../session/connection-status.js';
import { chartHashes } from './charts.js';
import type { LocalAccess } from './local-access.js';
import type { BootstrapDeps, RemoteControl } from './remote-control.js';

/** One remote client, as status lists it. */
export interface VirtualClientStatus {
  readonly clientId: string;
  readonly streamId: string;
  readonly name: string | null;
  readonly state: string;
  /** Wall-clock ms. */
  readonly since: number;
  readonly lastActivity: number;
}

/** Everything the engine says of itself. Holds no secret. Times are wall-clock ms. */
export interface EngineStatus {
  readonly version: string;
  readonly pid: number;
  readonly home: string;
  readonly startedAt: number;
  readonly now: number;
  /** Content hash of the charts, so that a report names the behaviour it saw. */
  readonly charts: Readonly<Record<string, string>>;
  readonly remoteControl: PublicStatus &
    TimedReport & {
      readonly baseUrl: string;
      readonly lastPongAt: number | null;
      /** How the backend is reached: `direct`, or the proxy without its credentials. RC-25b */
      readonly route: string | null;
      /** Another account is on disk than the one in use. RC-26 */
      readonly accountDiffersOnDisk: boolean;
    };
  /** Null with an account that the embedding program keeps itself. */
  readonly account: AccountSummary | null;
  readonly remoteClients: readonly VirtualClientStatus[];
  readonly localClients: number;
  /** Clients of the listener, of its unix socket, or over stdio. */
  readonly connections: readonly ConnectionStatus[];
  /** Null while nothing listens. */
  readonly listener: ListenerStatus | null;
  readonly appServer: string;
  readonly store: string;
  readonly counters: LinkCounters & MuxCounters;
}

/** What a status is made of. */
type Parts = BootstrapDeps & RemoteControl & { readonly local: LocalAccess };

export function engineStatusOf(
  parts: Parts,
  { version, startedAt }: { readonly version: string; readonly startedAt: number },
): EngineStatus {
  const { board, mux, target, account, local, env, counters } = parts;
  return {
    version,
    pid: process.pid,
    home: parts.home.dir,
    startedAt,
    now: env.now(),
    charts: chartHashes(),
    remoteControl: {
      ...board.publicStatus,
      ...board.report,
      baseUrl: target.ok ? target.target.baseUrl : '',
      lastPongAt: parts.lastPongAt(),
      route: routeOf(parts),
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
    appServer: parts.appServer.name,
    store: parts.store.kind,
    counters: { ...counters, ...mux.counters },
  };
}

/** How the backend is reached: `direct`, or the proxy without its credentials. RC-25b */
export function routeOf({ target, dialer }: Pick<BootstrapDeps, 'target' | 'dialer'>): string | null {
  if (!target.ok) return null;
  const route = dialer.routeFor(target.target.socketUrl);
  return route.kind === 'direct' ? 'direct' : route.proxy;
}
