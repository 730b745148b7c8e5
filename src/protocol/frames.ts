/**
 * Inbound frames of the remote-control link: one JSON object per frame, validated here once. Performance matters, so
 * there is no schema library.
 */
import { isRecord } from './jsonrpc.js';

/** Members of every inbound frame. */
interface InboundBase {
  readonly clientId: string;
  /** Absent in frames of clients older than streams. RC-31 */
  readonly streamId: string | undefined;
  readonly seqId: number | undefined;
  readonly cursor: string | undefined;
}
interface ClientMessageFrame extends InboundBase {
  readonly type: 'client_message';
  /** The JSON-RPC message, parsed with the frame. */
  readonly message: Readonly<Record<string, unknown>>;
}
export interface ClientChunkFrame extends InboundBase {
  readonly type: 'client_message_chunk';
  readonly segmentId: number;
  readonly segmentCount: number;
  readonly messageSizeBytes: number;
  readonly chunkBase64: string | Buffer;
}
interface AckFrame extends InboundBase {
  readonly type: 'ack';
  readonly segmentId: number | undefined;
}
interface PingFrame extends InboundBase {
  readonly type: 'ping';
}
interface ClientClosedFrame extends InboundBase {
  readonly type: 'client_closed';
}
export type InboundFrame = ClientMessageFrame | ClientChunkFrame | AckFrame | PingFrame | ClientClosedFrame;

/** Why a frame was skipped; contains nothing of the frame. RC-40 */
export type FrameError = 'notJson' | 'notAnObject' | 'unknownType' | 'badField' | 'missingField';
type DecodedFrame =
  | { readonly ok: true; readonly frame: InboundFrame }
  | { readonly ok: false; readonly fault: FrameError };

export type PongStatus = 'active' | 'unknown';

/** Largest frame in both directions, bytes. RC-38, RC-39 */
export const MAX_FRAME_BYTES = 150 * 1024;
/** Raw bytes of one outbound chunk. RC-38 */
export const CHUNK_BYTES = 100 * 1024;
export const MAX_CHUNKS = 1_024;
export const MAX_CHUNKED_MESSAGE_BYTES = 100 * 1024 * 1024;
/** Unacknowledged frames of one stream at which its app server is paused. RC-36 */
export const MAX_UNACKED_FRAMES = 128;

/** A map key that is unique for each (client, stream) pair. */
export function streamKey(clientId: string, streamId: string): string {
  return `${clientId.length}:${clientId}${streamId}`;
}

const fault = (name: FrameError): DecodedFrame => ({ ok: false, fault: name });
const NOT_JSON = fault('notJson');
const NOT_AN_OBJECT = fault('notAnObject');
const UNKNOWN_TYPE = fault('unknownType');
const BAD_FIELD = fault('badField');
const MISSING_FIELD = fault('missingField');

function isCount(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && Number.isSafeInteger(value);
}

/** Reads one frame of the backend. A null member counts as absent. RC-40 */
export function decodeInbound(text: string): DecodedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
  return readInbound(value);
}

/** From this size on a frame is searched for a chunk before it is decoded to a string. */
const LONG_FRAME = 4_096;
const CHUNK_MEMBER = '"message_chunk_base64":"';
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads a long frame with a chunk without decoding the chunk to a string, which would copy it several times. Undefined
 * for other frames, and when the bytes do not show clearly that it is one: `decodeInbound` reads any frame.
 */
export function decodeChunkFrame(bytes: Buffer): DecodedFrame | undefined {
  const at = bytes.length < LONG_FRAME ? -1 : bytes.indexOf(CHUNK_MEMBER);
  if (at < 0) return undefined;
  const from = at + CHUNK_MEMBER.length;
  const to = bytes.indexOf(QUOTE, from);
  // Not closed, or the member occurs twice; below: a backslash, so the quote may not be its end.
  if (to < 0 || bytes.indexOf(CHUNK_MEMBER, to) >= 0) return undefined;
  const chunk = bytes.subarray(from, to);
  if (chunk.includes(BACKSLASH)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8', 0, from) + bytes.toString('utf8', to));
  } catch {
    return NOT_JSON;
  }
  // The quoted name occurs once, so it is the name of a member; an empty value shows that it is one of this object.
  if (!isRecord(value) || value.message_chunk_base64 !== '') return undefined;
  return readInbound({ ...value, message_chunk_base64: chunk });
}

function readInbound(value: unknown): DecodedFrame {
  if (!isRecord(value)) return NOT_AN_OBJECT;
  const { type, client_id: clientId } = value;
  const streamId = value.stream_id ?? undefined;
  const seqId = value.seq_id ?? undefined;
  const cursor = value.cursor ?? undefined;
  if (type == null) return MISSING_FIELD;
  if (typeof type !== 'string') return BAD_FIELD;
  if (clientId == null) return INBOUND_TYPES.has(type) ? MISSING_FIELD : UNKNOWN_TYPE;
  if (typeof clientId !== 'string' || clientId === '') return BAD_FIELD;
  if (streamId !== undefined && typeof streamId !== 'string') return BAD_FIELD;
  if (seqId !== undefined && !isCount(seqId)) return BAD_FIELD;
  if (cursor !== undefined && typeof cursor !== 'string') return BAD_FIELD;

  switch (type) {
    case 'client_message': {
      const { message } = value;
      if (message == null) return MISSING_FIELD;
      if (!isRecord(message)) return BAD_FIELD;
      return { ok: true, frame: { type, clientId, streamId, seqId, cursor, message } };
    }
    case 'client_message_chunk': {
      const chunk = readChunk(value);
      if (typeof chunk === 'string') return chunk === 'missingField' ? MISSING_FIELD : BAD_FIELD;
      return { ok: true, frame: { type, clientId, streamId, seqId, cursor, ...chunk } };
    }
    case 'ack': {
      const segmentId = value.segment_id ?? undefined;
      if (seqId === undefined) return MISSING_FIELD;
      if (segmentId !== undefined && !isCount(segmentId)) return BAD_FIELD;
      return { ok: true, frame: { type, clientId, streamId, seqId, cursor, segmentId } };
    }
    case 'ping':
    case 'client_closed':
      return { ok: true, frame: { type, clientId, streamId, seqId, cursor } };
    default:
      return UNKNOWN_TYPE;
  }
}

const INBOUND_TYPES = new Set<string>([
  'client_message',
  'client_message_chunk',
  'ack',
  'ping',
  'client_closed',
] satisfies InboundFrame['type'][]);

/** The members of a chunk frame in both directions. The ChunkAssembler checks their values. */
export interface ChunkFields {
  readonly segmentId: number;
  readonly segmentCount: number;
  readonly messageSizeBytes: number;
  /** Base64 as a string, or the bytes of that string. */
  readonly chunkBase64: string | Buffer;
}

export function readChunk(
  frame: Readonly<Record<string, unknown>>,
): ChunkFields | 'missingField' | 'badField' {
  const segmentId = frame.segment_id;
  const segmentCount = frame.segment_count;
  const messageSizeBytes = frame.message_size_bytes;
  const chunkBase64 = frame.message_chunk_base64;
  if (segmentId == null || segmentCount == null || messageSizeBytes == null || chunkBase64 == null) {
    return 'missingField';
  }
  if (!isCount(segmentId) || !isCount(segmentCount) || !isCount(messageSizeBytes)) return 'badField';
  if (typeof chunkBase64 !== 'string' && !Buffer.isBuffer(chunkBase64)) return 'badField';
  return { segmentId, segmentCount, messageSizeBytes, chunkBase64 };
}
