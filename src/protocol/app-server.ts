import type { AgentProtocol } from './agent-protocol.js';
import type { Message } from './message.js';
import type { Failure } from './outcomes.js';
import type { Reason } from './reasons.js';

/** How a client is connected; policies and the audit refer to it. `engine`: the engine itself is the client. */
export type Origin = 'listener' | 'unix' | 'stdio' | 'remote' | 'control' | 'engine';

/** The client that an app-server connection serves. */
export interface ClientContext {
  readonly origin: Origin;
  /** Unique in the process; identifies the connection in the log, the audit and the status. */
  readonly connectionId: string;
  /** Accepted without the credential that its listener requires. WSA-4, WSA-7 */
  readonly degraded?: boolean;
  /** What its connection says that it speaks: the path `/acp`, or the subprotocol `mcp`. WSA-40 */
  readonly protocol?: AgentProtocol | undefined;
}

/** What an app-server connection reports, asynchronously or during `send`, never during `open`. */
export interface AppServerEvents {
  /** A message for the client. */
  onMessage(message: Message): void;
  /** After `send` returned false: it accepts messages again. */
  onDrain(): void;
  /** The connection has ended; called once. Null: it ended cleanly. */
  onClose(failure: Failure | null): void;
}

/** The connection of one client to an app server. */
export interface AppServerConnection {
  /** Accepts one message. False: it is full, so wait for `onDrain`; this message was still accepted. */
  send(message: Message): boolean;
  /** Stops `onMessage` until `resume`: the client reads too slowly. */
  pause(): void;
  resume(): void;
  /** Ends the connection; `onClose` is no longer called. */
  close(): void;
  /** Nothing more will be sent, and messages still come. False: the app server cannot see the end of its input. RC-77 */
  endInput?(): boolean;
  /** Only where something runs on after `close`: resolves when that has ended too. */
  readonly ended?: Promise<unknown> | undefined;
}

/** The state of the `appServer` chart. The built-in app server is always `serving`. */
export type AppServerState =
  | 'idle'
  | 'starting'
  | 'listening'
  | 'serving'
  | 'failing'
  | 'backingOff'
  | 'down';

/**
 * How clients share an app server: `shared`: one child serves all; `perClient`: each client has its own child;
 * `socket`: each client has its own connection to a server that something else runs.
 */
export type AppServerMode = 'builtin' | 'shared' | 'perClient' | 'socket';

/** How an app server is. It never claims more than what is proven. Times are wall-clock milliseconds. */
export interface AppServerHealth {
  readonly state: AppServerState;
  /** Why it is in this state. */
  readonly reason: Reason;
  /** The cause in one line for people, cleaned and cut; null when the reason says everything. */
  readonly detail: string | null;
  /** When the state or its reason last changed. */
  readonly since: number;
  /** False: a client that connects now is not expected to be served. `/readyz` is 503 then. */
  readonly ready: boolean;
  readonly mode: AppServerMode;
  /** Why this mode was chosen, for people. */
  readonly modeReason: string;
  /** Child processes that run now. */
  readonly children: number;
  /** Exits of children that the engine did not stop, since the start. */
  readonly exits: number;
  /** Failures of any kind since the start, those exits included. */
  readonly failures: number;
}

/** A JSON-RPC server: built in, a child process, or behind a socket. */
export interface AppServer {
  readonly name: string;
  /** It never sends requests to clients, so their ids cannot collide with those of the engine's requests. */
  readonly sendsNoRequests?: true;
  /** What it speaks, where that is known, for example from its command. */
  readonly protocol?: AgentProtocol | undefined;
  /** How it is now; undefined: an embedding program supplies it and the engine does not supervise it. */
  readonly health?: AppServerHealth;
  /** Calls the listener at each change of `health`. */
  onHealth?(listener: (health: AppServerHealth) => void): void;
  /**
   * Ends all children and connections, so that each client gets error -32002 with this cause. New clients get a new
   * child. Resolves when the old ones have ended.
   * @param cause One sentence for people, for example `The account has changed.`
   */
  restart?(cause: string): Promise<void>;
  /** Only where opening takes no time: the same as `open`, at once. */
  openNow?(events: AppServerEvents, client: ClientContext): AppServerConnection;
  /** @throws EngineError `appServerFailed` when the app server cannot be reached; rejects when `signal` is aborted. */
  open(events: AppServerEvents, client: ClientContext, signal: AbortSignal): Promise<AppServerConnection>;
  /** Ends all connections and releases everything. */
  close(): Promise<void>;
}
