import { withoutByteOrderMark } from './byte-order-mark.js';
import { memberText } from './json-members.js';
import { type InvalidShape, isRpcId, parseId, type RpcShape } from './jsonrpc.js';
import { MAX_DEPTH, type MessageScan, type ScanProblem, scanMessage, unquoted } from './message-scan.js';

/**
 * One JSON-RPC message between a client and an app server. Its text is passed on unchanged. Id, method and kind are
 * read from the text; the rest is parsed only when the engine itself needs it.
 */
export class Message {
  #text: string | (() => string);
  #scan: MessageScan | null | undefined;
  #problem: ScanProblem | undefined;
  #shape: RpcShape | undefined;

  private constructor(text: string | (() => string)) {
    this.#text = text;
  }

  /** From a value. */
  static of(value: unknown): Message {
    return new Message(() => JSON.stringify(value));
  }

  /**
   * From text that another program wrote, without a byte order mark in front of it. A text that is not a JSON-RPC message
   * has the shape `invalid`. RC-71
   */
  static from(text: string | (() => string)): Message {
    return new Message(
      typeof text === 'string' ? withoutByteOrderMark(text) : () => withoutByteOrderMark(text()),
    );
  }

  /** A request that nobody has read: its sender gets an error with this reason. @param id as JSON text */
  static refused(id: string, why: string): Message {
    const message = new Message(`{"id":${id},"method":""}`);
    const { shape } = message;
    message.#shape = shape.kind === 'request' ? { kind: 'invalid', refused: { id: shape.id, why } } : INVALID;
    return message;
  }

  /** The message as JSON text. */
  get text(): string {
    if (typeof this.#text !== 'string') this.#text = this.#text();
    return this.#text;
  }

  /** Request, notification or response, with its id and method. */
  get shape(): RpcShape {
    this.#shape ??= this.#readShape();
    return this.#shape;
  }

  /** Why another JSON reader could see another message in the text; null: none could. */
  get ambiguous(): string | null {
    return this.#scanned()?.ambiguous ?? null;
  }

  /** Levels of objects and arrays, the message itself included. */
  get depth(): number {
    return this.#scanned()?.depth ?? 0;
  }

  /** The parsed params; undefined when there are none. */
  get params(): unknown {
    const span = this.#scanned()?.params;
    return span === undefined ? undefined : JSON.parse(this.text.slice(span.start, span.end));
  }

  /** The whole message, parsed. Undefined when the text is not a JSON object. */
  get value(): unknown {
    return this.#scanned() === null ? undefined : JSON.parse(this.text);
  }

  /** True for a response that reports an error. */
  get isError(): boolean {
    return this.#scanned()?.hasError === true;
  }

  /** True when its sender writes the `jsonrpc` member, and so expects it in what it gets. WSA-42 */
  get hasJsonrpc(): boolean {
    return this.#scanned()?.hasJsonrpc === true;
  }

  #scanned(): MessageScan | null {
    if (this.#scan === undefined) {
      const scan = scanMessage(this.text);
      this.#scan = typeof scan === 'string' ? null : scan;
      this.#problem = typeof scan === 'string' ? scan : undefined;
    }
    return this.#scan;
  }

  #readShape(): RpcShape {
    const scan = this.#scanned();
    if (scan === null) {
      if (this.#problem === 'tooDeep') return this.#refusedAsTooDeep();
      return this.#problem === 'notAnObject' && /^\s*\[/.test(this.text) ? BATCH : INVALID;
    }
    const id = scan.id === undefined ? undefined : this.#scalar(scan.id);
    const method = scan.method === undefined ? undefined : this.#scalar(scan.method);
    const answers = scan.hasResult || scan.hasError;
    if (typeof method === 'string') {
      // A request that is also a response could be read as either.
      if (answers) return INVALID;
      if (id === undefined) return { kind: 'notification', method };
      return isRpcId(id) ? { kind: 'request', id, method } : INVALID;
    }
    if (method === undefined && answers && (isRpcId(id) || id === null)) return { kind: 'response', id };
    return INVALID;
  }

  /** A string, an id, or null; an object for anything else. */
  #scalar({ start, end }: { readonly start: number; readonly end: number }): unknown {
    const { text } = this;
    const first = text[start];
    if (first === '"') return unquoted(text, start, end);
    if (first === 'n') return null;
    // Anything else is an id or nothing that a message may have here.
    return parseId(text.slice(start, end)) ?? INVALID;
  }

  /** Its sender waits for a response, so it gets one if its id can be read. */
  #refusedAsTooDeep(): InvalidShape {
    const written = memberText(this.text, 'id');
    const id = written === undefined ? undefined : parseId(written);
    if (id === undefined) return INVALID;
    return { kind: 'invalid', refused: { id, why: `the message has more than ${MAX_DEPTH} levels` } };
  }
}

const INVALID: InvalidShape = { kind: 'invalid' };
const BATCH: InvalidShape = { kind: 'invalid', batch: true };
