/**
 * The messages to one server, in order: those not yet sent, and those sent but not yet confirmed. Each message has a
 * position, which becomes its cursor; a server that reconnects names the last one it received. RC-37
 */

interface LoggedMessage {
  /** Position in the log, from 1. */
  readonly position: number;
  readonly stream: string;
  readonly bytes: number;
  readonly frames: Iterable<string>;
}

export class FrameLog {
  #entries: LoggedMessage[] = [];
  /** Index of the first entry that is not completely sent. */
  #next = 0;
  #sending: Iterator<string> | undefined;
  #lastPosition = 0;
  readonly #bytes = new Map<string, number>();

  get size(): number {
    return this.#entries.length;
  }

  /** The position up to which every message is completely sent. */
  get sentPosition(): number {
    return (
      this.#entries[this.#next - 1]?.position ?? (this.#entries[0]?.position ?? this.#lastPosition + 1) - 1
    );
  }

  /** Bytes of all logged messages of the stream. */
  bytesOf(stream: string): number {
    return this.#bytes.get(stream) ?? 0;
  }

  /** `frames` is called with the new position; it may be called again for a resend. */
  append(stream: string, bytes: number, frames: (position: number) => Iterable<string>): void {
    this.#lastPosition += 1;
    const position = this.#lastPosition;
    this.#entries.push({ position, stream, bytes, frames: frames(position) });
    this.#bytes.set(stream, this.bytesOf(stream) + bytes);
  }

  /** The next frame to send; undefined when everything is sent. */
  next(): string | undefined {
    for (;;) {
      const entry = this.#entries[this.#next];
      if (entry === undefined) return undefined;
      this.#sending ??= entry.frames[Symbol.iterator]();
      const step = this.#sending.next();
      if (step.done !== true) return step.value;
      this.#sending = undefined;
      this.#next += 1;
    }
  }

  /** The server has received everything up to this position. */
  confirm(position: number): void {
    let count = 0;
    while (count < this.#next && (this.#entries[count]?.position ?? 0) <= position) count += 1;
    for (const entry of this.#entries.splice(0, count)) this.#release(entry);
    this.#next -= count;
  }

  /** A server reconnected that has everything up to this position: the rest is sent again. */
  resume(position: number): void {
    this.#sending = undefined;
    this.#next = 0;
    let count = 0;
    while ((this.#entries[count]?.position ?? Number.POSITIVE_INFINITY) <= position) count += 1;
    for (const entry of this.#entries.splice(0, count)) this.#release(entry);
  }

  /** Removes the messages of a stream. */
  discard(stream: string): void {
    this.retain((other) => other !== stream);
  }

  /** Removes the messages of all streams for which `isKept` is false. */
  retain(isKept: (stream: string) => boolean): void {
    const current = this.#entries[this.#next];
    if (current !== undefined && !isKept(current.stream)) this.#sending = undefined;
    let sent = this.#next;
    this.#entries = this.#entries.filter((entry, index) => {
      if (isKept(entry.stream)) return true;
      if (index < this.#next) sent -= 1;
      this.#release(entry);
      return false;
    });
    this.#next = sent;
  }

  #release(entry: LoggedMessage): void {
    const left = this.bytesOf(entry.stream) - entry.bytes;
    if (left > 0) this.#bytes.set(entry.stream, left);
    else this.#bytes.delete(entry.stream);
  }
}
