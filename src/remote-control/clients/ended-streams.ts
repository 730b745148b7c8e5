import { streamKey } from '../../protocol/frames.js';
import { errorText, RPC, type RpcId, withJsonrpc } from '../../protocol/jsonrpc.js';
import { Message } from '../../protocol/message.js';
import type { EndCause } from '../../session/end-cause.js';

/** Streams that are remembered; the one that ended first is forgotten. */
const MAX_STREAMS = 16_384;

interface EndedStream {
  readonly clientId: string;
  readonly streamId: string;
  readonly cause: EndCause;
  /** Highest seq_id that was delivered or answered. RC-32 */
  lastSeqId: number;
  /** The controller sends no stream id. RC-31 */
  readonly isLegacy: boolean;
}

/** Streams that the engine has ended, with the cause, for the controllers that still use them. RC-82 */
export class EndedStreams {
  readonly #streams = new Map<string, EndedStream>();
  /** By client id: the key of the stream of a controller that sends no stream id. */
  readonly #legacy = new Map<string, string>();

  add(key: string, stream: EndedStream): void {
    this.#streams.delete(key);
    this.#streams.set(key, stream);
    if (stream.isLegacy) this.#legacy.set(stream.clientId, key);
    if (this.#streams.size <= MAX_STREAMS) return;
    const oldest = this.#streams.keys().next();
    if (oldest.done !== true) this.delete(oldest.value);
  }

  delete(key: string): void {
    const stream = this.#streams.get(key);
    if (stream === undefined) return;
    this.#streams.delete(key);
    if (this.#legacy.get(stream.clientId) === key) this.#legacy.delete(stream.clientId);
  }

  /** The controller has closed one stream, or without a stream id all of its streams. */
  forget(clientId: string, streamId: string | undefined): void {
    if (streamId !== undefined) {
      this.delete(streamKey(clientId, streamId));
      return;
    }
    for (const [key, stream] of this.#streams) if (stream.clientId === clientId) this.delete(key);
  }

  /** The stream of a controller that sends no stream id. */
  streamIdOf(clientId: string): string | undefined {
    const key = this.#legacy.get(clientId);
    return key === undefined ? undefined : this.#streams.get(key)?.streamId;
  }

  /** Why the stream has ended; undefined for an unknown stream and for a frame that was delivered before. */
  take(key: string, seqId: number | undefined): EndCause | undefined {
    const stream = this.#streams.get(key);
    if (stream === undefined) return undefined;
    if (seqId !== undefined) {
      if (seqId <= stream.lastSeqId) return undefined;
      stream.lastSeqId = seqId;
    }
    return stream.cause;
  }
}

/** The error for a request on a stream that has ended; undefined for any other message. */
export function endedError(message: Message, cause: EndCause): string | undefined {
  return message.shape.kind === 'request' ? errorFor(message, message.shape.id, cause) : undefined;
}

/** The error in place of a response that can no longer be sent; undefined for any other message. */
export function lostResponseError(text: string, cause: EndCause): string | undefined {
  const message = Message.from(text);
  const { shape } = message;
  return shape.kind === 'response' && shape.id !== null ? errorFor(message, shape.id, cause) : undefined;
}

/** With `jsonrpc` where the message has it. WSA-42 */
function errorFor({ hasJsonrpc }: Message, id: RpcId, { reason, message }: EndCause): string {
  const text = errorText(id, RPC.appServerUnavailable, message, { reason });
  return hasJsonrpc ? withJsonrpc(text) : text;
}
