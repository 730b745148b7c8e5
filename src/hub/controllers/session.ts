import { Acks } from '../../protocol/acks.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { type ClientChunkFrame, decodeInbound } from '../../protocol/frames.js';
import { CLIENT_FRAMES, frameTail, pongFrame } from '../../protocol/frames-out.js';
import { memberText } from '../../protocol/json-members.js';
import type { Edge } from '../relay/edge.js';
import type { EdgeStream } from '../relay/edge-stream.js';
import type { HopFrame } from '../relay/records.js';
import { type RelaySocket, SOCKET_HIGH_WATER } from '../relay/timing.js';

/** Open streams of one session. */
const MAX_STREAMS = 256;
/** A pong of the hub itself is outside of the numbering, and is not acknowledged. */
const UNNUMBERED = 0;
/** Longest stream id, UTF-16 units. */
const MAX_ID_CHARS = 256;

interface SessionStream {
  readonly stream: EdgeStream;
  readonly tail: ReturnType<typeof frameTail>;
  seqId: number;
  segmentId: number;
  /** The controller has sent a ping and waits for the pong. */
  pongDue: boolean;
}

/**
 * One socket of a controller that sends numbered frames, for many streams. The numbers of both ends pass through, and
 * nothing is kept here when the socket is gone: the next one, on this node or on another, opens the streams again. RC-91, RC-92
 */
export class ControllerSocket {
  readonly #socket: RelaySocket;
  readonly #edge: Edge;
  readonly #clientId: string;
  readonly #number: number;
  readonly #streams = new Map<string, SessionStream>();
  readonly #acks: Acks;
  readonly #release: () => void;
  #closed = false;
  /** Streams whose frames wait for room in the socket. */
  readonly #full = new Set<EdgeStream>();

  /** @param number of `claimSession`: a newer socket of the same session has a higher one */
  constructor(socket: RelaySocket, edge: Edge, clientId: string, number: number) {
    this.#number = number;
    this.#socket = socket;
    this.#edge = edge;
    this.#clientId = clientId;
    this.#acks = new Acks((frame) => socket.send(frame));
    this.#release = edge.use();
    this.announce(edge.connected);
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Reports to the controller whether the environment is connected. */
  announce(connected: boolean): void {
    if (!this.#closed) this.#socket.send(JSON.stringify({ type: 'environment', connected }));
  }

  close(code: number, reason: string): void {
    this.onClosed();
    this.#socket.close(code, reason);
  }

  /** The socket is closed. */
  onClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#acks.clear();
    for (const { stream } of [...this.#streams.values()]) stream.detach();
    this.#streams.clear();
    this.#release();
  }

  // --- from the controller

  receive(text: string): void {
    if (this.#closed) return;
    const decoded = decodeInbound(text);
    if (!decoded.ok || decoded.frame.clientId !== this.#clientId) return;
    const { frame } = decoded;
    const { streamId, seqId } = frame;
    if (streamId === undefined || streamId.length > MAX_ID_CHARS) return;
    switch (frame.type) {
      case 'client_message': {
        const message = memberText(text, 'message');
        if (seqId === undefined || message === undefined) return;
        const at = { seqId, segmentId: 0, last: true, use: 'message' } as const;
        this.#send(streamId, seqId, (tail) => ({ ...at, body: CLIENT_FRAMES.message(tail, seqId, message) }));
        return;
      }
      case 'client_message_chunk': {
        if (seqId === undefined) return;
        const { segmentId, segmentCount } = frame;
        const at = { seqId, segmentId, last: segmentId + 1 >= segmentCount, use: 'message' } as const;
        this.#send(streamId, seqId, (tail) => ({ ...at, body: chunkText(frame, tail, seqId) }));
        return;
      }
      case 'ack':
        if (seqId !== undefined) {
          const whole = frame.segmentId === undefined ? seqId : seqId - 1;
          (this.#streams.get(streamId) ?? this.#open(streamId, true))?.stream.delivered(whole);
        }
        return;
      case 'ping': {
        const stream = this.#streams.get(streamId) ?? this.#open(streamId, true);
        if (stream === undefined) return;
        stream.pongDue = true;
        if (stream.stream.isOpen) this.#pong(streamId, stream);
        return;
      }
      case 'client_closed': {
        const stream = this.#streams.get(streamId) ?? this.#open(streamId, true);
        this.#streams.delete(streamId);
        stream?.stream.leave();
        return;
      }
    }
  }

  #send(streamId: string, seqId: number, frameOf: (tail: SessionStream['tail']) => HopFrame): void {
    const stream = this.#streams.get(streamId) ?? this.#open(streamId, seqId > 1);
    if (stream === undefined) return;
    const frame = frameOf(stream.tail);
    if (frame.seqId < stream.seqId) return;
    if (frame.seqId === stream.seqId && frame.segmentId <= stream.segmentId) return;
    stream.seqId = frame.seqId;
    stream.segmentId = frame.segmentId;
    stream.stream.send(frame);
  }

  #open(streamId: string, started: boolean): SessionStream | undefined {
    if (this.#streams.size >= MAX_STREAMS) {
      this.#sendClosed(streamId, CLOSE_CODES.tryAgainLater, 'too many streams of this controller');
      return undefined;
    }
    const peer = {
      session: this.#number,
      onMoved: () => this.close(CLOSE_CODES.normal, 'replaced by a newer connection'),
      deliver: (frame: HopFrame) => this.#deliver(streamId, frame),
      onConfirmed: (confirmed: number) => this.#acks.add(this.#clientId, streamId, confirmed),
      onOpen: () => {
        const stream = this.#streams.get(streamId);
        if (stream?.pongDue === true) this.#pong(streamId, stream);
      },
      close: (code: number, reason: string) => {
        this.#streams.delete(streamId);
        this.#sendClosed(streamId, code, reason);
      },
    };
    const stream: SessionStream = {
      stream: this.#edge.open(this.#clientId, streamId, peer, started),
      tail: frameTail(this.#clientId, streamId),
      ...{ seqId: 0, segmentId: 0, pongDue: false },
    };
    this.#streams.set(streamId, stream);
    return stream;
  }

  // --- to the controller

  #deliver(streamId: string, frame: HopFrame): boolean {
    const stream = this.#streams.get(streamId)?.stream;
    if (stream === undefined) return true;
    if (this.#socket.bufferedAmount > SOCKET_HIGH_WATER) {
      this.#full.add(stream);
      return false;
    }
    this.#socket.send(frame.body, this.#onWritten);
    return true;
  }

  readonly #onWritten = (): void => {
    if (this.#full.size === 0 || this.#socket.bufferedAmount > SOCKET_HIGH_WATER / 2) return;
    const ready = [...this.#full];
    this.#full.clear();
    for (const stream of ready) stream.ready();
  };

  #pong(streamId: string, stream: SessionStream): void {
    stream.pongDue = false;
    if (!this.#closed) this.#socket.send(pongFrame(this.#clientId, streamId, UNNUMBERED, 'active'));
  }

  #sendClosed(streamId: string, code: number, reason: string): void {
    if (this.#closed) return;
    const ids = { client_id: this.#clientId, stream_id: streamId };
    this.#socket.send(JSON.stringify({ type: 'client_closed', ...ids, code, reason }));
  }
}

/** Written again, so that no member of the controller is in it that this node has not read. */
function chunkText(frame: ClientChunkFrame, tail: SessionStream['tail'], seqId: number): string {
  const { segmentId, segmentCount, messageSizeBytes, chunkBase64 } = frame;
  return (
    `{"type":"client_message_chunk","segment_id":${segmentId},"segment_count":${segmentCount},` +
    `"message_size_bytes":${messageSizeBytes},"message_chunk_base64":${JSON.stringify(String(chunkBase64))}${tail}${seqId}}`
  );
}
