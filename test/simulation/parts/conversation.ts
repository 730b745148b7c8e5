/**
 * The JSON-RPC conversation of one client over one open connection. It notices each message that is lost, doubled, out
 * of order or for another client.
 */
import { isRecord } from '../../../src/protocol/jsonrpc.js';
import { Violation } from '../world/violation.js';

interface Pending {
  readonly method: string;
  readonly value: string;
  readonly sentAt: number;
  /** Notifications that must come before the response. */
  readonly count: number;
  counted: number;
  /** The answer must repeat the value. */
  readonly expects: boolean;
  /** Called when there is a result. */
  readonly onDone: () => void;
}

export interface ConversationDeps {
  readonly name: string;
  readonly now: () => number;
  readonly send: (text: string) => void;
  readonly say: (event: string) => void;
  readonly fail: (violation: Violation) => void;
}

/** Longer than the engine may be stopped, ms. */
const REFUSAL_TIME = 25_000;

const INVARIANT = 'no message is lost, doubled or reordered';

export class Conversation {
  readonly #deps: ConversationDeps;
  readonly #pending = new Map<number, Pending>();
  #next = 1;
  #notes = 0;
  #lastAnswered = 0;
  answered = 0;
  /** The connection is gone, and with it the claim to an answer. */
  #closed = false;

  constructor(deps: ConversationDeps) {
    this.#deps = deps;
  }

  /** When the oldest request without an answer was sent; undefined: all are answered. */
  get oldest(): { readonly sentAt: number; readonly value: string } | undefined {
    for (const pending of this.#pending.values()) return pending;
    return undefined;
  }

  initialize(): void {
    this.#request('initialize', 'initialize', {
      clientInfo: { name: this.#deps.name, version: '1' },
      capabilities: { experimentalApi: true },
    });
  }

  /** A method of the engine itself. */
  logout(onDone: () => void): void {
    this.#request('account/logout', 'logout', {}, 0, onDone);
  }

  echo(value: string): void {
    this.#request('echo', value, { value });
  }

  /** Many requests at once: what does not fit gets an error. */
  burst(next: () => string, count: number): void {
    for (let index = 0; index < count; index += 1) this.echo(next());
  }

  /** A large request is sent in chunks, too. */
  upload(value: string, bytes: number): void {
    this.#request('echo', value, { value, filler: 'z'.repeat(bytes) });
  }

  /** Requests that wait behind `initialize`, for longer than the engine needs to refuse them. */
  get waitingForInitialize(): number {
    const first = this.#pending.get(1);
    if (first === undefined) return 0;
    let count = 0;
    for (const { sentAt } of this.#pending.values()) if (this.#deps.now() - sentAt > REFUSAL_TIME) count += 1;
    return count;
  }

  /** A large answer is sent in chunks. */
  large(value: string, bytes: number): void {
    this.#request('large', value, { value, bytes });
  }

  /** The answer follows `count` notifications. */
  count(value: string, count: number): void {
    this.#request('count', value, { value, count }, count);
  }

  /** A numbered notification to the app server. */
  note(connection: string, bytes = 0): void {
    this.#notes += 1;
    const params = { connection, index: this.#notes, filler: 'y'.repeat(bytes) };
    this.#deps.send(JSON.stringify({ method: 'note', params }));
  }

  #request(method: string, value: string, params: object, count = 0, onDone = (): void => {}): void {
    const id = this.#next;
    this.#next += 1;
    this.#pending.set(id, {
      method,
      value,
      count,
      counted: 0,
      expects: 'value' in params,
      onDone,
      sentAt: this.#deps.now(),
    });
    this.#deps.send(JSON.stringify({ id, method, params }));
  }

  receive(text: string): void {
    if (this.#closed) return;
    const message: unknown = JSON.parse(text);
    if (!isRecord(message)) this.#fail(`${this.#deps.name} got ${text.slice(0, 200)}`);
    else if (message.method === 'counted' && isRecord(message.params)) this.#onCounted(message.params);
    else if (typeof message.method === 'string' && 'id' in message)
      this.#onRequest(message.id, message.params);
    else if ('id' in message && message.method === undefined) this.#onAnswer(message);
  }

  close(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending.clear();
    this.#deps.say(`closed: ${why}`);
  }

  #onCounted({ value, index }: Readonly<Record<string, unknown>>): void {
    const request = [...this.#pending.values()].find(
      (pending) => pending.value === value && pending.count > 0,
    );
    if (request === undefined)
      this.#fail(`${this.#deps.name} got a notification of ${String(value)} after its end`);
    else if (index !== request.counted) {
      this.#fail(
        `${this.#deps.name} got notification ${String(index)} of ${request.value}, expected ${request.counted}`,
      );
    } else request.counted += 1;
  }

  #onRequest(id: unknown, params: unknown): void {
    this.#deps.send(JSON.stringify({ id, result: { answer: params } }));
  }

  #onAnswer(message: Readonly<Record<string, unknown>>): void {
    const id = Number(message.id);
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      this.#fail(`${this.#deps.name} got another answer to request ${id}`);
      return;
    }
    this.#pending.delete(id);
    this.answered += 1;
    if ('error' in message) {
      this.#deps.say(`${pending.value}: ${JSON.stringify(message.error)}`);
      return;
    }
    // An error may overtake, and so may an answer of the engine itself. The app server answers in order.
    if (pending.expects && id < this.#lastAnswered) {
      this.#fail(`${this.#deps.name} got the answer to ${id} after ${this.#lastAnswered}`);
    }
    if (pending.expects) this.#lastAnswered = id;
    const { result } = message;
    if (pending.expects && !(isRecord(result) && result.value === pending.value)) {
      this.#fail(`${this.#deps.name} got the answer of another request for ${pending.value}`);
    }
    if (pending.counted !== pending.count) {
      this.#fail(
        `${this.#deps.name} got ${pending.counted} of ${pending.count} notifications of ${pending.value}`,
      );
    }
    this.#deps.say(`${pending.value}: answered`);
    pending.onDone();
  }

  #fail(message: string): void {
    this.#deps.fail(new Violation(INVARIANT, message));
  }
}
