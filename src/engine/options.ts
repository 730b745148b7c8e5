import type { AccountOptions } from '../account/options.js';
import type { TlsFiles, TlsIdentity } from '../listener/address.js';
import type { AuthorityConfig } from '../listener/auth/authority.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { PolicyOptions } from '../session/policy.js';
import type { StdioStreams } from '../session/stdio.js';
import type { MetricsOptions } from './metrics-server.js';

/**
 * Where local clients connect. `ws://127.0.0.1:PORT` (port 0: any free one), `wss://…` with `tls`, `unix://PATH`,
 * `stdio://` for one client over stdin and stdout, or `off`. `codex` is the socket on which Codex CLI looks for its local
 * background server. WSA-15, WSA-56
 */
export type ListenUrl =
  | 'off'
  | 'stdio://'
  | `ws://${string}`
  | `wss://${string}`
  | `unix://${string}`
  | 'codex';

/** The options of `createEngine`. All have a default: `createEngine()` serves remote control on `~/.rc-engine`. */
export interface EngineOptions extends AccountOptions {
  /**
   * Home directory: account file, enrollment store, lock, control socket. Default: RC_ENGINE_HOME, else
   * `~/.rc-engine`. A missing one is created with mode 0700. Two engines cannot share one (`alreadyRunning`).
   */
  readonly home?: string;
  /**
   * Base URL of the backend. Default `https://chatgpt.com/backend-api`. Only the hosts of RC-2 and `allowHosts` are
   * accepted (`targetRefused`), because the engine sends credentials there.
   */
  readonly baseUrl?: string;
  /** More https hosts that may receive credentials, as `host` or `host:port`, without subdomains. Default none. */
  readonly allowHosts?: readonly string[];
  /** Where local clients connect. Default `off`. The start fails with `listenerFailed` when it cannot be opened. */
  readonly listen?: ListenUrl;
  /**
   * What a `ws://`, `wss://` or `unix://` listener requires of a connection. Default for `unix://`: `filesystem`, a
   * directory that only this user can enter; otherwise the token of the connect URL, which is new at each start. WSA-3,
   * WSA-50
   */
  readonly authority?: AuthorityConfig;
  /**
   * Certificate and key of a `wss://` listener: PEM texts, or files that are read again when they change. Default none;
   * `wss://` without it fails with `usage`.
   */
  readonly tls?: TlsIdentity | TlsFiles;
  /** Most local connections at a time; the next one gets HTTP 503. Default 1,024. */
  readonly maxConnections?: number;
  /** Largest message from a local connection, in bytes; a larger one closes it. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** Close a connection when its signed token expires. Default false: an open connection stays open. WSA-20a */
  readonly closeOnTokenExpiry?: boolean;
  /** Which JSON-RPC methods clients may call. Default: all. WSA-7 */
  readonly policy?: PolicyOptions;
  /**
   * `on`: enabled for this run, whatever the stored preference is; `preference`: as stored for the account; `off`:
   * until a client enables it. Default `on`. RC-44
   */
  readonly remoteControl?: 'on' | 'off' | 'preference';
  /**
   * Client name of the enrollment: each name has its own identity at the backend. Default none; with
   * `listen: 'stdio://'` the name that the client sends in `initialize`. RC-45
   */
  readonly clientName?: string;
  /**
   * What a start without a working sign-in does: `ready` fails with `authRequired`, `recoverable` waits for a
   * sign-in. Default `ready` with `listen: 'off'`, otherwise `recoverable`. RC-27
   */
  readonly authStartup?: 'ready' | 'recoverable';
  /**
   * What to do when another process holds the connection of this identity: `wait` and try again, `reenroll` for a new
   * identity (paired controllers lose this machine), or `exit`. Default `wait`. RC-24
   */
  readonly onConflict?: 'wait' | 'reenroll' | 'exit';
  /**
   * Enrollment store: `sqlite:PATH`, `memory:` (a new identity at each start) or `none` (no remote control;
   * `storeMissing` with `remoteControl: 'on'`). Default `sqlite:<home>/rc-engine.sqlite`.
   */
  readonly store?: string;
  /** Path of a PEM file with one more certificate authority, for HTTP and WebSocket alike. Default none. */
  readonly caCert?: string;
  /** Most remote clients at a time; the next one gets an error. Default 4,096. */
  readonly maxRemoteClients?: number;
  /**
   * Most app servers of one remote client, where each of its streams has its own: one more stream closes the one that
   * was quiet for longest. Default 16. RC-76
   */
  readonly maxChildren?: number;
  /**
   * Collect garbage after a wave of clients, so that the process returns memory to the system. Default false. It
   * blocks the process for about 50 ms, longer with a large heap: use it only in a process of its own.
   */
  readonly returnMemory?: boolean;
  /**
   * Most MiB of the history in the home: each input of the charts, so that `rc-engine history` and `rc-engine replay` can show
   * what happened. 0: no history. Default 0; the command line has 8.
   */
  readonly historySize?: number;
  /** Days after which the history is deleted. Default 30. */
  readonly historyDays?: number;
  /** The app server behind the engine, see `createAppServer`. Default: a built-in one that answers `initialize`. */
  readonly appServer?: AppServer;
  /**
   * What the app server speaks: Codex, the Model Context Protocol, the Agent Client Protocol, or other JSON-RPC
   * (`raw`). Default `auto`: what its command says, else what each client says. WSA-40
   */
  readonly appServerProtocol?: AgentProtocolSetting;
  /** WebSocket subprotocols that the listener selects beside `mcp`. Default none. WSA-45 */
  readonly wsSubprotocols?: readonly string[];
  /** Source of the account tokens. Default: the account file. With another one the engine has no `account/*` methods. */
  readonly account?: AccountSource;
  /**
   * Serve metrics for Prometheus at `http://HOST:PORT/metrics`. A host that other machines reach needs a `token`. The
   * start fails with `listenerFailed` when the port cannot be opened. Default none.
   */
  readonly metrics?: MetricsOptions;
  /**
   * Serve metrics for Prometheus at `/metrics` of the listener too, to requests with its credential. Needs a listener.
   * Default false.
   */
  readonly listenerMetrics?: boolean;
  /**
   * Called by `engine/restart`, a request of the owner: it prepares another engine on this home, or rejects with the reason
   * why there is none. Then this engine stops, and its program starts the other one. Default: the request is refused.
   */
  readonly onRestart?: () => Promise<void>;
  /** Receives structured log lines without secrets; a pino logger fits. Default: no log. */
  readonly logger?: EngineLogger;
  /** Delays in milliseconds that replace those of `DEFAULT_TIMING`. For tests and measurements. */
  readonly timing?: Partial<Timing>;
  /** Clock and randomness. Default: those of the system. For tests. */
  readonly env?: Env;
  /** Observes the charts while they run, as the inspector does. Default none, at no cost. */
  readonly watcher?: EngineWatcher;
  /** Streams of `stdio://`. Default: stdin and stdout of the process. */
  readonly stdio?: StdioStreams;
}

export const DEFAULT_BASE_URL = 'https://chatgpt.com/backend-api';
export const DEFAULT_HISTORY_DAYS = 30;
export const DEFAULT_MAX_REMOTE_CLIENTS = 4_096;
export const DEFAULT_MAX_CHILDREN = 16;
export const DEFAULT_MAX_CONNECTIONS = 1_024;
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
