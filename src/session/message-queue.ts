import type { RpcId } from '../protocol/jsonrpc.js';
import type { Message } from '../protocol/message.js';

/** Requests that may wait for one client; one more gets an overload error. WSA-24 */
export const MAX_QUEUED_REQUESTS = 128;
/** UTF-16 units above which reading from the client is paused until the queue is empty. */
const READ_PAUSE_CHARS = 4 * 1024 * 1024;
/** UTF-16 units beside the longest message above which the client is closed. */
const MAX_QUEUED_CHARS = 32 * 1024 * 1024;

/** What a queued message costs beside its text, in UTF-16 units. */
const MESSAGE_CHARS = 128;

/** Messages of one client that wait for its app server, in order and with limits. */
export class MessageQueue {
  readonly #messages: Message[] = [];
  #requests = 0;
  #chars = 0;
  /** Of the longest message since the queue was last empty. */
  #longest = 0;

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  get hasMaxRequests(): boolean {
    return this.#requests >= MAX_QUEUED_REQUESTS;
  }

  /** UTF-16 units of what waits. */
  get chars(): number {
    return this.#chars;
  }

  /** So much waits that nothing more should be read from the client. */
  get needsReadPause(): boolean {
    return this.#chars > READ_PAUSE_CHARS;
  }

  /** False: the message does not fit, and the client must be closed. */
  push(message: Message): boolean {
    const added = message.text.length + MESSAGE_CHARS;
    const chars = this.#chars + added;
    if (this.isEmpty) this.#longest = 0;
    const longest = Math.max(this.#longest, added);
    // One message always fits: the limit counts what waits beside it. RC-85
    if (chars - longest > MAX_QUEUED_CHARS) return false;
    this.#chars = chars;
    this.#longest = longest;
    if (message.shape.kind === 'request') this.#requests += 1;
    this.#messages.push(message);
    return true;
  }

  /** The ids of the requests, in order. */
  get requestIds(): readonly RpcId[] {
    return this.#messages.flatMap(({ shape }) => (shape.kind === 'request' ? [shape.id] : []));
  }

  get hasInitialize(): boolean {
    return this.#messages.some(({ shape }) => shape.kind === 'request' && shape.method === 'initialize');
  }

  shift(): Message | undefined {
    const message = this.#messages.shift();
    if (message === undefined) return undefined;
    this.#chars -= message.text.length + MESSAGE_CHARS;
    if (message.shape.kind === 'request') this.#requests -= 1;
    return message;
  }
}
