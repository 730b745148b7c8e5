import { randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { splitMessage } from '../protocol/chunks.js';
import { MAX_FRAME_BYTES, streamKey } from '../protocol/frames.js';

interface Delivery {
  readonly seqId: number;
  /** Pongs are not for the controller: they are done once everything before them is. */
  readonly isPong: boolean;
}

/** Room in a frame for the numbers that are not known when its size is judged. */
const NUMBERS_BYTES = 64;

/**
 * One socket of a controller: one virtual client. Numbers what the controller sends, and knows up to where the
 * server's frames have been delivered to it.
 */
export class ControllerStream {
  readonly socket: WebSocket;
  readonly clientId: string;
  readonly streamId = randomUUID();
  /** Names the stream in maps. */
  readonly key: string;
  /** The server has answered on this stream, so it knows it. */
  opened = false;
  /** A server may have got frames of this stream. */
  sent = false;
  /** Runs while there is no server. */
  hold: NodeJS.Timeout | undefined;
  readonly #tail: string;
  #lastSeqId = 0;
  #lastReceived = 0;
  readonly #delivering: Delivery[] = [];

  constructor(socket: WebSocket, clientId: string) {
    this.socket = socket;
    this.clientId = clientId;
    this.key = streamKey(clientId, this.streamId);
    this.#tail = `"client_id":${JSON.stringify(clientId)},"stream_id":"${this.streamId}"`;
  }

  /** The frames of a message; undefined when it is beyond what can be carried. RC-38, RC-39 */
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

  /** False for what came before: a server sends again what it has no ack for. RC-36 */
  isNew(seqId: number): boolean {
    return seqId > this.#lastReceived;
  }

  /**
   * Hands a message to the controller. `onDelivered` is called with the seq id that may be acknowledged, once it
   * and everything before it has been written.
   */
  deliver(seqId: number, text: string, onDelivered: (seqId: number) => void): void {
    this.#lastReceived = seqId;
    this.#delivering.push({ seqId, isPong: false });
    this.socket.send(text, (error) => {
      // A controller that is gone takes nothing; its stream is about to be closed.
      if (error != null) return;
      let done = this.#delivering.shift();
      while (this.#delivering[0]?.isPong === true) done = this.#delivering.shift();
      if (done !== undefined) onDelivered(done.seqId);
    });
  }

  /** A frame that is not for the controller. */
  pass(seqId: number, onDelivered: (seqId: number) => void): void {
    this.#lastReceived = seqId;
    if (this.#delivering.length === 0) onDelivered(seqId);
    else this.#delivering.push({ seqId, isPong: true });
  }

  /** What may be acknowledged again when the server repeats itself. */
  get deliveredSeqId(): number {
    const [first] = this.#delivering;
    return first === undefined ? this.#lastReceived : first.seqId - 1;
  }
}
