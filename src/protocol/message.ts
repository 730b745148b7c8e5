import { type RpcShape, shapeOf } from './jsonrpc.js';

/** How a response begins, as everybody writes it. */
const RESPONSE = /^\{\s*"id"\s*:\s*(?:-?\d+|"[^"\\]*")\s*,\s*"(?:result|error)"\s*:/;

/**
 * One JSON-RPC message on its way between a client and an app server. The text is carried untouched; the
 * parsed value serves routing. Whoever has only one of the two gives that, and the other is made on demand.
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

  /** From text that has been parsed already, or whose text is costly to cut out and may never be asked for. */
  static parsed(value: unknown, text?: string | (() => string)): Message {
    return new Message(text, value, true);
  }

  /** From text as it came. Undefined when it is not JSON. */
  static fromText(text: string): Message | undefined {
    try {
      return new Message(text, JSON.parse(text), true);
    } catch {
      return undefined;
    }
  }

  /** From text that nobody has parsed and perhaps nobody needs to. */
  static written(text: string): Message {
    return new Message(text, undefined, false);
  }

  get text(): string {
    if (typeof this.#text === 'string') return this.#text;
    this.#text = this.#text === undefined ? JSON.stringify(this.#value) : this.#text();
    return this.#text;
  }

  /** Undefined for text that is no JSON. */
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
   * False when a look at the text tells that it is neither a request nor a notification whose method holds `word`.
   * Spares most messages of an app server the parser; true says nothing.
   */
  mayCall(word: string): boolean {
    if (this.#parsed) return this.shape.kind === 'request' || this.shape.kind === 'notification';
    const { text } = this;
    if (RESPONSE.test(text)) return false;
    return text.includes(word) || (text.includes('"method"') && text.includes('"id"'));
  }

  get shape(): RpcShape {
    this.#shape ??= shapeOf(this.value);
    return this.#shape;
  }
}
