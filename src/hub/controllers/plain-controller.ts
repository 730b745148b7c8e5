import { ChunkAssembler, splitMessage } from '../../protocol/chunks.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { MAX_FRAME_BYTES } from '../../protocol/frames.js';
import { CLIENT_FRAMES, frameTail } from '../../protocol/frames-out.js';
import { memberText } from '../../protocol/json-members.js';
import { errorText, isRecord, RPC } from '../../protocol/jsonrpc.js';
import { Message } from '../../protocol/message.js';
import { readServerFrame } from '../../protocol/server-frames.js';
import type { Edge } from '../relay/edge.js';
import type { EdgeStream } from '../relay/edge-stream.js';
import type { HopFrame } from '../relay/records.js';
import { type RelaySocket, SOCKET_HIGH_WATER } from '../relay/timing.js';
import { readOnlyDecision } from './read-only.js';

/** Digits of a seq id. */
const SEQ_DIGITS = 16;

/** A controller with one socket for each virtual client and one JSON-RPC message in each frame. RC-91 */
export class PlainController {
  readonly #socket: RelaySocket;
  readonly #stream: EdgeStream;
  readonly #tail: ReturnType<typeof frameTail>;
  readonly #envelopeBytes: number;
  readonly #assembler = new ChunkAssembler({ assemblies: 1 });
  readonly #readOnly: ReadonlySet<string> | undefined;
  #lastSeqId = 0;
  #closed = false;

  /** @param readOnly the only methods that it may send. Default: all */
  constructor(
    socket: RelaySocket,
    edge: Edge,
    clientId: string,
    streamId: string,
    readOnly?: ReadonlySet<string>,
  ) {
    this.#socket = socket;
    this.#readOnly = readOnly;
    this.#tail = frameTail(clientId, streamId);
    this.#envelopeBytes = Buffer.byteLength(CLIENT_FRAMES.message(this.#tail, 0, '')) + SEQ_DIGITS;
    const peer = {
      session: undefined,
      onMoved: () => {},
      deliver: (frame: HopFrame) => this.#deliver(frame),
      onConfirmed: () => {},
      onOpen: () => {},
      close: (code: number, reason: string) => this.#close(code, reason),
    };
    this.#stream = edge.open(clientId, streamId, peer, false);
  }

  /** One frame of the controller. */
  receive(text: string): void {
    if (this.#closed) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#refuse(errorText(null, RPC.parseError, 'The message is not JSON'));
      return;
    }
    if (!isRecord(message)) {
      this.#refuse(errorText(null, RPC.invalidRequest, 'The message is not a JSON object'));
      return;
    }
    const sent = this.#readOnly === undefined ? text : this.#checked(message, this.#readOnly);
    if (sent === undefined) return;
    const frames = this.#framesOf(sent);
    if (frames === undefined) {
      const { shape } = Message.from(text);
      const id = shape.kind === 'request' ? shape.id : null;
      this.#refuse(errorText(id, RPC.messageTooLarge, 'The message is too large'));
      return;
    }
    for (const frame of frames) if (!this.#stream.send(frame)) return;
  }

  /** Undefined: it was refused or dropped. */
  #checked(message: Readonly<Record<string, unknown>>, allowed: ReadonlySet<string>): string | undefined {
    const decision = readOnlyDecision(message, allowed);
    if (decision.kind === 'allowed') return decision.text;
    if (decision.kind === 'refused') this.#refuse(decision.error);
    return undefined;
  }

  receiveBinary(): void {
    this.#close(CLOSE_CODES.unsupportedData, 'only text frames are accepted');
    this.#stream.leave();
  }

  /** The socket is closed. */
  onClosed(): void {
    this.#closed = true;
    this.#stream.leave();
  }

  #framesOf(text: string): Iterable<HopFrame> | undefined {
    const seqId = this.#lastSeqId + 1;
    if (Buffer.byteLength(text) + this.#envelopeBytes <= MAX_FRAME_BYTES) {
      this.#lastSeqId = seqId;
      const body = CLIENT_FRAMES.message(this.#tail, seqId, text);
      return [{ seqId, segmentId: 0, last: true, use: 'message', body }];
    }
    const split = splitMessage(text, this.#envelopeBytes);
    if (split === undefined) return undefined;
    this.#lastSeqId = seqId;
    const tail = `${this.#tail}${seqId}}`;
    return (function* () {
      for (const { segmentId, segmentCount, messageSizeBytes, chunkBase64 } of split) {
        const body =
          `{"type":"client_message_chunk","segment_id":${segmentId},"segment_count":${segmentCount},` +
          `"message_size_bytes":${messageSizeBytes},"message_chunk_base64":"${chunkBase64}"${tail}`;
        yield { seqId, segmentId, last: segmentId + 1 === segmentCount, use: 'message', body } as const;
      }
    })();
  }

  #deliver(frame: HopFrame): boolean {
    if (this.#socket.bufferedAmount > SOCKET_HIGH_WATER) return false;
    const { seqId } = frame;
    const whole = memberText(frame.body, 'message') ?? this.#assemble(frame);
    if (whole !== undefined) {
      this.#socket.send(whole, () => {
        this.#stream.delivered(seqId);
        this.#stream.ready();
      });
    } else if (frame.last) this.#stream.delivered(seqId);
    return true;
  }

  #assemble({ seqId, body }: HopFrame): string | undefined {
    const read = readServerFrame(body);
    if (read?.type !== 'server_message_chunk') return undefined;
    const result = this.#assembler.feed('', seqId, read.chunk, body.length);
    return result.kind === 'complete' ? result.text : undefined;
  }

  #refuse(error: string): void {
    if (this.#socket.bufferedAmount > SOCKET_HIGH_WATER) {
      this.#close(CLOSE_CODES.tryAgainLater, 'this controller does not read');
      this.#stream.leave();
    } else this.#socket.send(error);
  }

  #close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close(code, reason);
  }
}
