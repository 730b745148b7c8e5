import type { AgentProtocol } from '../protocol/agent-protocol.js';
import { errorText, isSameId, RPC, type RpcId, withJsonrpc } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import { type Authority, mayReceive } from './authority-table.js';
import { endCause } from './end-cause.js';
import { type InitializeParams, NOTHING_STATED } from './initialize.js';
import { MessageFlow } from './message-flow.js';
import { MAX_QUEUED_REQUESTS } from './message-queue.js';
import { callMethod, tooLargeToCall } from './methods.js';
import type { PolicedMessage } from './policy.js';
import { FIRST_SHARED_ID, type ServerRequestOutcome, ServerRequests } from './server-requests.js';

/**
 * One client's conversation, over any transport. The engine answers its own methods; all other messages go to the app
 * server unchanged and in order, both ways. While the app server is not ready, messages wait in a queue with a limit.
 */
export class ClientSession extends MessageFlow {
  #initializeId: RpcId | undefined;
  /** What the client stated in `initialize`. */
  #stated: InitializeParams | undefined;
  /** Calls of engine methods that have not been answered yet. */
  #pendingCalls = 0;

  /** An `initialize` has arrived and has no response yet. */
  get initializing(): boolean {
    if (this.clientProtocol.isRaw) return false;
    if (!this.is('opening')) return this.is('initializing');
    // What waits may also be a message that needs no `initialize`.
    const waiting = this.waitingInitialize?.shape;
    const isInitialize = waiting?.kind === 'request' && waiting.method === 'initialize';
    return isInitialize || this.queue?.hasInitialize === true;
  }
  get clientName(): string | undefined {
    return this.#stated?.clientName;
  }
  /** What this client may do; methods show less to those who may do less. */
  get authority(): Authority {
    return this.deps.policy.authorityOf(this.client);
  }
  /** What the client speaks; undefined until that is known. */
  get protocol(): AgentProtocol | undefined {
    return this.clientProtocol.name;
  }
  /** An `initialize` is a message like any other, because the client was served before it. WSA-44 */
  get takesInitialize(): boolean {
    return this.is('takesInitialize') || this.clientProtocol.isRaw;
  }
  /** The client has enabled experimental methods. ACC-9 */
  get experimental(): boolean {
    return this.#stated?.experimentalApi === true;
  }

  /** Handles one message of the client. False: too much waits, and the client must be closed. */
  receive(message: Message): boolean {
    if (this.isClosed) return true;
    this.clientProtocol.note(message);
    if (!this.initialized && this.#refusesInitialize(message)) return true;
    if (this.mustQueue(message)) return this.enqueue(message);
    this.route(message);
    return true;
  }

  /** Sends a notification of the engine, unless the client opted out of it. WSA-23 */
  notify(method: string, params: unknown): void {
    if (!this.initialized || this.#stated?.optOutNotificationMethods.has(method) === true) return;
    if (!this.clientProtocol.knowsEngine || !mayReceive(this.authority, method)) return;
    this.respond(JSON.stringify({ method, params, emittedAtMs: Date.now() }));
  }

  /**
   * Sends a server-initiated request and waits for the response. Clients cannot opt out of requests; late, repeated and
   * unknown responses are ignored. ACC-10, ACC-45
   */
  sendRequest(method: string, params: unknown, timeoutMs: number): Promise<ServerRequestOutcome> {
    if (!this.initialized || !this.clientProtocol.knowsEngine) return Promise.resolve({ kind: 'gone' });
    const write = (text: string): void => this.respond(text);
    return this.#requests().send(write, method, params, timeoutMs);
  }

  #requests(): ServerRequests {
    this.serverRequests ??= new ServerRequests(this.deps.appServer.sendsNoRequests === true, (deferred) => {
      for (const message of deferred) this.onMessage(message);
    });
    return this.serverRequests;
  }

  /** The client has sent everything, so it cannot respond to requests any more. RC-77 */
  endInput(): void {
    this.take('INPUT.ENDED');
  }

  /**
   * Passes on what waits for the response to `initialize`, and the end of the input: a program that reads its whole input
   * first can answer then. False: the app server does not see that end. RC-77
   */
  endAppServerInput(): boolean {
    const connection = this.connection;
    if (this.is('initializing')) this.take('SERVED');
    this.drainQueue();
    return connection?.endInput?.() ?? false;
  }

  /** Answers a request of the app server that its client cannot get. */
  answerAppServer(response: string): void {
    this.connection?.send(Message.from(response));
  }

  // --- from the app server

  override onMessage(message: Message): void {
    if (this.isClosed) return;
    if (this.#screen(message)) return;
    const { shape } = message;
    if (this.is('inputEnded') && shape.kind === 'request') {
      this.answerAppServer(errorText(shape.id, RPC.invalidRequest, 'The client has closed its input.'));
      return;
    }
    if (!this.is('initializing')) {
      if (this.serverRequests?.defer(message) !== true) this.#deliver(message);
      return;
    }
    this.#deliver(message);
    if (shape.kind !== 'response' || shape.id === null || this.#initializeId === undefined) return;
    if (!isSameId(this.#initializeId, shape.id)) return;
    this.take(message.isError ? 'INITIALIZE.FAILED' : 'INITIALIZE.ACCEPTED');
    this.drainQueue();
  }

  #deliver(message: Message): void {
    const { shape } = message;
    if (shape.kind === 'response' && shape.id !== null) this.openRequests?.delete(shape.id);
    this.transport.send(message.text);
  }

  /**
   * True for what must not reach the client: a text that is not a message, one that readers could take for another, and
   * a notification that only the engine may send. A request whose id is in the range of server-initiated requests of the engine reserves that id.
   */
  #screen(message: Message): boolean {
    const { shape } = message;
    if (shape.kind === 'invalid' || message.ambiguous !== null) return true;
    if (shape.kind === 'notification') return !this.clientProtocol.mayPass(shape.method, this.authority);
    if (shape.kind === 'request' && !this.clientProtocol.mayRequest(shape.method)) return true;
    if (shape.kind === 'request' && typeof shape.id === 'number' && shape.id >= FIRST_SHARED_ID) {
      if (this.serverRequests?.isPending(shape.id) !== true) this.#requests().reserve(shape.id);
    }
    return false;
  }

  override onClose(failure: Failure | null): void {
    if (this.isClosed) return;
    this.connection = undefined;
    const { origin } = this.client;
    this.end(endCause(origin, failure?.reason ?? 'appServerClosed', failure?.message ?? null));
    this.transport.onAppServerClosed(failure);
  }

  // --- routing

  protected override route(message: Message): void {
    const { shape } = message;
    switch (shape.kind) {
      case 'request':
        this.#routeRequest(shape.id, shape.method, message);
        return;
      case 'notification':
        // A notification before initialize is dropped silently. ACC-3
        if (!this.#isServed(null, message)) return;
        // The policy applies to notifications too; a refused one has no response. WSA-7
        if (this.deps.policy(shape.method, this.client, message) === null) this.forward(message);
        return;
      case 'response':
        if (!this.initialized) return;
        // An app server could read a call in a response that also names a method. WSA-7
        if (this.deps.policy(null, this.client, message) !== null) return;
        if (this.serverRequests?.takeResponse(shape.id, message) !== true) this.forward(message);
        return;
      case 'invalid':
        if (shape.batch === true && this.clientProtocol.name !== 'codex') {
          const why = 'Invalid request: batches are not supported; send each message by itself';
          this.transport.send(withJsonrpc(errorText(null, RPC.invalidRequest, why)));
        }
        if (shape.refused === undefined) return;
        this.respond(
          errorText(shape.refused.id, RPC.invalidRequest, `Invalid request: ${shape.refused.why}`),
        );
        return;
    }
  }

  #routeRequest(id: RpcId, method: string, message: Message): void {
    if (method === 'initialize' && !this.clientProtocol.isRaw) {
      this.#initialize(id, message);
      return;
    }
    if (!this.#isServed(id, message)) return;
    if (method === 'initialize') this.#readName(message);
    const own = this.clientProtocol.answers(method);
    const refusal = this.deps.policy(method, this.client, own ? message : forAgent(message));
    if (refusal !== null) {
      this.respond(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const engineMethod = own ? this.deps.methods.find(method) : undefined;
    if (engineMethod === undefined) {
      this.forwardRequest(id, message);
      return;
    }
    if (engineMethod.experimental && !this.experimental && this.client.origin !== 'control') {
      this.respond(errorText(id, RPC.invalidRequest, `${method} requires experimentalApi capability`));
      return;
    }
    if (this.#pendingCalls >= MAX_QUEUED_REQUESTS) {
      this.respond(errorText(id, RPC.overloaded, 'Server overloaded; retry later.'));
      return;
    }
    const tooLarge = tooLargeToCall(message);
    if (tooLarge !== null) this.respond(errorText(id, RPC.invalidRequest, tooLarge));
    else this.#call(id, message, () => engineMethod.handle(message.params, this));
  }

  #call(id: RpcId, message: Message, handle: () => unknown): void {
    callMethod(id, handle, {
      respond: (text) => this.respond(text),
      onPending: () => {
        this.#pendingCalls += 1;
        // The method may have ended this session.
        if (!this.isClosed) this.addOpen(id, message);
      },
      onSettled: () => {
        this.#pendingCalls -= 1;
        this.openRequests?.delete(id);
      },
    });
  }

  #initialize(id: RpcId, message: Message): void {
    if (this.initialized && !this.is('takesInitialize')) {
      this.respond(errorText(id, RPC.invalidRequest, 'Already initialized'));
      return;
    }
    const refusal = this.deps.policy('initialize', this.client, message);
    if (refusal !== null) {
      this.respond(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const tooLarge = tooLargeToCall(message);
    if (tooLarge !== null) {
      this.respond(errorText(id, RPC.invalidRequest, tooLarge));
      return;
    }
    const parsed = this.clientProtocol.initialize(message.params);
    if ('invalid' in parsed) {
      this.respond(errorText(id, RPC.invalidRequest, `Invalid request: ${parsed.invalid}`));
      return;
    }
    if (!this.#mayInitialize(id, message)) return;
    this.#stated = parsed;
    this.#initializeId = id;
    this.take('INITIALIZE.SENT');
    this.forwardRequest(id, message);
  }

  /** True: a second `initialize` that came before the response to the first was refused. WSA-22 */
  #refusesInitialize({ shape }: Message): boolean {
    if (shape.kind !== 'request' || shape.method !== 'initialize' || !this.initializing) return false;
    const why = 'Already initializing: the first initialize has no response yet; wait for it';
    this.respond(errorText(shape.id, RPC.invalidRequest, why));
    return true;
  }

  /** False: the message waits for the app-server connection, or was refused. */
  #mayInitialize(id: RpcId | null, message: Message): boolean {
    const missing = this.connection === undefined;
    if (missing) {
      this.waitingInitialize = message;
      this.take('OPENING');
    }
    const refusal = this.transport.onInitialize?.(missing) ?? null;
    if (refusal === null) return !missing;
    this.waitingInitialize = undefined;
    this.take('REFUSED');
    if (id !== null) this.respond(errorText(id, RPC.overloaded, refusal));
    return false;
  }

  /** True: the message may be routed. Otherwise it waits for the app server, or its sender has the error. WSA-44 */
  #isServed(id: RpcId | null, message: Message): boolean {
    if (this.initialized) return true;
    if (!this.clientProtocol.servesAtOnce(message)) {
      if (id !== null) this.respond(errorText(id, RPC.invalidRequest, 'Not initialized'));
      return false;
    }
    if (!this.#mayInitialize(id, message)) return false;
    this.take('SERVED');
    return true;
  }

  protected override announce(): void {
    this.transport.onInitialized(this);
  }

  /** Of an `initialize` that is only passed on. */
  #readName(message: Message): void {
    if (tooLargeToCall(message) !== null) return;
    const read = this.clientProtocol.initialize(message.params);
    if ('invalid' in read || this.clientName !== undefined) return;
    this.#stated = { ...(this.#stated ?? NOTHING_STATED), clientName: read.clientName };
  }

  protected override reportEnd(appServerEnded: Promise<unknown> | undefined): void {
    this.transport.onEnded(this, appServerEnded);
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
