/** What one stream has sent and still has to send. Pure bookkeeping: whoever owns the socket writes the frames. */
import { type SplitMessage, splitMessage } from './chunks.js';
import { MAX_FRAME_BYTES, MAX_UNACKED_FRAMES, type PongStatus } from './frames.js';
import {
  type FrameTail,
  frameTail,
  pongWith,
  serverChunkWith,
  serverMessageWith,
  type WireFrame,
} from './frames-out.js';

/** Unacknowledged pongs kept for replay; the oldest goes first, as only the newest tells anything. */
export const MAX_UNACKED_PONGS = 128;
/** Text that may wait while the stream is full. The app server is paused then, so only what was on its way comes. */
export const MAX_QUEUED_CHARS = 64 * 1024 * 1024;
/** Frames that `more` gives at a time, about 1 MiB, so that a big message does not fill the socket at once. */
const FRAMES_AT_ONCE = 8;

export interface OutboundLimits {
  readonly unackedFrames: number;
  readonly unackedPongs: number;
  readonly queuedChars: number;
}
const DEFAULT_LIMITS: OutboundLimits = {
  unackedFrames: MAX_UNACKED_FRAMES,
  unackedPongs: MAX_UNACKED_PONGS,
  queuedChars: MAX_QUEUED_CHARS,
};

/**
 * Frames to write now (none when the message has to wait), or why the message was not taken: `tooLarge` cannot
 * be carried at all (answer its requester, RC-38), `overflow` means that too much waits already.
 */
export type SendResult = readonly WireFrame[] | 'tooLarge' | 'overflow';

interface SentFrame {
  readonly seqId: number;
  readonly segmentId: number;
  readonly isPong: boolean;
  readonly frame: WireFrame;
}
interface Waiting {
  readonly text: string;
  /** Set when it goes in chunks. */
  readonly chunks: SplitMessage | undefined;
}
interface HalfSent {
  readonly seqId: number;
  readonly message: SplitMessage;
  readonly pieces: Iterator<Buffer>;
  /** The next chunk's. */
  segmentId: number;
}

const NOTHING: readonly WireFrame[] = [];
/** Digits of the largest seq id, for judging the size of a frame before its seq id is known. */
const SEQ_DIGITS = 16;

/**
 * The outbound half of one (client, stream): numbering (RC-35), the frames sent and not yet acknowledged (RC-36),
 * and chunking (RC-38). It outlives the socket: what it gives out while there is none comes again with `replay`.
 *
 * At 128 unacknowledged frames no further message is begun. A message that was begun goes out whole, as the peer
 * may acknowledge it only then; its rest is given by `more`, at the pace of the socket.
 */
export class OutboundStream {
  readonly #tail: FrameTail;
  readonly #envelopeBytes: number;
  readonly #limits: OutboundLimits;
  readonly #sent: SentFrame[] = [];
  readonly #waiting: Waiting[] = [];
  #queuedChars = 0;
  #halfSent: HalfSent | undefined;
  /** Pongs asked for while a message is half sent: seq ids then stay in order on the wire. */
  #heldPongs: PongStatus[] = [];
  #unacked = 0;
  #unackedPongs = 0;
  #nextSeqId: number;

  constructor(
    clientId: string,
    streamId: string,
    options: { readonly firstSeqId?: number; readonly limits?: Partial<OutboundLimits> } = {},
  ) {
    this.#tail = frameTail(clientId, streamId);
    this.#envelopeBytes = Buffer.byteLength(serverMessageWith(this.#tail, 0, '')) + SEQ_DIGITS;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#nextSeqId = options.firstSeqId ?? 1;
  }

  /** The seq id of the next frame: what a stream that takes this one's place must start with. RC-35 */
  get nextSeqId(): number {
    return this.#nextSeqId;
  }

  /** False: pause the app server until an ack or `more` makes it true again. RC-36 */
  get writable(): boolean {
    return this.#halfSent === undefined && this.#waiting.length === 0 && this.#hasRoom;
  }

  /** True when `more` has frames that only wait for the socket: call it whenever the socket can take some. */
  get hasMore(): boolean {
    return this.#halfSent !== undefined || (this.#waiting.length > 0 && this.#hasRoom);
  }

  /** Message frames sent and not acknowledged, pongs not counted. */
  get unackedFrames(): number {
    return this.#unacked;
  }

  /** UTF-16 units of the messages that wait. */
  get queuedChars(): number {
    return this.#queuedChars;
  }

  send(messageText: string): SendResult {
    let chunks: SplitMessage | undefined;
    if (this.#isTooLongForOneFrame(messageText)) {
      chunks = splitMessage(messageText, this.#envelopeBytes);
      if (chunks === undefined) return 'tooLarge';
    }
    if (!this.writable) {
      const queued = this.#queuedChars + messageText.length;
      if (this.#waiting.length > 0 && queued > this.#limits.queuedChars) return 'overflow';
      this.#waiting.push({ text: messageText, chunks });
      this.#queuedChars = queued;
      return NOTHING;
    }
    if (chunks === undefined) return [this.#sendWhole(messageText)];
    this.#begin(chunks);
    return this.more();
  }

  /** The next frames of the message that is half out, and what waited behind it. */
  more(): readonly WireFrame[] {
    const frames: WireFrame[] = [];
    while (frames.length < FRAMES_AT_ONCE) {
      if (this.#halfSent !== undefined) {
        this.#sendChunk(this.#halfSent, frames);
        continue;
      }
      const next = this.#hasRoom ? this.#waiting.shift() : undefined;
      if (next === undefined) break;
      this.#queuedChars -= next.text.length;
      if (next.chunks === undefined) frames.push(this.#sendWhole(next.text));
      else this.#begin(next.chunks);
    }
    return frames;
  }

  /**
   * Frees every sent frame up to this one; without a segment id all of that seq. Returns frames that waited for
   * it and may be written now; `hasMore` says whether there are others. RC-36
   */
  ack(seqId: number, segmentId: number = Number.POSITIVE_INFINITY): readonly WireFrame[] {
    let freed = 0;
    for (const frame of this.#sent) {
      if (frame.seqId > seqId || (frame.seqId === seqId && frame.segmentId > segmentId)) break;
      if (frame.isPong) this.#unackedPongs -= 1;
      else this.#unacked -= 1;
      freed += 1;
    }
    if (freed === 0) return NOTHING;
    this.#sent.splice(0, freed);
    return this.#halfSent === undefined ? this.more() : NOTHING;
  }

  /** A pong to write now; none while a message is half out: then it follows that message. RC-33 */
  pong(status: PongStatus): readonly WireFrame[] {
    if (this.#halfSent === undefined) return [this.#sendPong(status)];
    this.#heldPongs.push(status);
    if (this.#heldPongs.length > this.#limits.unackedPongs) this.#heldPongs.shift();
    return NOTHING;
  }

  /** After a reconnect, before anything else: what was sent and not acknowledged, same texts, in order. RC-36 */
  replay(): readonly WireFrame[] {
    return this.#sent.map(({ frame }) => frame);
  }

  #isTooLongForOneFrame(messageText: string): boolean {
    const room = MAX_FRAME_BYTES - this.#envelopeBytes;
    const { length } = messageText;
    // A UTF-16 unit takes one to three bytes: most messages need no count.
    return length > room || (length * 3 > room && Buffer.byteLength(messageText) > room);
  }

  get #hasRoom(): boolean {
    return this.#unacked < this.#limits.unackedFrames;
  }

  #begin(message: SplitMessage): void {
    this.#halfSent = { seqId: this.#takeSeqId(), message, pieces: message.pieces(), segmentId: 0 };
  }

  #sendChunk(half: HalfSent, frames: WireFrame[]): void {
    const { seqId, segmentId } = half;
    const { segmentCount, messageSizeBytes } = half.message;
    const step = half.pieces.next();
    if (step.done !== true) {
      const frame = serverChunkWith(this.#tail, seqId, {
        segmentId,
        segmentCount,
        messageSizeBytes,
        bytes: step.value,
      });
      this.#unacked += 1;
      this.#sent.push({ seqId, segmentId, isPong: false, frame });
      frames.push(frame);
      half.segmentId += 1;
      if (half.segmentId < segmentCount) return;
    }
    this.#halfSent = undefined;
    const held = this.#heldPongs;
    this.#heldPongs = [];
    for (const status of held) frames.push(this.#sendPong(status));
  }

  #sendWhole(messageText: string): string {
    const seqId = this.#takeSeqId();
    const text = serverMessageWith(this.#tail, seqId, messageText);
    this.#unacked += 1;
    this.#sent.push({ seqId, segmentId: 0, isPong: false, frame: text });
    return text;
  }

  #sendPong(status: PongStatus): string {
    const seqId = this.#takeSeqId();
    const text = pongWith(this.#tail, seqId, status);
    if (this.#unackedPongs >= this.#limits.unackedPongs) {
      this.#sent.splice(
        this.#sent.findIndex((frame) => frame.isPong),
        1,
      );
      this.#unackedPongs -= 1;
    }
    this.#unackedPongs += 1;
    this.#sent.push({ seqId, segmentId: 0, isPong: true, frame: text });
    return text;
  }

  #takeSeqId(): number {
    const seqId = this.#nextSeqId;
    this.#nextSeqId += 1;
    return seqId;
  }
}
