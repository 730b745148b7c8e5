import { isRpcId, RPC } from './jsonrpc.js';
import { Message } from './message.js';

/**
 * The outside of a message that is too large to be held: its id and its kind. Its sender or its reader waits for an
 * answer, so the id must be found, also behind huge params.
 */
export interface Envelope {
  readonly kind: 'request' | 'response';
  /** The id as JSON text, as written: large integers keep their digits. */
  readonly id: string;
}

/** The error that takes the place of a response which was too large. @param id as JSON text */
export const tooLargeResponse = (id: string, why: string): Message =>
  Message.from(`{"id":${id},"error":${JSON.stringify({ code: RPC.messageTooLarge, message: why })}}`);

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Longest name or id that is read, bytes, quotes included. */
const MAX_TOKEN_BYTES = 1_024;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0d || byte === 0x09 || byte === 0x0a;

/**
 * Reads a message part by part and keeps only the top-level names and the id. It checks the brackets, not every value:
 * nothing of the message is passed on.
 */
export class EnvelopeScan {
  /** Levels of objects and arrays that are open. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  /** At the top level, what the next string or value is. */
  #expects: 'name' | 'value' = 'name';
  #token: number[] = [];
  #tokenTooLong = false;
  #name: string | undefined;
  #id: string | undefined;
  #hasMethod = false;
  #answers = false;
  #broken = false;
  #complete = false;
  #bytes = 0;

  feed(part: Buffer): void {
    for (let at = 0; at < part.length && !this.#broken; at += 1) {
      if (this.#inString && !this.#escaped && (this.#depth > 1 || this.#tokenTooLong)) {
        at = this.#skipString(part, at);
        if (at >= part.length) return;
      }
      this.#byte(part[at] ?? 0);
      this.#bytes += 1;
    }
  }

  /** Undefined when it is not one object, has no id that can be answered, or could be read as another message. */
  get envelope(): Envelope | undefined {
    const id = this.#id;
    if (this.#broken || !this.#complete || id === undefined || this.#hasMethod === this.#answers)
      return undefined;
    return { kind: this.#hasMethod ? 'request' : 'response', id };
  }

  /** Index of the next byte that matters inside a string whose text is not kept. */
  #skipString(part: Buffer, from: number): number {
    let at = from;
    while (at < part.length && part[at] !== QUOTE && part[at] !== BACKSLASH) at += 1;
    return at;
  }

  #byte(byte: number): void {
    if (this.#inString) {
      this.#inside(byte);
      return;
    }
    if (isSpace(byte)) return;
    if (this.#depth === 0) {
      this.#outside(byte);
      return;
    }
    switch (byte) {
      case QUOTE:
        this.#inString = true;
        if (this.#depth === 1) this.#keep(byte);
        return;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        if (this.#depth === 1) {
          if (this.#expects === 'name') this.#broken = true;
          // An id that is an object or an array cannot be answered.
          this.#keep(byte);
        }
        this.#depth += 1;
        return;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        if (this.#depth === 1) {
          this.#endMember();
          if (byte === CLOSE_BRACKET) this.#broken = true;
          this.#complete = true;
        }
        this.#depth -= 1;
        return;
      default:
        if (this.#depth === 1) this.#atTop(byte);
    }
  }

  #inside(byte: number): void {
    if (this.#depth === 1) this.#keep(byte);
    if (this.#escaped) this.#escaped = false;
    else if (byte === BACKSLASH) this.#escaped = true;
    else if (byte === QUOTE) this.#inString = false;
  }

  /** Before the object, or after it. */
  #outside(byte: number): void {
    if (byte === OPEN_BRACE && !this.#complete) this.#depth = 1;
    else if (this.#complete || byte !== BYTE_ORDER_MARK[this.#bytes]) this.#broken = true;
  }

  #atTop(byte: number): void {
    if (byte === COLON && this.#expects === 'name') {
      this.#name = this.#takeToken();
      this.#expects = 'value';
    } else if (byte === COMMA) this.#endMember();
    else this.#keep(byte);
  }

  #endMember(): void {
    const name = this.#name;
    const value = this.#takeToken();
    this.#name = undefined;
    this.#expects = 'name';
    switch (nameOf(name)) {
      case 'id':
        // Readers differ in which of two ids they take.
        if (this.#id !== undefined || !isId(value)) this.#broken = true;
        this.#id = value;
        return;
      case 'method':
        this.#hasMethod = true;
        return;
      case 'result':
      case 'error':
        this.#answers = true;
        return;
      case undefined:
        // Another reader could take it for one of these.
        this.#broken = true;
        return;
    }
  }

  #keep(byte: number): void {
    if (this.#token.length < MAX_TOKEN_BYTES) this.#token.push(byte);
    else this.#tokenTooLong = true;
  }

  #takeToken(): string {
    const text = this.#tokenTooLong ? '' : Buffer.from(this.#token).toString();
    this.#token = [];
    this.#tokenTooLong = false;
    return text;
  }
}

const MEMBERS = new Set(['id', 'method', 'result', 'error']);

/** A member as it is read, without escapes. Undefined: one of a message in another case, or a name that is not a string. */
function nameOf(written: string | undefined): string | undefined {
  if (written === undefined || written === '') return '';
  try {
    const name = written.includes('\\') ? String(JSON.parse(written)) : written.slice(1, -1);
    const folded = name.toUpperCase().toLowerCase();
    return name !== folded && MEMBERS.has(folded) ? undefined : name;
  } catch {
    return undefined;
  }
}

function isId(text: string): boolean {
  if (!/^["\d-]/.test(text)) return false;
  try {
    return isRpcId(JSON.parse(text));
  } catch {
    return false;
  }
}
