import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { errorText, isRecord, RPC, type RpcId, resultText } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { parseInitialize } from './initialize.js';
import { JsonRpcError, type MethodTable, Reply } from './methods.js';
import type { Policy } from './policy.js';
import { FIRST_BESIDE_OTHERS, type ServerRequestOutcome, ServerRequests } from './server-requests.js';

/** How a session reaches its client, and whom it tells what became of it. */
export interface ClientTransport {
  /** Writes one message. False: the client is slow; call `session.pause()` and later `session.resume()`. */
  send(text: string): void;
  /** After the answer to `initialize` was sent. */
  onInitialized(session: ClientSession): void;
  /** The session is over, however that came. Called once. */
  onEnded(session: ClientSession): void;
  /** The session is over from the app server's side. */
  onSessionClosed(failure: Failure | null): void;
  /** The inbound queue is blocked since a moment, or not any more. */
  onBlocked(blocked: boolean): void;
  /** More waits here than should: stop reading from this client, or go on. */
  onHeld(held: boolean): void;
}

/** What all sessions share. */
export interface SessionDeps {
  readonly appServer: AppServer;
  readonly methods: MethodTable;
  /** Says which methods this client may call; null: allowed, else why not. WSA-7 */
  readonly policy: Policy;
}

/** Requests that may wait for one client; one more is answered with an overload error. WSA-24 */
export const MAX_QUEUED_REQUESTS = 128;
/** What waits for one client, in UTF-16 units, when nothing more is read from it until all of it has gone on. */
const HOLD_AT = 4 * 1024 * 1024;
/** Everything that may wait for one client, in UTF-16 units; past it the client is closed. */
export const MAX_QUEUED_CHARS = 32 * 1024 * 1024;

/** Methods and notifications that are the engine's alone, whatever app server is behind it. */
const OWN_FAMILY = 'remoteControl';

/** Nobody writes to it. */
const NOTHING: Message[] = [];

type State = 'opening' | 'awaitingInitialize' | 'initializing' | 'initialized' | 'closed';

/**
 * One client's conversation, whatever it came over: the engine answers its own methods, everything else goes to
 * the app server untouched and in order, both ways. Messages wait here while the app server is not ready, never
 * without a bound.
 */
export class ClientSession implements AppServerEvents {
  readonly client: ClientContext;
  readonly #transport: ClientTransport;
  readonly #host: SessionDeps;
  #state: State = 'opening';
  #connection: AppServerConnection | undefined;
  #blocked = false;
  #paused = false;
  /** Shared while nothing waits: most clients never wait, and there are thousands. */
  #waiting: Message[] = NOTHING;
  #waitingRequests = 0;
  #waitingChars = 0;
  #held = false;
  #initializeId: RpcId | undefined;
  #optOut: ReadonlySet<string> | undefined;
  #experimental = false;
  #clientName: string | undefined;
  #ownRequests = 0;
  #own: ServerRequests | undefined;

  constructor(client: ClientContext, transport: ClientTransport, host: SessionDeps) {
    this.client = client;
    this.#transport = transport;
    this.#host = host;
  }

  get state(): string {
    return this.#paused ? `paused.${this.#state}` : this.#state;
  }
  get initialized(): boolean {
    return this.#state === 'initialized';
  }
  get clientName(): string | undefined {
    return this.#clientName;
  }
  /** The client asked for methods that may change. ACC-9 */
  get experimental(): boolean {
    return this.#experimental;
  }

  /** Opens the app-server connection where that takes no time; false where it does. */
  openNow(): boolean {
    const connection = this.#host.appServer.openNow?.(this, this.client);
    if (connection === undefined) return false;
    this.#opened(connection);
    return true;
  }

  /** Opens the app-server connection; what came meanwhile is handled then. Rejects when it cannot be opened. */
  async open(signal: AbortSignal): Promise<void> {
    const connection = await this.#host.appServer.open(this, this.client, signal);
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
    this.#takeWaiting();
  }

  /** Takes one message of the client. False: too much waits, the client must be closed. */
  receive(message: Message): boolean {
    if (this.#state === 'closed') return true;
    if (this.#mustWait) return this.#keepWaiting(message);
    this.#route(message);
    return true;
  }

  /** A notification of the engine's own; silently left out where the client opted out of it. WSA-23 */
  notify(method: string, params: unknown): void {
    if (this.#state !== 'initialized' || this.#optOut?.has(method) === true) return;
    this.#transport.send(JSON.stringify({ method, params, emittedAtMs: Date.now() }));
  }

  /**
   * Asks the client itself. A late or second answer, and one to an unknown id, is ignored. Never opted out of.
   * ACC-10, ACC-45
   */
  ask(method: string, params: unknown, limitMs: number): Promise<ServerRequestOutcome> {
    if (this.#state !== 'initialized') return Promise.resolve({ kind: 'gone' });
    return this.#ownRequestsOf().ask((text) => this.#transport.send(text), method, params, limitMs);
  }

  #ownRequestsOf(): ServerRequests {
    this.#own ??= new ServerRequests(this.#host.appServer.sendsNoRequests === true, (held) => {
      for (const message of held) this.onMessage(message);
    });
    return this.#own;
  }

  /** The client reads slowly: its own app server is paused, nobody else. */
  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection?.resume();
    this.#takeWaiting();
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#waiting = NOTHING;
    this.#setHeld(false);
    this.#own?.close();
    this.#connection?.close();
    this.#connection = undefined;
    this.#transport.onEnded(this);
  }

  // --- from the app server

  onMessage(message: Message): void {
    if (this.#state === 'closed') return;
    if (message.mayCall(OWN_FAMILY) && this.#isOurs(message)) return;
    if (this.#state !== 'initializing') {
      if (this.#own?.holdsBack(message) !== true) this.#transport.send(message.text);
      return;
    }
    const { shape } = message;
    this.#transport.send(message.text);
    if (shape.kind !== 'response' || shape.id !== this.#initializeId) return;
    if (isRecord(message.value) && 'error' in message.value) {
      // A failed initialize does not count. ACC-4
      this.#state = 'awaitingInitialize';
    } else {
      this.#state = 'initialized';
      this.#transport.onInitialized(this);
    }
    this.#takeWaiting();
  }

  /** True for what the app server may not tell a client, as the engine tells it: clients would hear two truths. */
  #isOurs({ shape }: Message): boolean {
    if (shape.kind === 'notification') return shape.method.startsWith(`${OWN_FAMILY}/`);
    if (shape.kind === 'request' && typeof shape.id === 'number' && shape.id >= FIRST_BESIDE_OTHERS) {
      if (this.#own?.isOpen(shape.id) !== true) this.#ownRequestsOf().noteTheirs(shape.id);
    }
    return false;
  }

  onDrain(): void {
    this.#setBlocked(false);
    this.#takeWaiting();
  }

  onClose(failure: Failure | null): void {
    if (this.#state === 'closed') return;
    this.#connection = undefined;
    this.close();
    this.#transport.onSessionClosed(failure);
  }

  // --- inside

  get #mustWait(): boolean {
    return (
      this.#waiting.length > 0 || this.#blocked || this.#state === 'opening' || this.#state === 'initializing'
    );
  }

  #keepWaiting(message: Message): boolean {
    const { shape } = message;
    if (shape.kind === 'request' && this.#waitingRequests >= MAX_QUEUED_REQUESTS) {
      this.#answer(errorText(shape.id, RPC.overloaded, 'Server overloaded; retry later.'));
      return true;
    }
    this.#waitingChars += message.text.length;
    if (this.#waitingChars > MAX_QUEUED_CHARS) return false;
    if (shape.kind === 'request') this.#waitingRequests += 1;
    if (this.#waiting === NOTHING) this.#waiting = [message];
    else this.#waiting.push(message);
    if (this.#waitingChars > HOLD_AT) this.#setHeld(true);
    return true;
  }

  #takeWaiting(): void {
    if (this.#state === 'opening' || this.#state === 'closed') return;
    // Taken out one by one: handling one message may answer at once and come back here for the rest.
    while (!this.#blocked && this.#state !== ('initializing' as State)) {
      const message = this.#waiting.shift();
      if (message === undefined) {
        this.#setHeld(false);
        return;
      }
      this.#waitingChars -= message.text.length;
      if (message.shape.kind === 'request') this.#waitingRequests -= 1;
      this.#route(message);
    }
  }

  #route(message: Message): void {
    const { shape } = message;
    switch (shape.kind) {
      case 'request':
        this.#routeRequest(shape.id, shape.method, shape.params, message);
        return;
      case 'notification':
        // A notification before initialize is dropped silently. ACC-3
        if (this.#state !== 'initialized') return;
        // What may not be asked may not be told either; there is nothing to answer. WSA-7
        if (this.#host.policy(shape.method, this.client, message) === null) this.#forward(message);
        return;
      case 'response':
        if (this.#state === 'initialized' && this.#own?.takeAnswer(shape.id, message) !== true)
          this.#forward(message);
        return;
      case 'invalid':
        return;
    }
  }

  #routeRequest(id: RpcId, method: string, params: unknown, message: Message): void {
    if (method === 'initialize') {
      this.#initialize(id, params, message);
      return;
    }
    if (this.#state !== 'initialized') {
      this.#answer(errorText(id, RPC.invalidRequest, 'Not initialized'));
      return;
    }
    const refusal = this.#host.policy(method, this.client, message);
    if (refusal !== null) {
      this.#answer(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const own = this.#host.methods.find(method);
    if (own === undefined) {
      this.#forward(message);
      return;
    }
    if (own.experimental && !this.#experimental && this.client.origin !== 'control') {
      this.#answer(errorText(id, RPC.invalidRequest, `${method} requires experimentalApi capability`));
      return;
    }
    if (this.#ownRequests >= MAX_QUEUED_REQUESTS) {
      this.#answer(errorText(id, RPC.overloaded, 'Server overloaded; retry later.'));
      return;
    }
    let result: unknown;
    try {
      result = own.handle(params, this);
    } catch (error) {
      this.#answer(faultText(id, error));
      return;
    }
    if (!(result instanceof Promise)) {
      this.#answerWith(id, result);
      return;
    }
    this.#ownRequests += 1;
    result.then(
      (value: unknown) => {
        this.#ownRequests -= 1;
        this.#answerWith(id, value);
      },
      (error: unknown) => {
        this.#ownRequests -= 1;
        this.#answer(faultText(id, error));
      },
    );
  }

  #initialize(id: RpcId, params: unknown, message: Message): void {
    if (this.#state === 'initialized') {
      this.#answer(errorText(id, RPC.invalidRequest, 'Already initialized'));
      return;
    }
    const refusal = this.#host.policy('initialize', this.client, message);
    if (refusal !== null) {
      this.#answer(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const wish = parseInitialize(params);
    if ('fault' in wish) {
      this.#answer(errorText(id, RPC.invalidRequest, `Invalid request: ${wish.fault}`));
      return;
    }
    this.#optOut = wish.optOutNotificationMethods;
    this.#experimental = wish.experimentalApi;
    this.#clientName = wish.clientName;
    this.#initializeId = id;
    this.#state = 'initializing';
    this.#forward(message);
  }

  #forward(message: Message): void {
    if (this.#connection !== undefined && !this.#connection.send(message)) this.#setBlocked(true);
  }

  #answerWith(id: RpcId, value: unknown): void {
    if (!(value instanceof Reply)) {
      this.#answer(resultText(id, value));
      return;
    }
    this.#answer(resultText(id, value.result));
    // Also for a client that has gone: others are to learn what was done.
    value.after();
  }

  #answer(text: string): void {
    if (this.#state !== 'closed') this.#transport.send(text);
  }

  #setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.#transport.onBlocked(blocked);
  }

  #setHeld(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#transport.onHeld(held);
  }
}

function faultText(id: RpcId, error: unknown): string {
  if (error instanceof JsonRpcError) return errorText(id, error.code, error.message, error.data);
  return errorText(id, RPC.internalError, error instanceof Error ? error.message : 'internal error');
}

/** Reason shown when a session ended from the app server's side. */
export const sessionReason = (failure: Failure | null): Reason => failure?.reason ?? 'appServerClosed';
