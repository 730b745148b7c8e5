import { type RpcShape, shapeOf } from './jsonrpc.js';

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

  /** From text that this program wrote and nobody needs to parse. */
  static written(text: string): Message {
    return new Message(text, undefined, false);
  }

  get text(): string {
    if (typeof this.#text === 'string') return this.#text;
    this.#text = this.#text === undefined ? JSON.stringify(this.#value) : this.#text();
    return this.#text;
  }

  get value(): unknown {
    if (!this.#parsed) {
      this.#value = JSON.parse(this.text);
      this.#parsed = true;
    }
    return this.#value;
  }

  get shape(): RpcShape {
    this.#shape ??= shapeOf(this.value);
    return this.#shape;
  }
}
