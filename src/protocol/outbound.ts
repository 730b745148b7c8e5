/** What one stream has sent and still has to send. It does no I/O: the owner of the socket writes the frames. */
import { type SplitMessage, splitMessage } from './chunks.js';
import { MAX_FRAME_BYTES, MAX_UNACKED_FRAMES, type PongStatus } from './frames.js';
import {
  type FrameTail,
  type FrameWriter,
  frameTail,
  pongWith,
  SERVER_FRAMES,
  type WireFrame,
} from './frames-out.js';

/** Unacknowledged pongs kept for replay. Above it the oldest is dropped: only the newest one matters. */
const MAX_UNACKED_PONGS = 128;
/**
 * Characters queued beside the longest message while the stream is full. The app server is paused then; only messages in
 * transit still arrive.
 */
const MAX_QUEUED_CHARS = 64 * 1024 * 1024;
/** Characters that a stream which has ended may still hold of complete messages; above it only errors are left. */
const MAX_ENDED_CHARS = 1024 * 1024;
/** Frames that a stream which has ended keeps for replay. */
const MAX_ENDED_FRAMES = 4_608;
/** Frames per call of `more`, about 1 MiB, so that a large message does not fill the socket at once. */
const FRAMES_AT_ONCE = 8;

interface OutboundLimits {
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
 * Frames to write now (none when the message is queued), or why the message was not accepted: `tooLarge` can never be
 * sent (send an error to its requester, RC-38), `overflow` means that the queue is full.
 */
export type SendResult = readonly WireFrame[] | 'tooLarge' | 'overflow';

interface SentFrame {
  readonly seqId: number;
  readonly segmentId: number;
  readonly isPong: boolean;
  readonly frame: WireFrame;
}
interface QueuedMessage {
  readonly text: string;
  /** Set when it is sent in chunks. */
  readonly chunks: SplitMessage | undefined;
}
/** A message of which some chunks are sent. */
interface PartialMessage {
  readonly seqId: number;
  readonly message: SplitMessage;
  readonly pieces: Iterator<Buffer>;
  /** Of the next chunk. */
  segmentId: number;
}

const NOTHING: readonly WireFrame[] = [];
/** Digits of the largest seq id, to know the size of a frame before its seq id is known. */
const SEQ_DIGITS = 16;

/**
 * The outbound half of one (client, stream): numbering (RC-35), the frames that are not acknowledged yet (RC-36), and
 * chunking (RC-38). It outlives the socket: `replay` returns the frames that were lost without one.
 *
 * At 128 unacknowledged frames no further message starts. A message that has started is sent completely, because the
 * peer may acknowledge it only then; `more` returns its remaining frames at the pace of the socket.
 */
export class OutboundStream {
  readonly #tail: FrameTail;
  readonly #envelopeBytes: number;
  readonly #limits: OutboundLimits;
  readonly #writer: FrameWriter;
  readonly #sent: SentFrame[] = [];
  readonly #queue: QueuedMessage[] = [];
  #queuedChars = 0;
  /** Of the longest message since the queue was last empty. */
  #longestQueued = 0;
  #ended = false;
  #partial: PartialMessage | undefined;
  /** Pongs requested during a partial message, sent after it so that the seq ids stay in order. */
  #delayedPongs: PongStatus[] = [];
  #unacked = 0;
  #unackedPongs = 0;
  #nextSeqId: number;

  constructor(
    clientId: string,
    streamId: string,
    options: {
      readonly firstSeqId?: number;
      readonly limits?: Partial<OutboundLimits>;
      /** Default: the frames of a server. */
      readonly writer?: FrameWriter;
    } = {},
  ) {
    this.#tail = frameTail(clientId, streamId);
    this.#writer = options.writer ?? SERVER_FRAMES;
    this.#envelopeBytes = Buffer.byteLength(this.#writer.message(this.#tail, 0, '')) + SEQ_DIGITS;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#nextSeqId = options.firstSeqId ?? 1;
  }

  /** The seq id of the next frame; a stream that replaces this one must start with it. RC-35 */
  get nextSeqId(): number {
    return this.#nextSeqId;
  }

  /** False: pause the app server until `ack` or `more` makes it true again. RC-36 */
  get writable(): boolean {
    return this.#partial === undefined && this.#queue.length === 0 && this.#hasRoom;
  }

  /** Whether `more` has frames. Call `more` when the socket can take some. */
  get hasMore(): boolean {
    return this.#partial !== undefined || (this.#queue.length > 0 && this.#hasRoom);
  }

  /** Unacknowledged message frames, without pongs. */
  get unackedFrames(): number {
    return this.#unacked;
  }

  /** UTF-16 units of the queued messages. */
  get queuedChars(): number {
    return this.#queuedChars;
  }

  /**
   * No more messages come but the last ones of its session, which need not wait for acknowledgments. Long messages that
   * have not started are replaced, so that a stream which nobody reads holds little. RC-81
   * @param replace A short text to send instead of a message; undefined: nothing.
   */
  end(replace: (messageText: string) => string | undefined): void {
    this.#ended = true;
    if (this.#queuedChars <= MAX_ENDED_CHARS) return;
    const queue = this.#queue.splice(0);
    this.#queuedChars = 0;
    for (const { text } of queue) {
      const short = replace(text);
      if (short !== undefined && this.#queuedChars + short.length <= MAX_ENDED_CHARS) {
        this.#queue.push({ text: short, chunks: undefined });
        this.#queuedChars += short.length;
      }
    }
  }

  /** Everything was sent and acknowledged. */
  get isSettled(): boolean {
    return this.#sent.length === 0 && this.#queue.length === 0 && this.#partial === undefined;
  }

  /** Characters that it still holds, about. */
  get heldChars(): number {
    const partial = this.#partial?.message.messageSizeBytes ?? 0;
    return this.#sent.reduce((sum, { frame }) => sum + frame.length, this.#queuedChars + partial);
  }

  send(messageText: string): SendResult {
    let chunks: SplitMessage | undefined;
    if (this.#isTooLongForOneFrame(messageText)) {
      chunks = splitMessage(messageText, this.#envelopeBytes);
      if (chunks === undefined) return 'tooLarge';
    }
    if (!this.writable) {
      const queued = this.#queuedChars + messageText.length;
      if (this.#queue.length === 0) this.#longestQueued = 0;
      // One message always fits: the limit counts what waits beside it. RC-85
      const longest = Math.max(this.#longestQueued, messageText.length);
      if (queued - longest > this.#limits.queuedChars) return 'overflow';
      this.#longestQueued = longest;
      this.#queue.push({ text: messageText, chunks });
      this.#queuedChars = queued;
      return NOTHING;
    }
    if (chunks === undefined) return [this.#sendWhole(messageText)];
    this.#begin(chunks);
    return this.more();
  }

  /** The next frames of the partial message and of the queue behind it. */
  more(): readonly WireFrame[] {
    const frames: WireFrame[] = [];
    while (frames.length < FRAMES_AT_ONCE) {
      if (this.#partial !== undefined) {
        this.#sendChunk(this.#partial, frames);
        continue;
      }
      const next = this.#hasRoom ? this.#queue.shift() : undefined;
      if (next === undefined) break;
      this.#queuedChars -= next.text.length;
      if (next.chunks === undefined) frames.push(this.#sendWhole(next.text));
      else this.#begin(next.chunks);
    }
    return frames;
  }

  /**
   * Forgets every sent frame up to this one; without a segment id all frames of that seq. Returns queued frames that
   * may be written now; `hasMore` says whether there are others. RC-36
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
    return this.#partial === undefined ? this.more() : NOTHING;
  }

  /** The pong to write now; none during a partial message: the pong follows it. RC-33 */
  pong(status: PongStatus): readonly WireFrame[] {
    if (this.#partial === undefined) return [this.#sendPong(status)];
    this.#delayedPongs.push(status);
    if (this.#delayedPongs.length > this.#limits.unackedPongs) this.#delayedPongs.shift();
    return NOTHING;
  }

  /** The unacknowledged frames, unchanged and in order. Send them first after a reconnect. RC-36 */
  replay(): readonly WireFrame[] {
    return this.#sent.map(({ frame }) => frame);
  }

  #isTooLongForOneFrame(messageText: string): boolean {
    const room = MAX_FRAME_BYTES - this.#envelopeBytes;
    const { length } = messageText;
    // A UTF-16 unit takes one to three bytes, so most messages need no exact count.
    return length > room || (length * 3 > room && Buffer.byteLength(messageText) > room);
  }

  get #hasRoom(): boolean {
    return this.#ended || this.#unacked < this.#limits.unackedFrames;
  }

  #begin(message: SplitMessage): void {
    this.#partial = { seqId: this.#takeSeqId(), message, pieces: message.pieces(), segmentId: 0 };
  }

  #sendChunk(partial: PartialMessage, frames: WireFrame[]): void {
    const { seqId, segmentId } = partial;
    const { segmentCount, messageSizeBytes } = partial.message;
    const step = partial.pieces.next();
    if (step.done !== true) {
      const frame = this.#writer.chunk(this.#tail, seqId, {
        segmentId,
        segmentCount,
        messageSizeBytes,
        bytes: step.value,
      });
      this.#unacked += 1;
      this.#sent.push({ seqId, segmentId, isPong: false, frame });
      frames.push(frame);
      partial.segmentId += 1;
      if (partial.segmentId < segmentCount) return;
    }
    this.#partial = undefined;
    const delayed = this.#delayedPongs;
    this.#delayedPongs = [];
    for (const status of delayed) frames.push(this.#sendPong(status));
  }

  #sendWhole(messageText: string): string {
    const seqId = this.#takeSeqId();
    const text = this.#writer.message(this.#tail, seqId, messageText);
    this.#unacked += 1;
    this.#sent.push({ seqId, segmentId: 0, isPong: false, frame: text });
    if (this.#ended && this.#sent.length > MAX_ENDED_FRAMES) {
      if (this.#sent.shift()?.isPong === true) this.#unackedPongs -= 1;
      else this.#unacked -= 1;
    }
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
