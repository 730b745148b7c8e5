import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { errorText, isSameId, RPC, type RpcId } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { type Failure, failure } from '../protocol/outcomes.js';

/** The engine restarts the children because the account has changed. */
const CAUSE = 'The account has changed, so the engine restarted the app server.';

/** Messages of a client that may wait for its new child. */
const MAX_WAITING = 1_000;

/**
 * Between the session of a client and its app server. When the account changes and the children are ended, it keeps the
 * end back until the client has its response. The client over stdio cannot connect again: it gets a new child, which
 * receives its `initialize` once more. ACC-102
 */
export class ClientGate implements AppServerConnection, AppServerEvents {
  readonly client: ClientContext;
  readonly #events: AppServerEvents;
  readonly #connect: AppServer['open'];
  readonly #isHolding: () => boolean;
  readonly #onGone: (gate: ClientGate) => void;
  readonly #abort = new AbortController();
  #connection: AppServerConnection | undefined;
  /** Its child has ended; undefined: it has not. */
  #held: Failure | null | undefined;
  /** Only over stdio: what a new child needs, and the requests without a response. */
  #initialize: Message | undefined;
  #initialized: Message | undefined;
  /** The client has a response to its `initialize`. */
  #served = false;
  #replayed: RpcId | undefined;
  readonly #open = new Map<string, RpcId>();
  #waiting: Message[] | undefined;
  #paused = false;
  /** The client sends nothing more: a new child must not wait for more either. */
  #inputEnded = false;

  constructor(
    events: AppServerEvents,
    client: ClientContext,
    deps: {
      /** Opens a connection to the app server, which has the account then. */
      readonly open: AppServer['open'];
      readonly isHolding: () => boolean;
      readonly onGone: (gate: ClientGate) => void;
    },
  ) {
    this.client = client;
    this.#events = events;
    this.#connect = deps.open;
    this.#isHolding = deps.isHolding;
    this.#onGone = deps.onGone;
  }

  async open(signal: AbortSignal): Promise<void> {
    this.#connection = await this.#connect(this, this.client, signal);
  }

  get ended(): Promise<unknown> | undefined {
    return this.#connection?.ended;
  }

  endInput(): boolean {
    this.#inputEnded = true;
    return this.#connection?.endInput?.() ?? false;
  }

  // --- from the session

  send(message: Message): boolean {
    if (this.#held !== undefined) {
      if (this.#served) this.#waiting ??= [];
      else this.#refuse(message);
    }
    if (this.#waiting !== undefined) {
      this.#waiting.push(message);
      return this.#waiting.length < MAX_WAITING;
    }
    if (this.#held !== undefined) return true;
    if (this.client.origin === 'stdio') this.#note(message);
    return this.#connection?.send(message) ?? true;
  }

  pause(): void {
    this.#paused = true;
    this.#connection?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#connection?.resume();
  }

  close(): void {
    this.#abort.abort();
    this.#connection?.close();
    this.#onGone(this);
  }

  // --- from the app server

  onMessage(message: Message): void {
    if (this.client.origin !== 'stdio' || !this.#takeResponse(message)) this.#events.onMessage(message);
  }

  onDrain(): void {
    if (this.#waiting === undefined) this.#events.onDrain();
  }

  onClose(failed: Failure | null): void {
    if (this.#abort.signal.aborted) return;
    if (this.#isHolding()) this.#held = failed;
    else this.#end(failed);
  }

  /** The client has its response. */
  release(): void {
    const failed = this.#held;
    if (failed === undefined) return;
    this.#held = undefined;
    if (this.#initialize === undefined) {
      this.#end(failed);
      return;
    }
    for (const id of this.#open.values()) this.#answer(id);
    this.#open.clear();
    if (this.#served) this.#waiting ??= [];
    void this.#reopen(this.#initialize);
  }

  async #reopen(initialize: Message): Promise<void> {
    try {
      await this.open(this.#abort.signal);
    } catch (error) {
      if (this.#abort.signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      this.#end(failure('appServerFailed', why, Date.now()));
      return;
    }
    if (this.#paused) this.#connection?.pause();
    // A client that has no response to its initialize yet gets this one.
    if (this.#served) this.#replayed = this.#initializeId;
    this.#connection?.send(initialize);
  }

  #useNewChild(answer: Message): void {
    if (answer.isError) {
      // The account has changed once more: this child ends as well, and the next one gets the initialize.
      if (this.#isHolding()) return;
      this.#end(failure('appServerFailed', 'The restarted app server refused initialize.', Date.now()));
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    if (this.#initialized !== undefined) this.#connection?.send(this.#initialized);
    let free = true;
    for (const message of waiting) free = this.send(message);
    if (free) this.#events.onDrain();
    if (this.#inputEnded) this.#connection?.endInput?.();
  }

  /** True for the response to the repeated `initialize`, which the client has had. */
  #takeResponse(message: Message): boolean {
    const { shape } = message;
    if (shape.kind !== 'response' || shape.id === null) return false;
    this.#open.delete(JSON.stringify(shape.id));
    const initialize = this.#initializeId;
    if (initialize !== undefined && isSameId(shape.id, initialize)) this.#served = true;
    if (this.#replayed === undefined || !isSameId(shape.id, this.#replayed)) return false;
    this.#replayed = undefined;
    this.#useNewChild(message);
    return true;
  }

  get #initializeId(): RpcId | undefined {
    const shape = this.#initialize?.shape;
    return shape?.kind === 'request' ? shape.id : undefined;
  }

  #note(message: Message): void {
    const { shape } = message;
    if (shape.kind === 'request') {
      if (shape.method === 'initialize') this.#initialize = message;
      else this.#open.set(JSON.stringify(shape.id), shape.id);
    } else if (shape.kind === 'notification' && shape.method === 'initialized') this.#initialized = message;
  }

  #refuse({ shape }: Message): void {
    if (shape.kind === 'request') queueMicrotask(() => this.#answer(shape.id));
  }

  #answer(id: RpcId): void {
    const text = errorText(id, RPC.appServerUnavailable, CAUSE, { reason: 'appServerRestarted' });
    this.#events.onMessage(Message.from(text));
  }

  #end(failed: Failure | null): void {
    this.#abort.abort();
    this.#onGone(this);
    this.#events.onClose(failed);
  }
}
