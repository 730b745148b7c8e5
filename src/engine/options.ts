import type { AccountOptions } from '../account/setup.js';
import type { AuthorityConfig } from '../listener/auth/authority.js';
import type { TlsIdentity } from '../listener/host.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { PolicyOptions } from '../session/policy.js';
import type { StdioStreams } from '../session/stdio.js';

/** What a local client may connect to. WSA-15 */
export type ListenUrl = 'off' | 'stdio://' | `ws://${string}` | `wss://${string}` | `unix://${string}`;

export interface EngineOptions extends AccountOptions {
  /** Folder of this engine's files. Default `~/.rc-engine`; made when missing, mode 0700. */
  readonly home?: string;
  /** Backend. Default `https://chatgpt.com/backend-api`. Only hosts of RC-2 are taken. */
  readonly baseUrl?: string;
  /** Further https hosts that credentials may be sent to. Default none. */
  readonly allowHosts?: readonly string[];
  /** Local clients. Default `off`. */
  readonly listen?: ListenUrl;
  /** What a `ws://`, `wss://` or `unix://` listener asks of a connection. Default: a query token, enforced. WSA-3 */
  readonly authority?: AuthorityConfig;
  /** Certificate and key of the listener, PEM. Default: none, so not encrypted. */
  readonly tls?: TlsIdentity;
  /** Local connections at a time; one more gets 503. Default 1,024. */
  readonly maxConnections?: number;
  /** Largest message that a local connection may send, bytes. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** A connection ends when its signed token does. Default false. WSA-20a */
  readonly closeOnTokenExpiry?: boolean;
  /** What connections may call once they are in. Default: everything. WSA-7 */
  readonly policy?: PolicyOptions;
  /** `on`: enabled at start for this run; `preference`: as stored for the account. Default `on`. RC-44 */
  readonly remoteControl?: 'on' | 'off' | 'preference';
  /** Name that the enrollment belongs to. Default: none; over stdio the first client's name. RC-45 */
  readonly clientName?: string;
  /** Start without a usable sign-in: fail or wait. Default `ready` when nothing else listens, else `recoverable`. RC-27 */
  readonly authStartup?: 'ready' | 'recoverable';
  /** What to do when another process holds the connection. Default `wait`. RC-24 */
  readonly onConflict?: 'wait' | 'reenroll' | 'exit';
  /** `sqlite:PATH`, `memory:` or `none`. Default `sqlite:<home>/rc-engine.sqlite`. */
  readonly store?: string;
  /** PEM file of a further certificate authority, for HTTP and the socket alike. */
  readonly caCert?: string;
  /** Remote clients at a time; one more is answered with an error. Default 4096. */
  readonly maxRemoteClients?: number;
  /**
   * Collects garbage once a wave of clients is gone and the process is quiet, so that its memory returns. For a
   * process that does nothing else: it stops for some 50 ms, longer with a large heap. Default false.
   */
  readonly returnMemory?: boolean;
  /** What clients talk to behind the engine. Default: the built-in one. */
  readonly appServer?: AppServer;
  /** Where the account comes from. Default: the account file; with another one the engine serves no `account/*`. */
  readonly account?: AccountSource;
  /** Default: no log. */
  readonly logger?: EngineLogger;
  /** Delays in ms, over the defaults. For tests and measurements. */
  readonly timing?: Partial<Timing>;
  /** Wall clock and chance. Default: the system's. */
  readonly env?: Env;
  /** Looks at the charts while they run, as the inspector does. Default: nobody; then it costs nothing. */
  readonly watcher?: EngineWatcher;
  /** Streams of `stdio://`. Default: those of the process. */
  readonly stdio?: StdioStreams;
}

export const DEFAULT_BASE_URL = 'https://chatgpt.com/backend-api';
export const DEFAULT_MAX_REMOTE_CLIENTS = 4_096;
export const DEFAULT_MAX_CONNECTIONS = 1_024;
export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
