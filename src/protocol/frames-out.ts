/**
 * Writers of the frames this side sends (spec section 7). The message goes in as the text the app server wrote:
 * it is never parsed and written again, so big integers and formatting pass untouched.
 */
import type { ChunkFields, PongStatus } from './frames.js';

/** The members that end every frame of one stream, up to the number; made once a stream. */
export type FrameTail = string & { readonly frameTail: unique symbol };

export function frameTail(clientId: string, streamId: string): FrameTail {
  return `,"client_id":${JSON.stringify(clientId)},"stream_id":${JSON.stringify(streamId)},"seq_id":` as FrameTail;
}

export function serverMessageWith(tail: FrameTail, seqId: number, messageText: string): string {
  return `{"type":"server_message","message":${messageText}${tail}${seqId}}`;
}

export function serverChunkWith(tail: FrameTail, seqId: number, chunk: ChunkFields): string {
  return (
    `{"type":"server_message_chunk","segment_id":${chunk.segmentId},"segment_count":${chunk.segmentCount},` +
    `"message_size_bytes":${chunk.messageSizeBytes},"message_chunk_base64":"${chunk.chunkBase64}"${tail}${seqId}}`
  );
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
  return serverMessageWith(frameTail(clientId, streamId), seqId, messageText);
}

export function serverChunkFrame(
  clientId: string,
  streamId: string,
  seqId: number,
  chunk: ChunkFields,
): string {
  return serverChunkWith(frameTail(clientId, streamId), seqId, chunk);
}

export function pongFrame(clientId: string, streamId: string, seqId: number, status: PongStatus): string {
  return pongWith(frameTail(clientId, streamId), seqId, status);
}
