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
import { type MethodTable, Reply, RpcFault } from './methods.js';

/** How a session reaches its client. */
export interface ClientTransport {
  /** Writes one message. False: the client is slow; call `session.pause()` and later `session.resume()`. */
  send(text: string): void;
  /** The session is over from the app server's side. */
  onSessionClosed(failure: Failure | null): void;
  /** The inbound queue is blocked since a moment, or not any more. */
  onBlocked(blocked: boolean): void;
  /** More waits here than should: stop reading from this client, or go on. */
  onHeld(held: boolean): void;
}

export interface SessionOptions {
  readonly client: ClientContext;
  readonly transport: ClientTransport;
  readonly appServer: AppServer;
  readonly methods: MethodTable;
  /** Says which methods this client may call; null: allowed, else why not. WSA-7 */
  readonly policy: (method: string, client: ClientContext) => string | null;
  /** After the answer to `initialize` was sent. */
  readonly onInitialized: (session: ClientSession) => void;
  /** The session is over, however that came. Called once. */
  readonly onEnded: (session: ClientSession) => void;
}

/** Requests that may wait for one client; one more is answered with an overload error. WSA-24 */
export const MAX_WAITING_REQUESTS = 128;
/** What waits for one client, in UTF-16 units, when nothing more is read from it until all of it has gone on. */
const HOLD_AT = 4 * 1024 * 1024;
/** Everything that may wait for one client, in UTF-16 units; past it the client is closed. */
export const MAX_WAITING_CHARS = 32 * 1024 * 1024;

/** How a client answered a request of the engine's own. */
export type AskOutcome =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: number | null; readonly message: string }
  | { readonly kind: 'timeout' }
  /** The client went away. */
  | { readonly kind: 'gone' };

interface Ask {
  readonly settle: (outcome: AskOutcome) => void;
  readonly timer: NodeJS.Timeout;
}

/** Requests of the engine's own are numbered from 0 through all clients of the process. ACC-11 */
let nextAskId = 0;

type State = 'opening' | 'awaitingInitialize' | 'initializing' | 'initialized' | 'closed';

/**
 * One client's conversation, whatever it came over: the engine answers its own methods, everything else goes to
 * the app server untouched and in order, both ways. Messages wait here while the app server is not ready, never
 * without a bound.
 */
export class ClientSession implements AppServerEvents {
  readonly client: ClientContext;
  readonly #options: SessionOptions;
  #state: State = 'opening';
  #connection: AppServerConnection | undefined;
  #blocked = false;
  #paused = false;
  #waiting: Message[] = [];
  #waitingRequests = 0;
  #waitingChars = 0;
  #held = false;
  #initializeId: RpcId | undefined;
  #optOut: ReadonlySet<string> = new Set();
  #experimental = false;
  #clientName: string | undefined;
  #ownRequests = 0;
  readonly #asks = new Map<RpcId, Ask>();
  /** Requests of ours that were given up: their answers may still come and are for nobody else's eyes. */
  readonly #givenUp = new Set<RpcId>();
  /** Messages of the app server that wait because one of them has the id of a request of ours. */
  #heldBack: Message[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
    this.client = options.client;
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
    const connection = this.#options.appServer.openNow?.(this, this.client);
    if (connection === undefined) return false;
    this.#opened(connection);
    return true;
  }

  /** Opens the app-server connection; what came meanwhile is handled then. Rejects when it cannot be opened. */
  async open(signal: AbortSignal): Promise<void> {
    const connection = await this.#options.appServer.open(this, this.client, signal);
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
    if (this.#state !== 'initialized' || this.#optOut.has(method)) return;
    this.#options.transport.send(JSON.stringify({ method, params, emittedAtMs: Date.now() }));
  }

  /**
   * Asks the client itself. A late or second answer, and one to an unknown id, is ignored. Never opted out of.
   * ACC-10, ACC-45
   */
  ask(method: string, params: unknown, limitMs: number): Promise<AskOutcome> {
    if (this.#state !== 'initialized') return Promise.resolve({ kind: 'gone' });
    const id = nextAskId;
    nextAskId += 1;
    return new Promise((resolve) => {
      const settle = (outcome: AskOutcome): void => {
        clearTimeout(timer);
        this.#asks.delete(id);
        resolve(outcome);
        if (this.#asks.size === 0) this.#letGo();
      };
      const timer = setTimeout(() => {
        this.#givenUp.add(id);
        settle({ kind: 'timeout' });
      }, limitMs);
      this.#asks.set(id, { settle, timer });
      this.#options.transport.send(JSON.stringify({ method, id, params }));
    });
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
    this.#waiting = [];
    this.#heldBack = [];
    this.#setHeld(false);
    for (const ask of [...this.#asks.values()]) ask.settle({ kind: 'gone' });
    this.#connection?.close();
    this.#connection = undefined;
    this.#options.onEnded(this);
  }

  // --- from the app server

  onMessage(message: Message): void {
    if (this.#state === 'closed') return;
    if (this.#state !== 'initializing') {
      const inspected = this.#asks.size > 0 || this.#givenUp.size > 0;
      if (inspected && this.#mustHoldBack(message)) this.#heldBack.push(message);
      else this.#options.transport.send(message.text);
      return;
    }
    const { shape } = message;
    this.#options.transport.send(message.text);
    if (shape.kind !== 'response' || shape.id !== this.#initializeId) return;
    if (isRecord(message.value) && 'error' in message.value) {
      // A failed initialize does not count. ACC-4
      this.#state = 'awaitingInitialize';
    } else {
      this.#state = 'initialized';
      this.#options.onInitialized(this);
    }
    this.#takeWaiting();
  }

  onDrain(): void {
    this.#setBlocked(false);
    this.#takeWaiting();
  }

  onClose(failure: Failure | null): void {
    if (this.#state === 'closed') return;
    this.#connection = undefined;
    this.close();
    this.#options.transport.onSessionClosed(failure);
  }

  // --- inside

  get #mustWait(): boolean {
    return (
      this.#waiting.length > 0 || this.#blocked || this.#state === 'opening' || this.#state === 'initializing'
    );
  }

  #keepWaiting(message: Message): boolean {
    const { shape } = message;
    if (shape.kind === 'request' && this.#waitingRequests >= MAX_WAITING_REQUESTS) {
      this.#answer(errorText(shape.id, RPC.overloaded, 'Server overloaded; retry later.'));
      return true;
    }
    this.#waitingChars += message.text.length;
    if (this.#waitingChars > MAX_WAITING_CHARS) return false;
    if (shape.kind === 'request') this.#waitingRequests += 1;
    this.#waiting.push(message);
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
        if (this.#options.policy(shape.method, this.client) === null) this.#forward(message);
        return;
      case 'response':
        if (this.#state === 'initialized' && !this.#takeAnswer(shape.id, message)) this.#forward(message);
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
    const refusal = this.#options.policy(method, this.client);
    if (refusal !== null) {
      this.#answer(errorText(id, RPC.refusedByPolicy, refusal));
      return;
    }
    const own = this.#options.methods.find(method);
    if (own === undefined) {
      this.#forward(message);
      return;
    }
    if (own.experimental && !this.#experimental && this.client.origin !== 'control') {
      this.#answer(errorText(id, RPC.invalidRequest, `${method} requires experimentalApi capability`));
      return;
    }
    if (this.#ownRequests >= MAX_WAITING_REQUESTS) {
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

  /** True when it answers a request of the engine's own, or one that nobody waits for any more. */
  #takeAnswer(id: RpcId | null, message: Message): boolean {
    if (id === null) return false;
    const ask = this.#asks.get(id);
    if (ask === undefined) return this.#givenUp.delete(id);
    const { value } = message;
    if (!isRecord(value)) return false;
    const { error } = value;
    if (error === undefined) ask.settle({ kind: 'result', value: value.result });
    else {
      const { code, message: words } = isRecord(error) ? error : {};
      ask.settle({
        kind: 'error',
        code: typeof code === 'number' ? code : null,
        message: typeof words === 'string' ? words : '',
      });
    }
    return true;
  }

  /** A request of the app server with an id that we use, too, would get our answer: it and what follows waits. */
  #mustHoldBack(message: Message): boolean {
    if (this.#heldBack.length > 0) return true;
    const { shape } = message;
    if (shape.kind !== 'request') return false;
    // From now on an answer with this id is the app server's.
    this.#givenUp.delete(shape.id);
    return this.#asks.has(shape.id);
  }

  #letGo(): void {
    const held = this.#heldBack;
    this.#heldBack = [];
    for (const message of held) this.onMessage(message);
  }

  #initialize(id: RpcId, params: unknown, message: Message): void {
    if (this.#state === 'initialized') {
      this.#answer(errorText(id, RPC.invalidRequest, 'Already initialized'));
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
    if (this.#state !== 'closed') this.#options.transport.send(text);
  }

  #setBlocked(blocked: boolean): void {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    this.#options.transport.onBlocked(blocked);
  }

  #setHeld(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    this.#options.transport.onHeld(held);
  }
}

function faultText(id: RpcId, error: unknown): string {
  if (error instanceof RpcFault) return errorText(id, error.code, error.message, error.data);
  return errorText(id, RPC.internalError, error instanceof Error ? error.message : 'internal error');
}

/** Reason shown when a session ended from the app server's side. */
export const sessionReason = (failure: Failure | null): Reason => failure?.reason ?? 'appServerClosed';
