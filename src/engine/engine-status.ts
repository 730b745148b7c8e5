import type { AccountSummary } from './account-types.js';
import type { ConnectionStatus } from './connection-status.js';
import type { ListenerStatus } from './listener-service.js';
import type { HostCounters } from './remote-control-host.js';
import type { MuxCounters } from './remote-mux.js';
import type { PublicStatus, TimedReport } from './status-board.js';

/** One remote client, as status lists it. */
export interface RemoteClientStatus {
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
  readonly remoteClients: readonly RemoteClientStatus[];
  readonly localClients: number;
  /** Clients of the listener, of its unix socket, or over stdio. */
  readonly connections: readonly ConnectionStatus[];
  /** Null while nothing listens. */
  readonly listener: ListenerStatus | null;
  readonly appServer: string;
  readonly store: string;
  readonly counters: HostCounters & MuxCounters;
}
