import type { Message } from './message.js';
import type { Failure } from './outcomes.js';

/** Where a client comes from; policies and the audit name it. */
export type Origin = 'listener' | 'unix' | 'stdio' | 'remote' | 'control';

export interface ClientContext {
  readonly origin: Origin;
  /** Unique in the process; names the connection in the log, the audit and status. */
  readonly connectionId: string;
  /** Let in without the authority that its listener asks for. WSA-4, WSA-7 */
  readonly degraded?: boolean;
}

/** What an app-server connection reports. All calls come asynchronously or during `send`, never during `open`. */
export interface AppServerEvents {
  onMessage(message: Message): void;
  /** After `send` answered false: it takes messages again. */
  onDrain(): void;
  /** The connection is over, once. Null: it ended cleanly. */
  onClose(failure: Failure | null): void;
}

/** One client's connection to an app server. */
export interface AppServerConnection {
  /** Takes one message; false says that it is full: stop until `onDrain`. The message was taken all the same. */
  send(message: Message): boolean;
  /** Stops and restarts the flow of `onMessage`: backpressure from a slow client. */
  pause(): void;
  resume(): void;
  /** Ends it; `onClose` is not called any more. */
  close(): void;
}

/** A place that answers JSON-RPC: built in, a child process, or a socket. */
export interface AppServer {
  readonly name: string;
  /** It never sends a request to a client, so that ids of the engine's own requests cannot meet any of it. */
  readonly asksNothing?: true;
  /** Where opening takes no time: the same as `open`, at once. */
  openNow?(events: AppServerEvents, client: ClientContext): AppServerConnection;
  /** Rejects with an EngineError when it cannot be reached. */
  open(events: AppServerEvents, client: ClientContext, signal: AbortSignal): Promise<AppServerConnection>;
  close(): Promise<void>;
}
