import type { EngineWatcher } from '../observe/watcher.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Timing } from '../protocol/timing.js';
import type { EndCause } from './end-cause.js';
import type { MethodTable } from './methods.js';
import type { Policy } from './policy.js';
import type { ClientSession } from './session.js';
import type { Overdue } from './session-chart.js';

/** The client of a session: how to reach it, and what the session reports. */
export interface ClientTransport {
  /** Writes one message. When the client reads slowly, call `session.pause()` and later `session.resume()`. */
  send(text: string): void;
  /**
   * A valid `initialize` arrived. Without an app-server connection, one must be opened now. A text says why that cannot
   * be done for now; the client may send `initialize` again.
   */
  onInitialize?(needsConnection: boolean): string | null;
  /** After the response to `initialize` was sent. */
  onInitialized(session: ClientSession): void;
  /** The session ends on our side: what it sends from now on, such as errors for open requests, is its last. */
  onEnding?(cause: EndCause): void;
  /**
   * The session has ended, for whatever reason. Called once.
   * @param appServerEnded When what runs behind the client has ended, too; undefined: nothing runs on.
   */
  onEnded(session: ClientSession, appServerEnded: Promise<unknown> | undefined): void;
  /** The app server has ended the session. */
  onAppServerClosed(failure: Failure | null): void;
  /** The client, or its app server, took too long: the transport must end the session with this reason. */
  onOverdue(reason: Overdue): void;
  /** Too much waits for the app server: stop reading from the client, or resume. */
  onReadPaused(paused: boolean): void;
}

/** Shared by many sessions. */
export interface SessionDeps {
  /** Limits of a session. Default: `DEFAULT_TIMING`. One object for all sessions with these limits. */
  readonly timing?: Timing;
  readonly appServer: AppServer;
  /** What the app server speaks. Default: `codex`. */
  readonly protocol?: AgentProtocolSetting;
  readonly methods: MethodTable<string>;
  /** Decides which methods a client may call. WSA-7 */
  readonly policy: Policy;
  /** Observes the chart of each session. */
  readonly watcher?: Pick<EngineWatcher, 'run'> | undefined;
}
