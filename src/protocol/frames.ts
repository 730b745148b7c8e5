/**
 * Frames of the remote-control link (spec section 7): JSON text, one object a frame. Inbound frames come from
 * the backend and are checked here once; outbound frames are written here. Hot path: no schema library.
 */
import { isRecord } from './jsonrpc.js';

/** Fields every inbound frame may carry. */
interface InboundBase {
  readonly clientId: string;
  /** Absent in frames of clients older than streams. RC-31 */
  readonly streamId: string | undefined;
  readonly seqId: number | undefined;
  readonly cursor: string | undefined;
}
export interface ClientMessageFrame extends InboundBase {
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
export interface AckFrame extends InboundBase {
  readonly type: 'ack';
  readonly segmentId: number | undefined;
}
export interface PingFrame extends InboundBase {
  readonly type: 'ping';
}
export interface ClientClosedFrame extends InboundBase {
  readonly type: 'client_closed';
}
export type InboundFrame = ClientMessageFrame | ClientChunkFrame | AckFrame | PingFrame | ClientClosedFrame;

/** Why a frame was skipped; never holds content of the frame. RC-40 */
export type FrameError = 'notJson' | 'notAnObject' | 'unknownType' | 'badField' | 'missingField';
export type DecodedFrame =
  | { readonly ok: true; readonly frame: InboundFrame }
  | { readonly ok: false; readonly fault: FrameError };

export type PongStatus = 'active' | 'unknown';

/** Largest frame in either direction, bytes. RC-38, RC-39 */
export const MAX_FRAME_BYTES = 150 * 1024;
/** Raw bytes of one outbound chunk. RC-38 */
export const CHUNK_BYTES = 100 * 1024;
export const MAX_CHUNKS = 1_024;
export const MAX_CHUNKED_MESSAGE_BYTES = 100 * 1024 * 1024;
/** Sent and not yet acknowledged frames of one stream before its app server is paused. RC-36 */
export const MAX_UNACKED_FRAMES = 128;

/** One map key for a (client, stream) pair that no other pair shares. */
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

/** Reads one frame of the backend. A null member counts as an absent one. RC-40 */
export function decodeInbound(text: string): DecodedFrame {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
  return readInbound(value);
}

/** From this size on a frame is looked at for a chunk before it is made a text. */
const LONG_FRAME = 4_096;
const CHUNK_MEMBER = '"message_chunk_base64":"';
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads a long frame that carries a chunk without making a text of the chunk, which would be copied several times
 * for nothing. Undefined when it is none, or not plain enough to tell: `decodeInbound` reads any frame.
 */
export function decodeChunkFrame(bytes: Buffer): DecodedFrame | undefined {
  const at = bytes.length < LONG_FRAME ? -1 : bytes.indexOf(CHUNK_MEMBER);
  if (at < 0) return undefined;
  const from = at + CHUNK_MEMBER.length;
  const to = bytes.indexOf(QUOTE, from);
  // Without an end, with another end than it seems, or not the only one.
  if (to < 0 || bytes.indexOf(CHUNK_MEMBER, to) >= 0) return undefined;
  const chunk = bytes.subarray(from, to);
  if (chunk.includes(BACKSLASH)) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8', 0, from) + bytes.toString('utf8', to));
  } catch {
    return NOT_JSON;
  }
  // In quotes of its own and found but once, the name can only be that of a member: of this object, if it is empty.
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

/** The members that a chunk frame has in either direction. Their values are judged by the ChunkAssembler. */
export interface ChunkFields {
  readonly segmentId: number;
  readonly segmentCount: number;
  readonly messageSizeBytes: number;
  /** Base64 as text, or the bytes of that text. */
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
