import { type RpcShape, shapeOf } from './jsonrpc.js';

/** The usual beginning of a response. */
const RESPONSE = /^\{\s*"id"\s*:\s*(?:-?\d+|"[^"\\]*")\s*,\s*"(?:result|error)"\s*:/;

/**
 * One JSON-RPC message between a client and an app server. Its text is passed on unchanged; the parsed value is for
 * routing. A message is created from one of the two, and makes the other on demand.
 */
export class Message {
  #text: string | (() => string) | undefined;
  #value: unknown;
  #parsed: boolean;
  #shape: RpcShape | undefined;

  private constructor(text: string | (() => string) | undefined, value: unknown, parsed: boolean) {
    this.#text = text;
    this.#value = value;
    this.#parsed = parsed;
  }

  /** From a parsed value. `text` may be a function when the text is expensive to produce and may not be needed. */
  static parsed(value: unknown, text?: string | (() => string)): Message {
    return new Message(text, value, true);
  }

  /** From received text. Undefined when it is not JSON. */
  static fromText(text: string): Message | undefined {
    try {
      return new Message(text, JSON.parse(text), true);
    } catch {
      return undefined;
    }
  }

  /** From text that may not have to be parsed. */
  static written(text: string): Message {
    return new Message(text, undefined, false);
  }

  /** The message as JSON text. */
  get text(): string {
    if (typeof this.#text === 'string') return this.#text;
    this.#text = this.#text === undefined ? JSON.stringify(this.#value) : this.#text();
    return this.#text;
  }

  /** The parsed message. Undefined when the text is not JSON. */
  get value(): unknown {
    if (!this.#parsed) {
      this.#parsed = true;
      try {
        this.#value = JSON.parse(this.text);
      } catch {
        this.#value = undefined;
      }
    }
    return this.#value;
  }

  /**
   * False when the text shows, without parsing, that the message is not a request or notification with `word` in its
   * method. Most messages of an app server are not parsed because of it. True says nothing.
   */
  mayCall(word: string): boolean {
    if (this.#parsed) return this.shape.kind === 'request' || this.shape.kind === 'notification';
    const { text } = this;
    if (RESPONSE.test(text)) return false;
    return text.includes(word) || (text.includes('"method"') && text.includes('"id"'));
  }

  /** Request, notification or response, with its id and method. */
  get shape(): RpcShape {
    this.#shape ??= shapeOf(this.value);
    return this.#shape;
  }
}
