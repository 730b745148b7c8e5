import { randomUUID } from 'node:crypto';
import { splitMessage } from '../protocol/chunks.js';
import { MAX_FRAME_BYTES, streamKey } from '../protocol/frames.js';
import type { ClientPeer } from './client-peer.js';

interface Delivery {
  readonly seqId: number;
  /** Pongs are not sent to the controller. They count as delivered once everything before them is. */
  readonly isPong: boolean;
}

/** Room in a frame for the numbers that are not known when its size is checked. */
const NUMBERS_BYTES = 64;

/**
 * One virtual client (client_id, stream_id) of a controller. Numbers the messages of the controller, and
 * records up to which seq id the frames of the server are delivered to it.
 */
export class VirtualClient {
  readonly peer: ClientPeer;
  readonly clientId: string;
  readonly streamId: string;
  /** Key of the virtual client in maps. */
  readonly key: string;
  /** The server has sent a message on this stream, so it knows the virtual client. */
  opened = false;
  /** The server may have received frames of this stream. */
  sent = false;
  /** Runs while the server is not connected. */
  holdTimer: NodeJS.Timeout | undefined;
  readonly #tail: string;
  #lastSeqId = 0;
  #lastReceived = 0;
  readonly #delivering: Delivery[] = [];

  /** @param streamId default: a new one */
  constructor(peer: ClientPeer, clientId: string, streamId: string = randomUUID()) {
    this.peer = peer;
    this.clientId = clientId;
    this.streamId = streamId;
    this.key = streamKey(clientId, this.streamId);
    this.#tail = `"client_id":${JSON.stringify(clientId)},"stream_id":${JSON.stringify(streamId)}`;
  }

  /** The frames of a message; undefined when it is larger than chunks can carry. RC-38, RC-39 */
  messageFrames(text: string): ((cursor: string) => Iterable<string>) | undefined {
    const seqId = this.#lastSeqId + 1;
    const end = (cursor: string): string => `,${this.#tail},"seq_id":${seqId},"cursor":"${cursor}"}`;
    const envelopeBytes = Buffer.byteLength(end('')) + NUMBERS_BYTES;
    if (Buffer.byteLength(text) + envelopeBytes <= MAX_FRAME_BYTES) {
      this.#lastSeqId = seqId;
      return (cursor) => [`{"type":"client_message","message":${text}${end(cursor)}`];
    }
    const split = splitMessage(text, envelopeBytes);
    if (split === undefined) return undefined;
    this.#lastSeqId = seqId;
    return (cursor) => ({
      *[Symbol.iterator]() {
        for (const chunk of split) {
          yield `{"type":"client_message_chunk","segment_id":${chunk.segmentId},` +
            `"segment_count":${chunk.segmentCount},"message_size_bytes":${chunk.messageSizeBytes},` +
            `"message_chunk_base64":"${chunk.chunkBase64}"${end(cursor)}`;
        }
      },
    });
  }

  closedFrame(cursor: string): string {
    return `{"type":"client_closed",${this.#tail},"cursor":"${cursor}"}`;
  }

  pingFrame(): string {
    return `{"type":"ping",${this.#tail}}`;
  }

  /** False for a repeated frame: a server sends again every frame that is not acknowledged. RC-36 */
  isNew(seqId: number): boolean {
    return seqId > this.#lastReceived;
  }

  /**
   * Sends a message to the controller. `onDelivered` is called with the seq id that may be acknowledged, once this
   * message and everything before it is written.
   */
  deliver(seqId: number, text: string, onDelivered: (seqId: number) => void): void {
    this.#lastReceived = seqId;
    this.#delivering.push({ seqId, isPong: false });
    this.peer.send(text, () => {
      let done = this.#delivering.shift();
      while (this.#delivering[0]?.isPong === true) done = this.#delivering.shift();
      if (done !== undefined) onDelivered(done.seqId);
    });
  }

  /** Counts a frame that is not sent to the controller. */
  skip(seqId: number, onDelivered: (seqId: number) => void): void {
    this.#lastReceived = seqId;
    if (this.#delivering.length === 0) onDelivered(seqId);
    else this.#delivering.push({ seqId, isPong: true });
  }

  /** The seq id to acknowledge again when the server repeats a frame. */
  get deliveredSeqId(): number {
    const [first] = this.#delivering;
    return first === undefined ? this.#lastReceived : first.seqId - 1;
  }
}
