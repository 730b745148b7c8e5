import type { AppServerConnection, AppServerEvents, ClientContext } from '../protocol/app-server.js';
import { errorText, RPC, type RpcId } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import { DEFAULT_TIMING } from '../protocol/timing.js';
import { ClientProtocol } from './client-protocol.js';
import type { ClientTransport, SessionDeps } from './client-transport.js';
import type { EndCause } from './end-cause.js';
import { MessageQueue } from './message-queue.js';
import { OpenRequests } from './open-requests.js';
import type { ServerRequests } from './server-requests.js';
import { type Overdue, SessionRun } from './session-chart.js';

/** An app-server connection that is being opened. */
interface Opening {
  readonly abort: AbortController;
  /** It is open, has failed, or what was opened too late has ended. */
  readonly settled: Promise<void>;
}

/**
 * The flow of messages between one client and its app server: the connection that opens and ends, the queue while it is
 * not ready, the pauses while one side reads slowly, and the requests without a response. A base class, not a part:
 * there are thousands of clients, and one object each costs less than two.
 */
export abstract class MessageFlow extends SessionRun implements AppServerEvents {
  readonly client: ClientContext;
  protected readonly transport: ClientTransport;
  protected readonly deps: SessionDeps;
  protected connection: AppServerConnection | undefined;
  #opening: Opening | undefined;
  /** Undefined while nothing waits: most of thousands of clients never need it. */
  protected queue: MessageQueue | undefined;
  /** Waits for the app-server connection that it opened. */
  protected waitingInitialize: Message | undefined;
  protected readonly clientProtocol: ClientProtocol;
  /** Requests without a response, at the app server or at an engine method. Undefined before the first one. */
  protected openRequests: OpenRequests | undefined;
  protected serverRequests: ServerRequests | undefined;

  constructor(client: ClientContext, transport: ClientTransport, deps: SessionDeps) {
    const { timing = DEFAULT_TIMING, watcher } = deps;
    const { origin, connectionId } = client;
    const kind = origin === 'remote' ? 'stream' : origin === 'stdio' ? 'stdio' : 'socket';
    super(timing, kind, { watcher, id: connectionId });
    this.client = client;
    this.transport = transport;
    this.deps = deps;
    this.clientProtocol = new ClientProtocol(deps.protocol ?? 'codex', client.protocol);
  }

  protected override readAppServer(reads: boolean): void {
    if (reads) this.connection?.resume();
    else this.connection?.pause();
  }

  protected override readClient(reads: boolean): void {
    this.transport.onReadPaused(!reads);
  }

  protected override endClient(reason: Overdue): void {
    this.transport.onOverdue(reason);
  }

  abstract onMessage(message: Message): void;
  abstract onClose(failure: Failure | null): void;
  /** Handles a message of the client whose turn has come. */
  protected abstract route(message: Message): void;
  /** @param appServerEnded When what runs behind this client has ended, too; undefined: nothing runs on. */
  protected abstract reportEnd(appServerEnded: Promise<unknown> | undefined): void;

  /** The client waits for a response, or a message of it waits to be handled. */
  get isWaiting(): boolean {
    if (this.waitingInitialize !== undefined || this.queue !== undefined) return true;
    return (this.openRequests?.ids.length ?? 0) > 0;
  }

  /** Characters of the messages that wait to be handled. */
  get queuedChars(): number {
    return this.queue?.chars ?? 0;
  }

  /** Opens the app-server connection when that takes no time; otherwise returns false. */
  openNow(): boolean {
    const connection = this.deps.appServer.openNow?.(this, this.client);
    if (connection === undefined) return false;
    this.#opened(connection);
    return true;
  }

  /** Opens no app-server connection before a valid `initialize` arrives. WSA-35 */
  deferOpening(): void {
    this.take('DEFERRED');
  }

  /** Opens the app-server connection, then handles what has arrived meanwhile. When that fails, the transport ends it. */
  open(): Promise<void> {
    const abort = new AbortController();
    this.take('OPENING');
    const settled = this.#connect(abort.signal);
    this.#opening = { abort, settled };
    return settled;
  }

  async #connect(signal: AbortSignal): Promise<void> {
    try {
      const connection = await this.deps.appServer.open(this, this.client, signal);
      if (signal.aborted) {
        connection.close();
        await connection.ended;
        return;
      }
      this.#opening = undefined;
      this.#opened(connection);
    } catch (error) {
      this.#opening = undefined;
      if (signal.aborted) return;
      const message = error instanceof Error ? error.message : 'no app server';
      this.transport.onAppServerClosed(failure('appServerFailed', message, Date.now()));
    }
  }

  #opened(connection: AppServerConnection): void {
    this.connection = connection;
    if (this.is('slow')) connection.pause();
    this.take('OPENED');
    if (this.clientProtocol.isRaw) this.take('SERVED');
    this.drainQueue();
  }

  resume(): void {
    if (!this.is('slow')) return;
    this.take('CLIENT.READS');
    this.drainQueue();
  }

  /** Ends the session on our side. Each request without a response gets an error with the cause first. RC-80 */
  end(cause: EndCause): void {
    if (this.isClosed) return;
    this.transport.onEnding?.(cause);
    const waiting = this.waitingInitialize?.shape;
    const ids = [
      ...(this.openRequests?.ids ?? []),
      ...(waiting?.kind === 'request' ? [waiting.id] : []),
      ...(this.queue?.requestIds ?? []),
    ];
    const data = { reason: cause.reason };
    for (const id of ids) {
      this.respond(errorText(id, RPC.appServerUnavailable, cause.message, data));
    }
    this.close();
  }

  /** The client has disconnected, or starts again. Nobody waits for a response. */
  close(): void {
    if (this.isClosed) return;
    this.take('CLOSE');
    const opening = this.#opening;
    this.#opening = undefined;
    opening?.abort.abort();
    const appServerEnded = opening?.settled ?? this.connection?.ended;
    this.openRequests = undefined;
    this.queue = undefined;
    this.waitingInitialize = undefined;
    this.serverRequests?.close();
    this.connection?.close();
    this.connection = undefined;
    this.reportEnd(appServerEnded);
  }

  onDrain(): void {
    this.take('UNBLOCKED');
    this.drainQueue();
  }

  protected mustQueue({ shape }: Message): boolean {
    return (
      this.queue !== undefined ||
      this.waitingInitialize !== undefined ||
      this.is('blocked') ||
      this.#mustWait ||
      // Each request gets a response, and the client does not read those that it has.
      (this.is('slow') && shape.kind === 'request')
    );
  }

  protected enqueue(message: Message): boolean {
    this.queue ??= new MessageQueue();
    const { shape } = message;
    if (shape.kind === 'request' && this.queue.hasMaxRequests && !this.is('slow')) {
      this.respond(errorText(shape.id, RPC.overloaded, 'Server overloaded; retry later.'));
      return true;
    }
    if (!this.queue.push(message)) return false;
    if (this.is('slow') || this.queue.needsReadPause) this.take('QUEUE.LARGE');
    return true;
  }

  protected drainQueue(): void {
    if (this.is('opening') || this.isClosed) return;
    // One at a time: routing a message may produce a response at once, which calls this method again.
    while (!this.is('blocked') && !this.is('slow') && !this.#mustWait) {
      const message = this.#takeNext();
      if (message === undefined) {
        this.queue = undefined;
        this.take('QUEUE.EMPTY');
        return;
      }
      if (this.queue?.isEmpty === true) this.queue = undefined;
      this.route(message);
    }
  }

  /** For the app server: its connection, or its response to `initialize`. */
  get #mustWait(): boolean {
    return this.is('opening') || this.is('initializing');
  }

  #takeNext(): Message | undefined {
    const first = this.waitingInitialize;
    this.waitingInitialize = undefined;
    return first ?? this.queue?.shift();
  }

  protected forwardRequest(id: RpcId, message: Message): void {
    this.addOpen(id, message);
    this.forward(message);
  }

  protected addOpen(id: RpcId, message: Message): void {
    this.openRequests ??= new OpenRequests();
    this.openRequests.add(id, message.text.length);
  }

  protected forward(message: Message): void {
    if (this.connection !== undefined && !this.connection.send(message)) this.take('BLOCKED');
  }

  protected respond(text: string): void {
    if (!this.isClosed) this.transport.send(this.clientProtocol.own(text));
  }
}
