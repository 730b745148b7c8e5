import { isRecord, type RpcId } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';

/** How a client answered a request of the engine's own. */
export type ServerRequestOutcome =
  | { readonly kind: 'result'; readonly value: unknown }
  | { readonly kind: 'error'; readonly code: number | null; readonly message: string }
  | { readonly kind: 'timeout' }
  /** The client went away. */
  | { readonly kind: 'gone' };

interface Ask {
  readonly settle: (outcome: ServerRequestOutcome) => void;
}

/**
 * Requests of the engine's own are numbered through all clients of the process: from 0 where nobody else asks the
 * client anything (ACC-11), else far above the numbers of its app server, which counts from 0 as well. A late answer
 * to a request that was given up would be taken for an answer to the app server otherwise.
 */
let nextId = 0;
export const FIRST_BESIDE_OTHERS = 1_000_000_000;
let nextIdBesideOthers = FIRST_BESIDE_OTHERS;

/**
 * The engine's own requests to one client, kept apart from those of its app server: both number as they like, and
 * each must get its own answer. Most clients are never asked anything, so a session makes this when it first asks.
 */
export class ServerRequests {
  readonly #open = new Map<RpcId, Ask>();
  /** Given up: their answers may still come and are for nobody else's eyes. */
  readonly #givenUp = new Set<RpcId>();
  /** Ids in our range that the app server uses at present. */
  readonly #theirs = new Set<RpcId>();
  /** Messages of the app server that wait because one of them has the id of a request of ours. */
  #heldBack: Message[] = [];
  readonly #alone: boolean;
  readonly #onLetGo: (held: readonly Message[]) => void;

  /**
   * @param alone Nobody else asks this client anything.
   * @param onLetGo Gets the messages held back, in order, when no id of ours is in their way any more.
   */
  constructor(alone: boolean, onLetGo: (held: readonly Message[]) => void) {
    this.#alone = alone;
    this.#onLetGo = onLetGo;
  }

  /** Sends one request and waits for its answer, `limitMs` at most. A late or second answer is ignored. ACC-45 */
  ask(
    send: (text: string) => void,
    method: string,
    params: unknown,
    limitMs: number,
  ): Promise<ServerRequestOutcome> {
    const id = this.#nextId();
    return new Promise((resolve) => {
      const settle = (outcome: ServerRequestOutcome): void => {
        clearTimeout(timer);
        this.#open.delete(id);
        resolve(outcome);
        if (this.#open.size === 0) this.#letGo();
      };
      const timer = setTimeout(() => {
        this.#givenUp.add(id);
        settle({ kind: 'timeout' });
      }, limitMs);
      this.#open.set(id, { settle });
      send(JSON.stringify({ method, id, params }));
    });
  }

  /** True when it answers a request of ours, or one that nobody waits for any more. */
  takeAnswer(id: RpcId | null, message: Message): boolean {
    if (id === null || this.#theirs.delete(id)) return false;
    const ask = this.#open.get(id);
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

  /**
   * True when a message of the app server has to wait: a request with an id that we use would get our answer, so it
   * and what follows it is kept until ours has its own.
   */
  holdsBack(message: Message): boolean {
    if (this.#open.size === 0 && this.#givenUp.size === 0) return false;
    if (!this.#mustHoldBack(message)) return false;
    this.#heldBack.push(message);
    return true;
  }

  #mustHoldBack({ shape }: Message): boolean {
    if (this.#heldBack.length > 0) return true;
    if (shape.kind !== 'request') return false;
    // From now on an answer with this id is the app server's.
    this.#givenUp.delete(shape.id);
    return this.#open.has(shape.id);
  }

  /** The client is gone: whoever waits is told, and what was held back has no reader. */
  close(): void {
    this.#heldBack = [];
    for (const ask of [...this.#open.values()]) ask.settle({ kind: 'gone' });
  }

  isOpen(id: RpcId): boolean {
    return this.#open.has(id);
  }

  /** A request of the app server is on its way to the client: its id is not ours while it is open. */
  noteTheirs(id: RpcId): void {
    this.#theirs.add(id);
  }

  #nextId(): number {
    if (this.#alone) {
      nextId += 1;
      return nextId - 1;
    }
    while (this.#theirs.has(nextIdBesideOthers)) nextIdBesideOthers += 1;
    nextIdBesideOthers += 1;
    return nextIdBesideOthers - 1;
  }

  #letGo(): void {
    const held = this.#heldBack;
    this.#heldBack = [];
    if (held.length > 0) this.#onLetGo(held);
  }
}
