/**
 * Frames of the remote-control link (spec section 7): JSON text, one object a frame. Inbound frames come from
 * the backend and are checked here once; outbound frames are written here. Hot path: no schema library.
 */

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
  readonly chunkBase64: string;
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
export type FrameFault = 'notJson' | 'notAnObject' | 'unknownType' | 'badField' | 'missingField';
export type DecodedFrame =
  | { readonly ok: true; readonly frame: InboundFrame }
  | { readonly ok: false; readonly fault: FrameFault };

export type PongStatus = 'active' | 'unknown';

/** Largest frame in either direction, bytes. RC-38, RC-39 */
export const MAX_FRAME_BYTES = 150 * 1024;
/** Raw bytes of one outbound chunk. RC-38 */
export const CHUNK_BYTES = 100 * 1024;
export const MAX_CHUNKS = 1_024;
export const MAX_CHUNKED_MESSAGE_BYTES = 100 * 1024 * 1024;
/** Sent and not yet acknowledged frames of one stream before its app server is paused. RC-36 */
export const MAX_UNACKED_FRAMES = 128;
