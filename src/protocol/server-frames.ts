/** The frames that a server sends to a client, through the backend. Hot path: checked by hand, without a schema library. */
import { type ChunkFields, type PongStatus, readChunk } from './frames.js';
import { isRecord } from './jsonrpc.js';

interface FrameBase {
  readonly clientId: string;
  readonly streamId: string;
  readonly seqId: number;
}
export type ServerFrame =
  | (FrameBase & { readonly type: 'server_message' })
  | (FrameBase & { readonly type: 'server_message_chunk'; readonly chunk: ChunkFields })
  | (FrameBase & { readonly type: 'pong'; readonly status: PongStatus });

/** Parses a frame. Undefined when it is not a valid frame of a server. */
export function readServerFrame(text: string): ServerFrame | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const { type, client_id: clientId, stream_id: streamId, seq_id: seqId } = value;
  if (typeof clientId !== 'string' || typeof streamId !== 'string') return undefined;
  if (typeof seqId !== 'number' || !Number.isSafeInteger(seqId) || seqId < 1) return undefined;
  switch (type) {
    case 'server_message':
      return isRecord(value.message) ? { type, clientId, streamId, seqId } : undefined;
    case 'server_message_chunk': {
      const chunk = readChunk(value);
      return typeof chunk === 'string' ? undefined : { type, clientId, streamId, seqId, chunk };
    }
    case 'pong': {
      const { status } = value;
      return status === 'active' || status === 'unknown'
        ? { type, clientId, streamId, seqId, status }
        : undefined;
    }
    default:
      return undefined;
  }
}
