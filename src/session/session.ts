import type { AgentProtocol } from '../protocol/agent-protocol.js';
import type { AppServerConnection, AppServerEvents, ClientContext } from '../protocol/app-server.js';
import { errorText, isSameId, RPC, type RpcId, withJsonrpc } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import { type Authority, mayReceive } from './authority-table.js';
import { ClientProtocol } from './client-protocol.js';
import type { ClientTransport, SessionDeps } from './client-transport.js';
import { type EndCause, endCause } from './end-cause.js';
import { MAX_QUEUED_REQUESTS, MessageQueue } from './message-queue.js';
import { callMethod, tooLargeToCall } from './methods.js';
import { OpenRequests } from './open-requests.js';
import type { PolicedMessage } from './policy.js';
import { FIRST_SHARED_ID, type ServerRequestOutcome, ServerRequests } from './server-requests.js';

type State = 'opening' | 'awaitingInitialize' | 'initializing' | 'initialized' | 'closed';

/**
 * One client's conversation, over any transport. The engine answers its own methods; all other messages go to the app
 * server unchanged and in order, both ways. While the app server is not ready, messages wait in a queue with a limit.
 */
export class ClientSession implements AppServerEvents {
  readonly client: ClientContext;
  readonly #transport: ClientTransport;
  readonly #deps: SessionDeps;
  #state: State = 'opening';
  #connection: AppServerConnection | undefined;
  /** The app server accepts no messages for now. */
  #blocked = false;
  /** The client reads slowly. */
  #paused = false;
  #readPaused = false;
  /** Undefined while nothing waits: most of thousands of clients never need it. */
  #queue: MessageQueue | undefined;
  /** Waits for the app-server connection that it opened. */
  #waitingInitialize: Message | undefined;
  #initializeId: RpcId | undefined;
  #optOut: ReadonlySet<string> | undefined;
  #experimental = false;
  #clientName: string | undefined;
  readonly #protocol: ClientProtocol;
  /** Served without `initialize`, which the client may still send. */
  #withoutInitialize = false;
  #announced = false;
  /** Requests without a response, at the app server or at an engine method. Undefined before the first one. */
  #open: OpenRequests | undefined;
  /** Calls of engine methods that have not been answered yet. */
  #pendingCalls = 0;
  /** The client has sent everything. */
  #inputEnded = false;
  #serverRequests: ServerRequests | undefined;

  constructor(client: ClientContext, transport: ClientTransport, deps: SessionDeps) {
    this.client = client;
    this.#transport = transport;
    this.#deps = deps;
    this.#protocol = new ClientProtocol(deps.protocol ?? 'codex', client.protocol);
  }

  get state(): string {
    return this.#paused ? `paused.${this.#state}` : this.#state;
  }
  get initialized(): boolean {
    return this.#state === 'initialized';
  }
  /** An `initialize` has arrived and has no response yet. */
  get initializing(): boolean {
    if (this.#protocol.isRaw) return false;
    if (this.#state !== 'opening') return this.#state === 'initializing';
    // What waits may also be a message that needs no `initialize`.
    const waiting = this.#waitingInitialize?.shape;
    const isInitialize = waiting?.kind === 'request' && waiting.method === 'initialize';
    return isInitialize || this.#queue?.hasInitialize === true;
  }
  /** The client waits for a response, or a message of it waits to be handled. */
  get isWaiting(): boolean {
    if (this.#waitingInitialize !== undefined || this.#queue !== undefined) return true;
    return (this.#open?.ids.length ?? 0) > 0;
  }
  get clientName(): string | undefined {
    return this.#clientName;
  }
  /** What this client may do; methods show less to those who may do less. */
  get authority(): Authority {
    return this.#deps.policy.authorityOf(this.client);
  }
  /** What the client speaks; undefined until that is known. */
  get protocol(): AgentProtocol | undefined {
    return this.#protocol.name;
  }
  /** An `initialize` is a message like any other, because the client was served before it. WSA-44 */
  get takesInitialize(): boolean {
    return this.#withoutInitialize || this.#protocol.isRaw;
  }
  /** The client has enabled experimental methods. ACC-9 */
  get experimental(): boolean {
    return this.#experimental;
  }

  /** Opens the app-server connection when that takes no time; otherwise returns false. */
  openNow(): boolean {
    const connection = this.#deps.appServer.openNow?.(this, this.client);
    if (connection === undefined) return false;
    this.#opened(connection);
    return true;
  }

  /** Opens no app-server connection before a valid `initialize` arrives. WSA-35 */
  deferOpening(): void {
    this.#state = 'awaitingInitialize';
  }

  /** When what runs behind this client has ended; undefined: nothing runs on after `close`. */
  get appServerEnded(): Promise<unknown> | undefined {
    return this.#connection?.ended;
  }

  /** Opens the app-server connection, then handles what has arrived meanwhile. Rejects when it cannot be opened. */
  async open(signal: AbortSignal): Promise<void> {
    const connection = await this.#deps.appServer.open(this, this.client, signal);
    if (this.#state === 'closed' || signal.aborted) {
      connection.close();
      return;
    }
    this.#opened(connection);
  }

  #opened(connection: AppServerConnection): void {
    this.#connection = connection;
    if (this.#paused) connection.pause();
    this.#state = 'awaitingInitialize';
    if (this.#protocol.isRaw) this.#serve();
    this.#drainQueue();
  }

  /** Handles one message of the client. False: too much waits, and the client must be closed. */
  receive(message: Message): boolean {
    if (this.#state === 'closed') return true;
    this.#protocol.note(message);
    if (this.#state !== 'initialized' && this.#refusesInitialize(message)) return true;
    if (this.#mustQueue(message)) return this.#enqueue(message);
    this.#route(message);
    return true;
  }

  /** Sends a notification of the engine, unless the client opted out of it. WSA-23 */
  notify(method: string, params: unknown): void {
    if (this.#state !== 'initialized' || this.#optOut?.has(method) === true) return;
    if (!this.#protocol.knowsEngine || !mayReceive(this.authority, method)) return;
    this.#respond(JSON.stringify({ method, params, emittedAtMs: Date.now() }));
  }

  /**
   * Sends a server-initiated request and waits for the response. Clients cannot opt out of requests; late, repeated and
   * unknown responses are ignored. ACC-10, ACC-45
   */
  sendRequest(method: string, params: unknown, timeoutMs: number): Promise<ServerRequestOutcome> {
    if (this.#state !== 'initialized' || !this.#protocol.knowsEngine)
      return Promise.resolve({ kind: 'gone' });
    const write = (text: string): void => this.#respond(text);
    return this.#requests().send(write, method, params, timeoutMs);
  }

  #requests(): ServerRequests {
    this.#serverRequests ??= new ServerRequests(this.#deps.appServer.sendsNoRequests === true, (deferred) => {
      for (const message of deferred) this.onMessage(message);
    });
    return this.#serverRequests;
  }

  /** The client has sent everything, so it cannot respond to requests any more. RC-77 */
  endInput(): void {
    this.#inputEnded = true;
  }

  /**
   * Passes on what waits for the response to `initialize`, and the end of the input: a program that reads its whole input
   * first can answer then. False: the app server does not see that end. RC-77
   */
  endAppServerInput(): boolean {
    const connection = this.#connection;
    if (this.#state === 'initializing') this.#serve();
    this.#drainQueue();
    return connection?.endInput?.() ?? false;
  }

  /** The client reads slowly: pauses its own app-server connection and no other. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection?.resume();
    this.#drainQueue();
  }

  /** Ends the session on our side. Each request without a response gets an error with the cause first. RC-80 */
  end(cause: EndCause): void {
    if (this.#state === 'closed') return;
    this.#transport.onEnding?.(cause);
    const waiting = this.#waitingInitialize?.shape;
    const ids = [
      ...(this.#open?.ids ?? []),
      ...(waiting?.kind === 'request' ? [waiting.id] : []),
      ...(this.#queue?.requestIds ?? []),
    ];
    const data = { reason: cause.reason };
    for (const id of ids) {
      this.#respond(errorText(id, RPC.appServerUnavailable, cause.message, data));
    }
    this.close();
  }

  /** The client has disconnected, or starts again. Nobody waits for a response. */
  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#open = undefined;
    this.#queue = undefined;
    this.#waitingInitialize = undefined;
    this.#pauseReading(false);
    this.#serverRequests?.close();
    this.#connection?.close();
    this.#connection = undefined;
    this.#transport.onEnded(this);
  }

  /** Answers a request of the app server that its client cannot get. */
  answerAppServer(response: string): void {
    this.#connection?.send(Message.from(response));
  }

  // --- from the app server

  onMessage(message: Message): void {
    if (this.#state === 'closed') return;
    if (this.#screen(message)) return;
    const { shape } = message;
    if (this.#inputEnded && shape.kind === 'request') {
      this.answerAppServer(errorText(shape.id, RPC.invalidRequest, 'The client has closed its input.'));
      return;
    }
    if (this.#state !== 'initializing') {
      if (this.#serverRequests?.defer(message) !== true) this.#deliver(message);
      return;
    }
    this.#deliver(message);
    if (shape.kind !== 'response' || shape.id === null || this.#initializeId === undefined) return;
    if (!isSameId(this.#initializeId, shape.id)) return;
    if (message.isError) {
      // After a failed initialize the client may try again. ACC-4
      this.#state = this.#withoutInitialize ? 'initialized' : 'awaitingInitialize';
    } else {
      this.#withoutInitialize = false;
      this.#announce();
    }
    this.#drainQueue();
  }

  #deliver(message: Message): void {
    const { shape } = message;
    if (shape.kind === 'response' && shape.id !== null) this.#open?.delete(shape.id);
    this.#transport.send(message.text);
  }

  /**
   * True for what must not reach the client: a text that is not a message, one that readers could take for another, and
   * a notification that only the engine may send. A request whose id is in the range of server-initiated requests of the engine reserves that id.
   */
  #screen(message: Message): boolean {
    const { shape } = message;
    if (shape.kind === 'invalid' || message.ambiguous !== null) return true;
    if (shape.kind === 'notification') return !this.#protocol.mayPass(shape.method, this.authority);
    if (shape.kind === 'request' && !this.#protocol.mayRequest(shape.method)) return true;
    if (shape.kind === 'request' && typeof shape.id === 'number' && shape.id >= FIRST_SHARED_ID) {
      if (this.#serverRequests?.isPending(shape.id) !== true) this.#requests().reserve(shape.id);
    }
    return false;
  }

  onDrain(): void {
    this.#setBlocked(false);
    this.#drainQueue();
  }

  onClose(failure: Failure | null): void {
    if (this.#state === 'closed') return;
    this.#connection = undefined;
    const { origin } = this.client;
    this.end(endCause(origin, failure?.reason ?? 'appServerClosed', failure?.message ?? null));
    this.#transport.onAppServerClosed(failure);
  }

  // --- the queue

  #mustQueue({ shape }: Message): boolean {
    return (
      this.#queue !== undefined ||
      this.#waitingInitialize !== undefined ||
      this.#blocked ||
      this.#state === 'opening' ||
      this.#state === 'initializing' ||
      // Each request gets a response, and the client does not read those that it has.
      (this.#paused && shape.kind === 'request')
    );
  }

  #enqueue(message: Message): boolean {
    this.#queue ??= new MessageQueue();
    const { shape } = message;
    if (shape.kind === 'request' && this.#queue.hasMaxRequests && !this.#paused) {
      this.#respond(errorText(shape.id, RPC.overloaded, 'Server overloaded; retry later.'));
      return true;
    }
    if (!this.#queue.push(message)) return false;
    if (this.#paused || this.#queue.needsReadPause) this.#pauseReading(true);
    return true;
  }

  #drainQueue(): void {
    if (this.#state === 'opening' || this.#state === 'closed') return;
    // One at a time: routing a message may produce a response at once, which calls this method again.
    while (!this.#blocked && !this.#paused && !this.#mustWait) {
      const message = this.#takeNext();
      if (message === undefined) {
        this.#queue = undefined;
        this.#pauseReading(false);
        return;
      }
      if (this.#queue?.isEmpty === true) this.#queue = undefined;
      this.#route(message);
    }
  }

  /** For the app server: its connection, or its response to `initialize`. */
  get #mustWait(): boolean {
    return this.#state === 'opening' || this.#state === 'initializing';
  }

  #takeNext(): Message | undefined {
    const first = this.#waitingInitialize;
    this.#waitingInitialize = undefined;
    return first ?? this.#queue?.shift();
  }

  // --- routing

  #route(message: Message): void {
    const { shape } = message;
    switch (shape.kind) {
      case 'request':
        this.#routeRequest(shape.id, shape.method, message);
        return;
      case 'notification':
        // A notification before initialize is dropped silently. ACC-3
        if (!this.#isServed(null, message)) return;
        // The policy applies to notifications too; a refused one has no response. WSA-7
        if (this.#deps.policy(shape.method, this.client, message) === null) this.#forward(message);
        return;
      case 'response':
        if (this.#state !== 'initialized') return;
        // An app server could read a call in a response that also names a method. WSA-7
        if (this.#deps.policy(null, this.client, message) !== null) return;
        if (this.#serverRequests?.takeResponse(shape.id, message) !== true) this.#forward(message);
        return;
      case 'invalid':
        if (shape.batch === true && this.#protocol.name !== 'codex') {
          const why = 'Invalid request: batches are not supported; send each message by itself';
          this.#transport.send(withJsonrpc(errorText(null, RPC.invalidRequest, why)));
        }
        if (shape.refused === undefined) return;
        this.#respond(
          errorText(shape.refused.id, RPC.invalidRequest, `Invalid request: ${shape.refused.why}`),
        );
        return;
    }
  }

  #routeRequest(id: RpcId, method: string, message: Message): void {
    if (method === 'initialize' && !this.#protocol.isRaw) {
      this.#initialize(id, message);
      return;
    }
    if (!this.#isServed(id, message)) return;
    if (method === 'initialize') this.#readName(message);
    const own = this.#protocol.answers(method);
    const refusal = this.#deps.policy(method, this.client, own ? message : forAgent(message));
    if (refusal !== null) {
      this.#respond(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const engineMethod = own ? this.#deps.methods.find(method) : undefined;
    if (engineMethod === undefined) {
      this.#forwardRequest(id, message);
      return;
    }
    if (engineMethod.experimental && !this.#experimental && this.client.origin !== 'control') {
      this.#respond(errorText(id, RPC.invalidRequest, `${method} requires experimentalApi capability`));
      return;
    }
    if (this.#pendingCalls >= MAX_QUEUED_REQUESTS) {
      this.#respond(errorText(id, RPC.overloaded, 'Server overloaded; retry later.'));
      return;
    }
    const tooLarge = tooLargeToCall(message);
    if (tooLarge !== null) this.#respond(errorText(id, RPC.invalidRequest, tooLarge));
    else this.#call(id, message, () => engineMethod.handle(message.params, this));
  }

  #call(id: RpcId, message: Message, handle: () => unknown): void {
    callMethod(id, handle, {
      respond: (text) => this.#respond(text),
      onPending: () => {
        this.#pendingCalls += 1;
        // The method may have ended this session.
        if (this.#state !== 'closed') this.#addOpen(id, message);
      },
      onSettled: () => {
        this.#pendingCalls -= 1;
        this.#open?.delete(id);
      },
    });
  }

  #initialize(id: RpcId, message: Message): void {
    if (this.#state === 'initialized' && !this.#withoutInitialize) {
      this.#respond(errorText(id, RPC.invalidRequest, 'Already initialized'));
      return;
    }
    const refusal = this.#deps.policy('initialize', this.client, message);
    if (refusal !== null) {
      this.#respond(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const tooLarge = tooLargeToCall(message);
    if (tooLarge !== null) {
      this.#respond(errorText(id, RPC.invalidRequest, tooLarge));
      return;
    }
    const parsed = this.#protocol.initialize(message.params);
    if ('invalid' in parsed) {
      this.#respond(errorText(id, RPC.invalidRequest, `Invalid request: ${parsed.invalid}`));
      return;
    }
    if (!this.#mayInitialize(id, message)) return;
    this.#optOut = parsed.optOutNotificationMethods;
    this.#experimental = parsed.experimentalApi;
    this.#clientName = parsed.clientName;
    this.#initializeId = id;
    this.#state = 'initializing';
    this.#forwardRequest(id, message);
  }

  /** True: a second `initialize` that came before the response to the first was refused. WSA-22 */
  #refusesInitialize({ shape }: Message): boolean {
    if (shape.kind !== 'request' || shape.method !== 'initialize' || !this.initializing) return false;
    const why = 'Already initializing: the first initialize has no response yet; wait for it';
    this.#respond(errorText(shape.id, RPC.invalidRequest, why));
    return true;
  }

  /** False: the message waits for the app-server connection, or was refused. */
  #mayInitialize(id: RpcId | null, message: Message): boolean {
    const missing = this.#connection === undefined;
    if (missing) {
      this.#waitingInitialize = message;
      this.#state = 'opening';
    }
    const refusal = this.#transport.onInitialize?.(missing) ?? null;
    if (refusal === null) return !missing;
    this.#waitingInitialize = undefined;
    this.#state = 'awaitingInitialize';
    if (id !== null) this.#respond(errorText(id, RPC.overloaded, refusal));
    return false;
  }

  /** True: the message may be routed. Otherwise it waits for the app server, or its sender has the error. WSA-44 */
  #isServed(id: RpcId | null, message: Message): boolean {
    if (this.#state === 'initialized') return true;
    if (!this.#protocol.servesAtOnce(message)) {
      if (id !== null) this.#respond(errorText(id, RPC.invalidRequest, 'Not initialized'));
      return false;
    }
    if (!this.#mayInitialize(id, message)) return false;
    this.#serve();
    return true;
  }

  #serve(): void {
    this.#withoutInitialize = true;
    this.#announce();
  }

  #announce(): void {
    this.#state = 'initialized';
    if (this.#announced) return;
    this.#announced = true;
    this.#transport.onInitialized(this);
  }

  /** Of an `initialize` that is only passed on. */
  #readName(message: Message): void {
    if (tooLargeToCall(message) !== null) return;
    const read = this.#protocol.initialize(message.params);
    if (!('invalid' in read)) this.#clientName ??= read.clientName;
  }

  #forwardRequest(id: RpcId, message: Message): void {
    this.#addOpen(id, message);
    this.#forward(message);
  }

  #addOpen(id: RpcId, message: Message): void {
    this.#open ??= new OpenRequests();
    this.#open.add(id, message.text.length);
  }

  #forward(message: Message): void {
    if (this.#connection !== undefined && !this.#connection.send(message)) this.#setBlocked(true);
  }

  #respond(text: string): void {
    if (this.#state !== 'closed') this.#transport.send(this.#protocol.own(text));
  }

  #setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.#transport.onBlocked(blocked);
  }

  #pauseReading(paused: boolean): void {
    if (this.#readPaused === paused) return;
    this.#readPaused = paused;
    this.#transport.onReadPaused(paused);
  }
}

/** A message that the agent answers, for the policy: it is parsed only where a rule needs its params. */
const forAgent = (message: Message): PolicedMessage => ({
  ambiguous: message.ambiguous,
  get params() {
    return message.params;
  },
  forAgent: true,
});
