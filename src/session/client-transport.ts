import type { EngineWatcher } from '../observe/watcher.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Failure } from '../protocol/outcomes.js';
import type { EndCause } from './end-cause.js';
import type { MethodTable } from './methods.js';
import type { Policy } from './policy.js';
import type { ClientSession } from './session.js';

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
  /** The session has ended, for whatever reason. Called once. */
  onEnded(session: ClientSession): void;
  /** The app server has ended the session. */
  onAppServerClosed(failure: Failure | null): void;
  /** The app server stopped accepting messages, or accepts them again. */
  onBlocked(blocked: boolean): void;
  /** Too much waits for the app server: stop reading from the client, or resume. */
  onReadPaused(paused: boolean): void;
}

/** Shared by many sessions. */
export interface SessionDeps {
  readonly appServer: AppServer;
  /** What the app server speaks. Default: `codex`. */
  readonly protocol?: AgentProtocolSetting;
  readonly methods: MethodTable<string>;
  /** Decides which methods a client may call. WSA-7 */
  readonly policy: Policy;
  /** Observes the chart of each session. */
  readonly watcher?: Pick<EngineWatcher, 'run'> | undefined;
}
