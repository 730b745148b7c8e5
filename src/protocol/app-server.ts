import type { Message } from './message.js';
import type { Failure } from './outcomes.js';

/** How a client is connected; policies and the audit refer to it. */
export type Origin = 'listener' | 'unix' | 'stdio' | 'remote' | 'control';

/** The client that an app-server connection serves. */
export interface ClientContext {
  readonly origin: Origin;
  /** Unique in the process; identifies the connection in the log, the audit and the status. */
  readonly connectionId: string;
  /** Accepted without the credential that its listener requires. WSA-4, WSA-7 */
  readonly degraded?: boolean;
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
  /** Only where something runs on after `close`: resolves when that has ended too. */
  readonly ended?: Promise<unknown> | undefined;
}

/** A JSON-RPC server: built in, a child process, or behind a socket. */
export interface AppServer {
  readonly name: string;
  /** It never sends requests to clients, so their ids cannot collide with those of the engine's requests. */
  readonly sendsNoRequests?: true;
  /** Only where opening takes no time: the same as `open`, at once. */
  openNow?(events: AppServerEvents, client: ClientContext): AppServerConnection;
  /** @throws EngineError `appServerFailed` when the app server cannot be reached; rejects when `signal` is aborted. */
  open(events: AppServerEvents, client: ClientContext, signal: AbortSignal): Promise<AppServerConnection>;
  /** Ends all connections and releases everything. */
  close(): Promise<void>;
}
