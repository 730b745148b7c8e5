/**
 * One direction of a stream between owner and edge. The sender keeps each frame until the receiver has confirmed it. The
 * bus may lose frames, so they are counted, and the receiver takes them in order only.
 */
import type { HopFrame, HopNext } from './records.js';

/** Bytes that each frame costs besides its body. */
const FRAME_OVERHEAD = 256;

const costOf = ({ body }: HopFrame): number => body.length + FRAME_OVERHEAD;

/** How much may be on the way to one other node, so that no broker drops a slow reader. */
export class Credit {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #used = 0;

  /** @param limit bytes */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** False: `onRoom` is called when there may be room. One frame of any size always fits. */
  take(bytes: number, onRoom: () => void): boolean {
    if (this.#used > 0 && this.#used + bytes > this.#limit) {
      this.#waiting.add(onRoom);
      return false;
    }
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    if (bytes === 0) return;
    this.#used -= bytes;
    for (const onRoom of [...this.#waiting]) {
      if (this.#used >= this.#limit) return;
      this.#waiting.delete(onRoom);
      onRoom();
    }
  }

  forget(onRoom: () => void): void {
    this.#waiting.delete(onRoom);
  }
}

export class Outgoing {
  readonly #send: (n: number, frame: HopFrame) => void;
  readonly #frames: HopFrame[] = [];
  readonly #onRoom = (): void => this.#pump();
  #credit: Credit;
  /** Number of the frame before the first one that is kept. */
  #base = 0;
  #sent = 0;
  #received = 0;
  #bytes = 0;
  #taken = 0;
  /** Nothing is sent until the receiver is ready. */
  #paused = true;

  constructor(credit: Credit, send: (n: number, frame: HopFrame) => void) {
    this.#credit = credit;
    this.#send = send;
  }

  /** Kept bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  /** Of the newest frame that is kept. */
  get lastSeqId(): number | undefined {
    return this.#frames.at(-1)?.seqId;
  }

  /** Frames were sent whose arrival is not known. */
  get isWaiting(): boolean {
    return this.#sent > this.#received || (!this.#paused && !this.isEmpty);
  }

  /** Number of the last frame that was sent. */
  get sent(): number {
    return this.#sent;
  }

  push(frame: HopFrame): void {
    this.#frames.push(frame);
    this.#bytes += costOf(frame);
    this.#pump();
  }

  /** A new route, maybe to another node: everything that is kept is counted from 1, and sent after `start`. */
  restart(credit: Credit): void {
    const former = this.#credit;
    const taken = this.#taken;
    former.forget(this.#onRoom);
    this.#credit = credit;
    this.#taken = 0;
    this.#base = 0;
    this.#sent = 0;
    this.#received = 0;
    this.#paused = true;
    former.release(taken);
  }

  /** The receiver is ready. */
  start(): void {
    this.#paused = false;
    this.#pump();
  }

  /** Returns the frames that the receiver has confirmed now. */
  onStatus(received: number, confirmed: number, next: HopNext): readonly HopFrame[] {
    if (received > this.#sent || received < this.#base) return [];
    let free = this.#costOf(this.#received, received);
    this.#received = Math.max(this.#received, received);
    if (next === 'again') {
      free += this.#costOf(this.#received, this.#sent);
      this.#sent = this.#received;
    }
    if (next !== 'go') this.#paused = next === 'pause';
    const done = this.#confirm(Math.min(confirmed, this.#received));
    this.#taken -= free;
    // Last, because others send at once when there is room.
    this.#credit.release(free);
    this.#pump();
    return done;
  }

  /** Nothing is kept any more. */
  end(): void {
    this.restart(this.#credit);
    this.#frames.length = 0;
    this.#bytes = 0;
  }

  /** Only whole messages are dropped: a receiver that lost its state needs a message from its first chunk. */
  #confirm(confirmed: number): readonly HopFrame[] {
    let count = Math.min(confirmed - this.#base, this.#frames.length);
    while (count > 0 && this.#frames[count - 1]?.last !== true) count -= 1;
    if (count <= 0) return [];
    const done = this.#frames.splice(0, count);
    this.#base += count;
    for (const frame of done) this.#bytes -= costOf(frame);
    return done;
  }

  /** Of the frames after `from`, up to `to`. */
  #costOf(from: number, to: number): number {
    let bytes = 0;
    for (let n = from + 1; n <= to; n += 1) {
      const frame = this.#frames[n - this.#base - 1];
      if (frame !== undefined) bytes += costOf(frame);
    }
    return bytes;
  }

  #pump(): void {
    while (!this.#paused) {
      const frame = this.#frames[this.#sent - this.#base];
      if (frame === undefined || !this.#credit.take(costOf(frame), this.#onRoom)) return;
      this.#taken += costOf(frame);
      this.#sent += 1;
      this.#send(this.#sent, frame);
    }
  }
}

/** Frames after which the sender gets a status although nothing was confirmed. */
const STATUS_FRAMES = 64;
const STATUS_BYTES = 1024 * 1024;

export class Incoming {
  received = 0;
  confirmed = 0;
  /** A status says so, and the sender has to begin again. */
  paused = false;
  #gapAfter = -1;
  #frames = 0;
  #bytes = 0;

  /** `gap`: report it once. `repeat`: the sender knows less than it should. */
  check(n: number): 'next' | 'repeat' | 'gap' | 'ignore' {
    if (n === this.received + 1) return this.paused ? 'ignore' : 'next';
    if (n <= this.received) return 'repeat';
    if (this.paused || this.#gapAfter === this.received) return 'ignore';
    this.#gapAfter = this.received;
    return 'gap';
  }

  /** Counts the frame. True: the sender should get a status now. */
  take(frame: HopFrame): boolean {
    this.received += 1;
    this.#frames += 1;
    this.#bytes += frame.body.length;
    if (this.#frames < STATUS_FRAMES && this.#bytes < STATUS_BYTES) return false;
    this.#frames = 0;
    this.#bytes = 0;
    return true;
  }

  restart(): void {
    this.received = 0;
    this.confirmed = 0;
    this.paused = false;
    this.#gapAfter = -1;
    this.#frames = 0;
    this.#bytes = 0;
  }
}
