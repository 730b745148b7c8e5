import { isRecord, RPC, type RpcId } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';

/** Largest response that is parsed, in UTF-16 units. */
const MAX_RESPONSE_CHARS = 1024 * 1024;
const TOO_LARGE = { error: { code: RPC.invalidRequest, message: 'the response is too large' } };

/** How a server-initiated request ended. */
export type ServerRequestOutcome =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: number | null; readonly message: string }
  | { readonly kind: 'timeout' }
  /** The client disconnected. */
  | { readonly kind: 'gone' };

type Settle = (outcome: ServerRequestOutcome) => void;

/**
 * Ids are unique over all clients of the process, because a late response must not be taken for a response to another
 * request. They start at 0 where the app server sends no requests (ACC-11), else far above its ids, which start at 0.
 */
let nextId = 0;
export const FIRST_SHARED_ID = 1_000_000_000;
let nextSharedId = FIRST_SHARED_ID;

/**
 * Server-initiated requests of the engine to one client. The app server also sends requests to that client and chooses
 * their ids freely, so this keeps the two apart. Sessions create it for their first request, as most need none.
 */
export class ServerRequests {
  readonly #pending = new Map<RpcId, Settle>();
  /** A late response to one of these is dropped: it must not reach the app server. */
  readonly #timedOut = new Set<RpcId>();
  /** Ids in our range that requests of the app server use at present. */
  readonly #appServerIds = new Set<RpcId>();
  /** Messages of the app server that wait because the first of them has the id of a pending request of ours. */
  #deferred: Message[] = [];
  readonly #exclusive: boolean;
  readonly #onRelease: (deferred: readonly Message[]) => void;

  /**
   * @param exclusive The app server sends no requests, so the ids need not avoid its ids.
   * @param onRelease Receives the deferred messages, in order, when no pending id is in their way any more.
   */
  constructor(exclusive: boolean, onRelease: (deferred: readonly Message[]) => void) {
    this.#exclusive = exclusive;
    this.#onRelease = onRelease;
  }

  /** Sends one request and waits for the response, `timeoutMs` at most. Late and repeated responses are ignored. ACC-45 */
  send(
    write: (text: string) => void,
    method: string,
    params: unknown,
    timeoutMs: number,
  ): Promise<ServerRequestOutcome> {
    const id = this.#nextId();
    return new Promise((resolve) => {
      const settle: Settle = (outcome) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        resolve(outcome);
        if (this.#pending.size === 0) this.#release();
      };
      const timer = setTimeout(() => {
        this.#timedOut.add(id);
        settle({ kind: 'timeout' });
      }, timeoutMs);
      this.#pending.set(id, settle);
      write(JSON.stringify({ method, id, params }));
    });
  }

  /** True for a response to a request of ours, pending or timed out. */
  takeResponse(id: RpcId | null, message: Message): boolean {
    if (id === null || this.#appServerIds.delete(id)) return false;
    const settle = this.#pending.get(id);
    if (settle === undefined) return this.#timedOut.delete(id);
    const value = message.text.length > MAX_RESPONSE_CHARS ? TOO_LARGE : message.value;
    if (!isRecord(value)) return false;
    const { error } = value;
    if (error === undefined) settle({ kind: 'result', value: value.result });
    else {
      const { code, message: text } = isRecord(error) ? error : {};
      settle({
        kind: 'error',
        code: typeof code === 'number' ? code : null,
        message: typeof text === 'string' ? text : '',
      });
    }
    return true;
  }

  /**
   * Defers a message of the app server: a request with the id of a pending request of ours, and everything after it,
   * until ours has its response. False: the message may be sent now.
   */
  defer(message: Message): boolean {
    if (this.#pending.size === 0 && this.#timedOut.size === 0) return false;
    if (!this.#mustDefer(message)) return false;
    this.#deferred.push(message);
    return true;
  }

  #mustDefer({ shape }: Message): boolean {
    if (this.#deferred.length > 0) return true;
    if (shape.kind !== 'request') return false;
    // From now on a response with this id belongs to the app server.
    this.#timedOut.delete(shape.id);
    return this.#pending.has(shape.id);
  }

  /** The client has disconnected: pending requests end as `gone`, deferred messages are dropped. */
  close(): void {
    this.#deferred = [];
    for (const settle of [...this.#pending.values()]) settle({ kind: 'gone' });
  }

  isPending(id: RpcId): boolean {
    return this.#pending.has(id);
  }

  /** A request of the app server uses this id, so ours must not until the client has responded to it. */
  reserve(id: RpcId): void {
    this.#appServerIds.add(id);
  }

  #nextId(): number {
    if (this.#exclusive) {
      nextId += 1;
      return nextId - 1;
    }
    while (this.#appServerIds.has(nextSharedId)) nextSharedId += 1;
    nextSharedId += 1;
    return nextSharedId - 1;
  }

  #release(): void {
    const deferred = this.#deferred;
    this.#deferred = [];
    if (deferred.length > 0) this.#onRelease(deferred);
  }
}
