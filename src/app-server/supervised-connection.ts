import type { AppServerConnection, AppServerEvents, ClientContext } from '../protocol/app-server.js';
import { errorText, RPC, type RpcId } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { ConnectError, type ConnectorEvents } from './connector.js';

/** A text for the client and the reason that it belongs to. */
export interface Refusal {
  readonly reason: Reason;
  readonly message: string;
}

/** What a connection asks of the supervisor, and reports to it. */
export interface ConnectionDeps {
  /**
   * Waits until the client may connect, then connects.
   * @returns the connection, or why there is none for now
   * @throws ConnectError that has been reported already; any error when `signal` is aborted
   */
  connect(connection: SupervisedConnection, signal: AbortSignal): Promise<AppServerConnection | Refusal>;
  initializeSent(connection: SupervisedConnection): void;
  answered(connection: SupervisedConnection): void;
  /** It no longer uses the app server. A failure says that the app server is the cause. */
  left(
    connection: SupervisedConnection,
    failed?: { readonly failure: Failure; readonly exited: boolean },
  ): void;
  /** Nothing of it remains. */
  ended(connection: SupervisedConnection): void;
}

/**
 * The connection of one client, whatever happens to the app server behind it. While none can be reached, each request
 * gets error -32002 with the cause and is another attempt. While one is under way it accepts no more, so that nothing is
 * lost. Messages pass it unchanged.
 */
export class SupervisedConnection implements AppServerConnection, ConnectorEvents {
  readonly client: ClientContext;
  /** It got a response from its app server. */
  served = false;
  readonly #events: AppServerEvents;
  readonly #deps: ConnectionDeps;
  #real: AppServerConnection | undefined;
  #ended: Promise<unknown> | undefined;
  /** The `initialize` that has no response yet. */
  #pending: RpcId | undefined;
  #attempt: AbortController | undefined;
  /** Why the first attempt failed: the next request gets it, and then the connection ends. */
  #lost: Failure | undefined;
  #failed: { readonly failure: Failure; readonly exited: boolean } | undefined;
  #paused = false;
  #closed = false;

  constructor(events: AppServerEvents, client: ClientContext, deps: ConnectionDeps) {
    this.#events = events;
    this.client = client;
    this.#deps = deps;
  }

  /** The first attempt. Rejects only when `signal` is aborted. */
  async open(signal: AbortSignal): Promise<void> {
    try {
      const got = await this.#deps.connect(this, signal);
      if ('send' in got) this.#use(got);
    } catch (error) {
      if (signal.aborted || !(error instanceof ConnectError)) {
        this.#closed = true;
        this.#deps.ended(this);
        throw error;
      }
      this.#lost = error.failure;
    }
  }

  // --- AppServerConnection

  send(message: Message): boolean {
    if (this.#closed) return true;
    const { shape } = message;
    if (this.#real === undefined) {
      if (shape.kind !== 'request') return true;
      if (this.#lost !== undefined) {
        this.#end(this.#lost, shape.id);
        return true;
      }
      // An agent without `initialize` may get more requests meanwhile: they wait. WSA-44
      void this.#retry(message, shape.id);
      return false;
    }
    return this.#pass(this.#real, message);
  }

  pause(): void {
    this.#paused = true;
    this.#real?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#real?.resume();
  }

  endInput(): boolean {
    return this.#real?.endInput?.() ?? false;
  }

  get ended(): Promise<unknown> | undefined {
    return this.#real?.ended ?? this.#ended;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#attempt?.abort();
    if (this.#real !== undefined) {
      this.#release().close();
      this.#deps.left(this);
    }
    this.#deps.ended(this);
  }

  // --- ConnectorEvents

  onMessage(message: Message): void {
    if (this.#closed) return;
    if ((this.#pending !== undefined || !this.served) && message.shape.kind === 'response') {
      this.#pending = undefined;
      this.served = true;
      this.#deps.answered(this);
    }
    this.#events.onMessage(message);
  }

  onDrain(): void {
    if (!this.#closed) this.#events.onDrain();
  }

  onFailed(cause: Failure, exited: boolean): void {
    this.#failed = { failure: cause, exited };
  }

  onClose(cause: Failure | null): void {
    if (this.#closed || this.#real === undefined) return;
    this.#release();
    this.#deps.left(this, this.#failed);
    this.#finish(cause);
  }

  // --- called by the supervisor

  /** Its `initialize` is overdue. The client gets an error and may send it again. */
  giveUp(cause: Failure): void {
    if (this.#closed || this.#real === undefined) return;
    const id = this.#pending;
    this.#release().close();
    this.#deps.left(this, { failure: cause, exited: false });
    if (id !== undefined) this.#refuse(id, cause);
  }

  /** Ends it with this cause, because the app server is restarted. Resolves when what ran behind it has ended. */
  async restart(cause: string): Promise<void> {
    if (this.#closed) return;
    if (this.#real !== undefined) {
      this.#release().close();
      this.#deps.left(this);
    }
    const ended = this.#ended;
    this.#finish(failure('appServerRestarted', cause, Date.now()));
    await ended;
  }

  // --- inside

  #pass(real: AppServerConnection, message: Message): boolean {
    const { shape } = message;
    if (shape.kind === 'request' && shape.method === 'initialize') {
      this.#pending = shape.id;
      this.#deps.initializeSent(this);
    }
    return real.send(message);
  }

  #use(real: AppServerConnection): void {
    this.#real = real;
    this.#ended = real.ended;
    this.#failed = undefined;
    if (this.#paused) real.pause();
  }

  /** What `real` reports from now on is ignored. */
  #release(): AppServerConnection {
    const real = this.#real;
    if (real === undefined) throw new Error('no connection to release');
    this.#real = undefined;
    return real;
  }

  async #retry(message: Message, id: RpcId): Promise<void> {
    this.#attempt?.abort();
    const attempt = new AbortController();
    this.#attempt = attempt;
    try {
      const got = await this.#deps.connect(this, attempt.signal);
      if (!('send' in got)) this.#refuse(id, got);
      else {
        this.#use(got);
        if (!this.#pass(got, message)) return;
      }
    } catch (error) {
      if (attempt.signal.aborted || this.#closed) return;
      if (!(error instanceof ConnectError)) throw error;
      this.#refuse(id, error.failure);
    }
    if (!this.#closed) this.#events.onDrain();
  }

  #refuse(id: RpcId, { reason, message }: Refusal): void {
    if (this.#closed) return;
    this.#events.onMessage(Message.from(errorText(id, RPC.appServerUnavailable, message, { reason })));
  }

  #end(cause: Failure, id: RpcId): void {
    this.#pending = id;
    this.#finish(cause);
  }

  /** An `initialize` that waits is answered first. */
  #finish(cause: Failure | null): void {
    const id = this.#pending;
    this.#pending = undefined;
    if (id !== undefined) {
      this.#refuse(
        id,
        cause ?? { reason: 'appServerClosed', message: 'The app server ended this connection.' },
      );
    }
    if (this.#closed) return;
    this.#closed = true;
    this.#deps.ended(this);
    this.#events.onClose(cause);
  }
}
