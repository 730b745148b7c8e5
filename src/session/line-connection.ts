import type { Readable, Writable } from 'node:stream';
import { type Envelope, EnvelopeScan } from '../protocol/envelope-scan.js';

interface LineLimits {
  /** Longest accepted line, bytes. A longer one is not kept and reported to `onTooLong`. Default: 16 MiB. */
  readonly maxLineBytes: number;
}

interface LineEvents {
  onLine(line: string): void;
  /** A line over the limit was not kept. The envelope: its id, where somebody waits for an answer and it can be read. */
  onTooLong(bytes: number, envelope: Envelope | undefined): void;
  /** The other side reads again, after `write` returned false. */
  onDrain(): void;
  /** The other side has sent everything and may still read. Default: the connection ends then. */
  onInputEnd?(): void;
  /** The connection has ended or failed; called once. */
  onEnd(): void;
}

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BREAK = /[\r\n]/;
const BREAKS = /[\r\n]+/g;
/** Longest line of a client, bytes. */
export const MAX_LINE_BYTES = 16 * 1024 * 1024;
const DEFAULT_LIMITS: LineLimits = { maxLineBytes: MAX_LINE_BYTES };

/** One message per line over a pair of byte streams: stdio, unix sockets, named pipes, child processes. */
export class LineConnection {
  readonly #output: Writable;
  readonly #input: Readable;
  readonly #events: LineEvents;
  readonly #limits: LineLimits;
  #parts: Buffer[] = [];
  #partialBytes = 0;
  /** Reads the line that is over the limit. */
  #scan: EnvelopeScan | undefined;
  #inputEnded = false;
  #ended = false;
  #bytesIn = 0;

  constructor(input: Readable, output: Writable, events: LineEvents, limits: LineLimits = DEFAULT_LIMITS) {
    this.#input = input;
    this.#output = output;
    this.#events = events;
    this.#limits = limits;
    input.on('data', (chunk: Buffer) => this.#split(chunk));
    // The end of the stream ends the last line too. RC-70
    input.on('end', () => this.#endInput());
    input.on('close', () => this.#endInput());
    input.on('error', () => this.#end());
    output.on('error', () => this.#end());
    output.on('drain', () => this.#events.onDrain());
  }

  /**
   * Writes one line. A line break inside a message becomes a space: in JSON it can only stand between tokens, and what
   * follows it would otherwise be a message that no policy has checked. False: the other side reads slowly.
   */
  write(line: string): boolean {
    if (this.#ended || this.#output.destroyed || this.#output.writableEnded) return true;
    return this.#output.write(`${BREAK.test(line) ? line.replace(BREAKS, ' ') : line}\n`);
  }

  /** Nothing is written any more; the other side sees the end after what was written. */
  endOutput(): void {
    this.#output.end();
  }

  /** Bytes that were written and that the other side has not taken. */
  get unsentBytes(): number {
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

  #split(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    let from = 0;
    for (;;) {
      const at = chunk.indexOf(NEWLINE, from);
      if (at < 0) break;
      this.#append(chunk.subarray(from, at));
      this.#emit();
      from = at + 1;
    }
    if (from < chunk.length) this.#append(chunk.subarray(from));
  }

  #append(part: Buffer): void {
    this.#partialBytes += part.length;
    if (this.#scan === undefined && this.#partialBytes > this.#limits.maxLineBytes) {
      this.#scan = new EnvelopeScan();
      for (const kept of this.#parts) this.#scan.feed(kept);
      this.#parts = [];
    }
    if (this.#scan !== undefined) this.#scan.feed(part);
    else if (part.length > 0) this.#parts.push(part);
  }

  #emit(): void {
    const bytes = this.#partialBytes;
    const parts = this.#parts;
    const scan = this.#scan;
    this.#parts = [];
    this.#partialBytes = 0;
    this.#scan = undefined;
    if (scan !== undefined) {
      this.#events.onTooLong(bytes, scan.envelope);
      return;
    }
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts);
    if (whole === undefined || whole.length === 0) return;
    const line = whole.at(-1) === RETURN ? whole.subarray(0, -1) : whole;
    if (line.length > 0) this.#events.onLine(line.toString('utf8'));
  }

  #endInput(): void {
    if (this.#ended || this.#inputEnded) return;
    this.#inputEnded = true;
    this.#emit();
    if (this.#events.onInputEnd === undefined) this.#end();
    else this.#events.onInputEnd();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#events.onEnd();
  }
}
