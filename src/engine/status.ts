import type { AccountSummary } from '../account/view.js';
import type { ListenerStatus } from '../listener/status.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServerHealth } from '../protocol/app-server.js';
import type { LinkCounters, MuxCounters, PublicStatus, TimedReport } from '../remote-control/status.js';
import type { ConnectionStatus } from '../session/local-client.js';
import type { PolicyOptions } from '../session/policy.js';
import type { AppServerAccountStatus } from './app-server-account-status.js';

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
  /** The start is complete: the listener accepts clients. */
  readonly ready: boolean;
  readonly now: number;
  /**
   * How far the clock of this machine is ahead of that of the backend or the issuer, ms, by the newest response; negative:
   * behind. 0: no difference can be seen. Null: not known. RC-135
   */
  readonly clockDifference: number | null;
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
  /** `engine/status/read` has the newest 200. */
  readonly remoteClients: readonly VirtualClientStatus[];
  /** Number of local clients, those of the control socket included. */
  readonly localClients: number;
  /** Clients of the listener, of its unix socket, or over stdio; `engine/status/read` has the newest 200. */
  readonly connections: readonly ConnectionStatus[];
  /** Null without a listener. */
  readonly listener: ListenerStatus | null;
  /** What was changed about who may call what: docs/authority.md. Empty: nothing. */
  readonly policy: PolicyOptions;
  /** Name of the app server. */
  readonly appServer: string;
  /** What the app server speaks; `auto`: each client says it. WSA-40 */
  readonly appServerProtocol: AgentProtocolSetting;
  /** How the app server is; null when an embedding program supplies one that the engine does not supervise. */
  readonly appServerHealth: AppServerHealth | null;
  /** Whether it uses the account of the engine; null: it is built in, or the embedding program supplies the account. */
  readonly appServerAccount: AppServerAccountStatus | null;
  /** Path of the PEM file with one more certificate authority; null: none. */
  readonly caCert: string | null;
  /** The history cannot be written at present. Null: it is switched off. */
  readonly historyFailing: boolean | null;
  /** Kind of the enrollment store. */
  readonly store: string;
  /** Totals since the start. */
  readonly counters: LinkCounters &
    MuxCounters & {
      /** Lines of the history that were recorded, and those that could not be written. */
      readonly historyLines: number;
      readonly historyDropped: number;
      /** Exits of app-server processes that the engine did not stop. */
      readonly appServerExits: number;
      /** Failures of the app server, those exits included. */
      readonly appServerFailures: number;
    };
}
