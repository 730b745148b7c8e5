/**
 * Writers of the frames that the engine sends. A message goes in as the app server wrote it and is never parsed and
 * stringified again, so large integers and formatting stay unchanged.
 */
import type { ChunkFields, PongStatus } from './frames.js';

/** The end of every frame of one stream, up to the sequence number. Made once per stream. */
export type FrameTail = string & { readonly frameTail: unique symbol };

export function frameTail(clientId: string, streamId: string): FrameTail {
  return `,"client_id":${JSON.stringify(clientId)},"stream_id":${JSON.stringify(streamId)},"seq_id":` as FrameTail;
}

/** Writes the frames of one direction. */
export interface FrameWriter {
  message(tail: FrameTail, seqId: number, messageText: string): string;
  chunk(tail: FrameTail, seqId: number, chunk: RawChunk): Buffer;
}

const writerOf = (side: 'server' | 'client'): FrameWriter => ({
  message: (tail, seqId, messageText) => `{"type":"${side}_message","message":${messageText}${tail}${seqId}}`,
  chunk: (tail, seqId, chunk) => chunkFrame(`${side}_message_chunk`, tail, seqId, chunk),
});

/** From the engine to a client. */
export const SERVER_FRAMES: FrameWriter = writerOf('server');
/** From a client to the engine. */
export const CLIENT_FRAMES: FrameWriter = writerOf('client');

/** An outbound frame: a string, or bytes where a string would only be copied once more. */
export type WireFrame = string | Buffer;

/** One chunk before base64. */
export interface RawChunk extends Omit<ChunkFields, 'chunkBase64'> {
  readonly bytes: Buffer;
}

/** Bytes encoded at a time: a multiple of three, so that the parts join, and small enough for short-lived strings. */
const ENCODED_AT_ONCE = 24 * 1024;

function chunkFrame(type: string, tail: FrameTail, seqId: number, chunk: RawChunk): Buffer {
  const { bytes } = chunk;
  const before =
    `{"type":"${type}","segment_id":${chunk.segmentId},"segment_count":${chunk.segmentCount},` +
    `"message_size_bytes":${chunk.messageSizeBytes},"message_chunk_base64":"`;
  const after = Buffer.from(`"${tail}${seqId}}`);
  const frame = Buffer.allocUnsafe(before.length + Math.ceil(bytes.length / 3) * 4 + after.length);
  let at = frame.write(before, 'latin1');
  for (let from = 0; from < bytes.length; from += ENCODED_AT_ONCE) {
    at += frame.write(bytes.toString('base64', from, from + ENCODED_AT_ONCE), at, 'latin1');
  }
  after.copy(frame, at);
  return frame;
}

export function pongWith(tail: FrameTail, seqId: number, status: PongStatus): string {
  return `{"type":"pong","status":"${status}"${tail}${seqId}}`;
}

export function serverMessageFrame(
  clientId: string,
  streamId: string,
  seqId: number,
  messageText: string,
): string {
  return SERVER_FRAMES.message(frameTail(clientId, streamId), seqId, messageText);
}

export function serverChunkFrame(
  clientId: string,
  streamId: string,
  seqId: number,
  chunk: ChunkFields,
): string {
  const bytes = Buffer.from(String(chunk.chunkBase64), 'base64');
  return SERVER_FRAMES.chunk(frameTail(clientId, streamId), seqId, { ...chunk, bytes }).toString();
}

export function pongFrame(clientId: string, streamId: string, seqId: number, status: PongStatus): string {
  return pongWith(frameTail(clientId, streamId), seqId, status);
}
