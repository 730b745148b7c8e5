import type { PongStatus } from './frames.js';
import type { FrameWriter, WireFrame } from './frames-out.js';
import { OutboundStream } from './outbound.js';

/** Totals of the streams since the start. */
export interface OutboundCounters {
  framesOut: number;
  bytesOut: number;
}

/** What waits for the peers of all streams. */
export interface OutboundDepth {
  readonly unackedFrames: number;
  /** UTF-16 units. */
  readonly queuedChars: number;
}

/** An open socket that carries frames, as the data plane needs it. */
export interface MuxSocket {
  /** Sends one text frame. */
  send(frame: WireFrame): void;
  /** Bytes that were sent and are not yet with the system. */
  readonly bufferedAmount: number;
}

/** Unsent bytes in the socket at which streams stop adding more; its `drain` event starts them again. */
const SOCKET_HIGH_WATER = 4 * 1024 * 1024;
/** Streams that have ended and still hold frames; the one that ended first is given up. RC-81 */
const MAX_ENDED_STREAMS = 256;
/** Characters that they may hold together. */
const MAX_ENDED_CHARS = 64 * 1024 * 1024;
/** Closed streams whose next seq id is remembered; the one closed longest ago is forgotten first. RC-35 */
const MAX_CLOSED_STREAMS = 16_384;
/** Frames of one stream that wait to be sent again; further pongs are dropped, because others wait already. */
const MAX_BACKLOG_PONGS = 1_024;

/**
 * The outbound halves of all streams, which share one socket. They outlive it: after a reconnect, frames that were not
 * acknowledged are sent again before new ones. RC-36
 */
export class OutboundStreams {
  readonly #counters: OutboundCounters;
  readonly #onWritable: (key: string) => void;
  readonly #streams = new Map<string, OutboundStream>();
  /** Next seq id of streams that are closed or were never open. */
  readonly #nextSeqIds = new Map<string, number>();
  /** Streams that have ended and whose last frames must still arrive, the oldest first, with the characters they hold. */
  readonly #ended = new Map<string, number>();
  #endedChars = 0;
  /** Streams with frames that only wait for the socket. */
  readonly #ready = new Set<string>();
  /** After a reconnect: frames to send again that wait for the socket. New frames of their stream queue behind them. */
  readonly #backlog = new Map<string, WireFrame[]>();
  #socket: MuxSocket | undefined;
  readonly #writer: FrameWriter | undefined;

  /**
   * @param onWritable called with the key of a stream that can take messages again
   * @param writer of the frames; default: those of a server
   */
  constructor(counters: OutboundCounters, onWritable: (key: string) => void, writer?: FrameWriter) {
    this.#counters = counters;
    this.#onWritable = onWritable;
    this.#writer = writer;
  }

  get depth(): OutboundDepth {
    let [unackedFrames, queuedChars] = [0, 0];
    for (const stream of this.#streams.values()) {
      unackedFrames += stream.unackedFrames;
      queuedChars += stream.queuedChars;
    }
    return { unackedFrames, queuedChars };
  }

  /** A new link is open: frames that were not acknowledged are sent again first. RC-36 */
  attach(socket: MuxSocket): void {
    this.#socket = socket;
    for (const [key, stream] of this.#streams) {
      const again = stream.replay();
      if (again.length > 0) this.#backlog.set(key, [...again]);
      if (stream.hasMore) this.#ready.add(key);
    }
    this.feed();
  }

  detach(socket: MuxSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#backlog.clear();
  }

  /** A stream, not open yet, that continues the seq ids of the last one with the same ids. RC-35 */
  create(key: string, clientId: string, streamId: string): OutboundStream {
    const writer = this.#writer === undefined ? {} : { writer: this.#writer };
    return new OutboundStream(clientId, streamId, { firstSeqId: this.nextSeqId(key), ...writer });
  }

  open(key: string, stream: OutboundStream): void {
    this.#dropEnded(key);
    this.#nextSeqIds.delete(key);
    this.#streams.set(key, stream);
  }

  /** False when another stream has taken its place. */
  close(key: string, stream: OutboundStream): boolean {
    if (this.#streams.get(key) !== stream) return false;
    this.#streams.delete(key);
    this.#ready.delete(key);
    this.#backlog.delete(key);
    this.setNextSeqId(key, stream.nextSeqId);
    return true;
  }

  /**
   * The engine has ended a stream: what it still has to send is sent, and sent again after a reconnect, until it is
   * acknowledged. False when another stream has taken its place. RC-81
   */
  end(key: string, stream: OutboundStream): boolean {
    if (this.#streams.get(key) !== stream) return false;
    this.#forgetEnded(key);
    if (stream.isSettled) return this.close(key, stream);
    const held = stream.heldChars;
    this.#ended.set(key, held);
    this.#endedChars += held;
    for (const oldest of this.#ended.keys()) {
      if (this.#ended.size <= MAX_ENDED_STREAMS && this.#endedChars <= MAX_ENDED_CHARS) break;
      this.#dropEnded(oldest);
    }
    return true;
  }

  /** Gives up all streams that have ended, and what they still hold. */
  dropEnded(): void {
    for (const key of [...this.#ended.keys()]) this.#dropEnded(key);
  }

  /** Gives up one stream if it has ended. */
  #dropEnded(key: string): void {
    const stream = this.#streams.get(key);
    if (this.#forgetEnded(key) && stream !== undefined) this.close(key, stream);
  }

  #forgetEnded(key: string): boolean {
    this.#endedChars -= this.#ended.get(key) ?? 0;
    return this.#ended.delete(key);
  }

  /** Whether a stream is open and still has this place. */
  isOpen(key: string, stream: OutboundStream): boolean {
    return this.#streams.get(key) === stream;
  }

  /** The stream in this place, open or ended with frames left. */
  get(key: string): OutboundStream | undefined {
    return this.#streams.get(key);
  }

  /** The next seq id of a stream that is not open. */
  nextSeqId(key: string): number {
    return this.#streams.get(key)?.nextSeqId ?? this.#nextSeqIds.get(key) ?? 1;
  }

  setNextSeqId(key: string, nextSeqId: number): void {
    this.#nextSeqIds.delete(key);
    this.#nextSeqIds.set(key, nextSeqId);
    if (this.#nextSeqIds.size <= MAX_CLOSED_STREAMS) return;
    const oldest = this.#nextSeqIds.keys().next();
    if (oldest.done !== true) this.#nextSeqIds.delete(oldest.value);
  }

  /** `full`: the message was taken, and the sender must pause until `onWritable`. */
  send(key: string, stream: OutboundStream, text: string): 'sent' | 'full' | 'tooLarge' | 'overflow' {
    const frames = stream.send(text);
    if (typeof frames === 'string') return frames;
    this.#writeOn(key, frames);
    if (stream.hasMore) {
      this.#ready.add(key);
      this.feed();
    }
    return stream.writable ? 'sent' : 'full';
  }

  ack(key: string, seqId: number, segmentId: number | undefined): void {
    const stream = this.#streams.get(key);
    if (stream === undefined) return;
    this.#writeOn(key, stream.ack(seqId, segmentId));
    if (stream.isSettled) this.#dropEnded(key);
    if (stream.hasMore) {
      this.#ready.add(key);
      this.feed();
    } else if (stream.writable) this.#onWritable(key);
  }

  pong(key: string, status: PongStatus): void {
    const stream = this.#streams.get(key);
    const waiting = this.#backlog.get(key)?.length ?? 0;
    if (stream !== undefined && waiting < MAX_BACKLOG_PONGS) this.#writeOn(key, stream.pong(status));
  }

  /** Sends frames that waited, as far as the socket has room. */
  feed(): void {
    for (const [key, frames] of this.#backlog) {
      let sent = 0;
      while (sent < frames.length && this.#socketHasRoom) {
        this.write(frames[sent] ?? '');
        sent += 1;
      }
      if (sent < frames.length) {
        frames.splice(0, sent);
        return;
      }
      this.#backlog.delete(key);
    }
    for (const key of this.#ready) {
      const stream = this.#streams.get(key);
      while (stream?.hasMore) {
        if (!this.#socketHasRoom) return;
        for (const frame of stream.more()) this.write(frame);
      }
      this.#ready.delete(key);
      if (stream?.writable) this.#onWritable(key);
    }
  }

  /** Sends a frame past all streams; it is lost without a socket. */
  write(frame: WireFrame): void {
    if (this.#socket === undefined) return;
    this.#counters.framesOut += 1;
    this.#counters.bytesOut += frame.length;
    this.#socket.send(frame);
  }

  /** False without a socket, and while the socket is full. */
  get hasRoom(): boolean {
    return this.#socketHasRoom;
  }

  get #socketHasRoom(): boolean {
    return this.#socket !== undefined && this.#socket.bufferedAmount <= SOCKET_HIGH_WATER;
  }

  #writeOn(key: string, frames: readonly WireFrame[]): void {
    if (frames.length === 0) return;
    const backlog = this.#backlog.get(key);
    if (backlog !== undefined) backlog.push(...frames);
    else for (const frame of frames) this.write(frame);
  }
}
