import type { PongStatus } from './frames.js';
import type { FrameWriter, WireFrame } from './frames-out.js';
import { OutboundStream } from './outbound.js';

/** Totals of the streams since the start. */
export interface OutboundCounters {
  framesOut: number;
  bytesOut: number;
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
/** Closed streams whose next seq id is remembered; the one closed longest ago is forgotten first. RC-35 */
const MAX_CLOSED_STREAMS = 16_384;

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

  /** Without `stream`: whether any stream with this key is open. */
  isOpen(key: string, stream?: OutboundStream): boolean {
    const open = this.#streams.get(key);
    return open !== undefined && (stream === undefined || open === stream);
  }

  /** The next seq id of a stream that is not open. */
  nextSeqId(key: string): number {
    return this.#nextSeqIds.get(key) ?? 1;
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
    if (stream.hasMore) {
      this.#ready.add(key);
      this.feed();
    } else if (stream.writable) this.#onWritable(key);
  }

  pong(key: string, status: PongStatus): void {
    const stream = this.#streams.get(key);
    if (stream !== undefined) this.#writeOn(key, stream.pong(status));
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
