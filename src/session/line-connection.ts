import type { Readable, Writable } from 'node:stream';

export interface LineLimits {
  /** Longest line taken, bytes. A longer one is skipped and told to `onTooLong`. */
  readonly maxLineBytes: number;
}

export interface LineEvents {
  onLine(line: string): void;
  /** A line was over the limit and was skipped whole. */
  onTooLong(bytes: number): void;
  onDrain(): void;
  /** The other side has ended or broken, once. */
  onEnd(): void;
}

const NEWLINE = 0x0a;
const BREAK = /[\r\n]/;
const BREAKS = /[\r\n]+/g;
const DEFAULT_LIMITS: LineLimits = { maxLineBytes: 16 * 1024 * 1024 };

/** Text lines over a pair of byte streams: stdio, unix sockets, named pipes, children. One message a line. */
export class LineConnection {
  readonly #output: Writable;
  readonly #input: Readable;
  readonly #events: LineEvents;
  readonly #limits: LineLimits;
  #parts: Buffer[] = [];
  #held = 0;
  #skipping = false;
  #ended = false;
  #bytesIn = 0;

  constructor(input: Readable, output: Writable, events: LineEvents, limits: LineLimits = DEFAULT_LIMITS) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    this.#limits = limits;
    input.on('data', (chunk: Buffer) => this.#take(chunk));
    input.on('end', () => this.#end());
    input.on('close', () => this.#end());
    input.on('error', () => this.#end());
    output.on('error', () => this.#end());
    output.on('drain', () => this.#events.onDrain());
  }

  /**
   * Writes one line. A line break in JSON can only stand between its parts: it becomes a space, or else what
   * follows would be a message of its own that nobody has looked at. False: the other side is slow; wait for `onDrain`.
   */
  write(line: string): boolean {
    if (this.#ended || this.#output.destroyed) return true;
    return this.#output.write(`${BREAK.test(line) ? line.replace(BREAKS, ' ') : line}\n`);
  }

  /** Bytes written and not yet taken by the other side. */
  get bufferedAmount(): number {
    return this.#output.writableLength;
  }

  get bytesIn(): number {
    return this.#bytesIn;
  }

  pause(): void {
    this.#input.pause();
  }

  resume(): void {
    this.#input.resume();
  }

  #take(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(NEWLINE, from);
      if (at < 0) break;
      this.#keep(chunk.subarray(from, at));
      this.#emit();
      from = at + 1;
    }
    if (from < chunk.length) this.#keep(chunk.subarray(from));
  }

  #keep(part: Buffer): void {
    this.#held += part.length;
    if (this.#held > this.#limits.maxLineBytes) {
      this.#skipping = true;
      this.#parts = [];
      return;
    }
    if (part.length > 0) this.#parts.push(part);
  }

  #emit(): void {
    const bytes = this.#held;
    const parts = this.#parts;
    const skipped = this.#skipping;
    this.#parts = [];
    this.#held = 0;
    this.#skipping = false;
    if (skipped) {
      this.#events.onTooLong(bytes);
      return;
    }
    if (bytes === 0) return;
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (whole !== undefined) this.#events.onLine(whole.toString('utf8'));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd();
  }
}
