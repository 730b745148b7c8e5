/** The data plane of `rc-engine connect`: one stream for each local connection, over one link to the backend. */
import { Acks } from '../protocol/acks.js';
import { ChunkAssembler } from '../protocol/chunks.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { streamKey } from '../protocol/frames.js';
import { CLIENT_FRAMES } from '../protocol/frames-out.js';
import { memberText } from '../protocol/json-members.js';
import { isRecord } from '../protocol/jsonrpc.js';
import type { OutboundStream } from '../protocol/outbound.js';
import { type MuxSocket, OutboundStreams } from '../protocol/outbound-streams.js';
import { readServerFrame } from '../protocol/server-frames.js';

/** The local end of a stream. */
export interface StreamEnd {
  /** A message of the environment. False: no further acks until `resume`, so that the other side stops. */
  onMessage(text: string): boolean;
  /** After `send` returned `full`: there is room again. */
  onWritable(): void;
  /** The backend or the environment has closed the stream. Called once. */
  onClosed(code: number, reason: string): void;
}

/** One open stream. */
export interface Stream {
  /** `full`: the message was taken; wait for `onWritable`. */
  send(text: string): 'sent' | 'full' | 'tooLarge' | 'overflow';
  /** The local end takes messages again. */
  resume(): void;
  /** The local end is gone. */
  close(): void;
}

interface HeldMessage {
  readonly seqId: number;
  readonly text: string;
}

interface OpenStream {
  readonly streamId: string;
  readonly key: string;
  readonly outbound: OutboundStream;
  readonly end: StreamEnd;
  /** Messages that the local end does not take yet. */
  readonly held: HeldMessage[];
  paused: boolean;
  /** The last delivered or held seq id. */
  received: number;
  /** The last one that the local end took. */
  delivered: number;
}

interface StreamsDeps {
  /** `client_id` of this controller. */
  readonly clientId: string;
  /** The backend reports whether the environment is connected. */
  readonly onEnvironment: (connected: boolean) => void;
}

/** The streams outlive the link: what was not acknowledged is sent again on the next one. RC-92 */
export class ControllerStreams {
  readonly #deps: StreamsDeps;
  readonly #streams = new Map<string, OpenStream>();
  readonly #byKey = new Map<string, OpenStream>();
  readonly #outbound: OutboundStreams;
  readonly #assembler = new ChunkAssembler();
  readonly #acks: Acks;
  #socket: MuxSocket | undefined;

  constructor(deps: StreamsDeps) {
    this.#deps = deps;
    this.#outbound = new OutboundStreams(
      { framesOut: 0, bytesOut: 0 },
      (key) => this.#byKey.get(key)?.end.onWritable(),
      CLIENT_FRAMES,
    );
    this.#acks = new Acks((frame) => this.#socket?.send(frame));
  }

  get size(): number {
    return this.#streams.size;
  }

  open(streamId: string, end: StreamEnd): Stream {
    const { clientId } = this.#deps;
    const key = streamKey(clientId, streamId);
    const outbound = this.#outbound.create(key, clientId, streamId);
    const stream: OpenStream = {
      ...{ streamId, key, outbound, end },
      held: [],
      paused: false,
      received: 0,
      delivered: 0,
    };
    this.#streams.set(streamId, stream);
    this.#byKey.set(key, stream);
    this.#outbound.open(key, outbound);
    return {
      send: (text) => this.#outbound.send(key, outbound, text),
      resume: () => this.#resume(stream),
      close: () => {
        if (this.#remove(stream)) this.#control('client_closed', streamId);
      },
    };
  }

  /** A new link is open: first everything that was not acknowledged, then a check that each stream is still open. */
  attach(socket: MuxSocket): void {
    this.#socket = socket;
    this.#outbound.attach(socket);
    for (const { streamId, received, delivered, outbound } of this.#streams.values()) {
      // A new stream whose first frame is sent again opens by that; the backend need not know it before.
      if (received > 0 || (outbound.unackedFrames === 0 && outbound.nextSeqId > 1)) {
        this.#control('ping', streamId);
      }
      if (delivered > 0) this.#acks.add(this.#deps.clientId, streamId, delivered);
    }
  }

  detach(socket: MuxSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#acks.clear();
    this.#outbound.detach(socket);
  }

  feed(): void {
    this.#outbound.feed();
  }

  /** Closes the local ends of all streams, or of those that have received nothing yet. */
  closeAll(which: 'all' | 'new', code: number, reason: string): void {
    for (const stream of [...this.#streams.values()]) {
      if (which === 'all' || stream.received === 0) this.#closed(stream, code, reason);
    }
  }

  /** One text frame of the backend. */
  receive(bytes: Buffer): void {
    const text = bytes.toString();
    const frame = readServerFrame(text);
    if (frame === undefined) {
      this.#onControl(text);
      return;
    }
    const stream = this.#streams.get(frame.streamId);
    if (frame.clientId !== this.#deps.clientId) return;
    if (stream === undefined) {
      // The local end is gone. Without an ack the frames would be kept for ever.
      if (frame.type !== 'pong') this.#acks.add(frame.clientId, frame.streamId, frame.seqId);
      return;
    }
    if (frame.type === 'pong') {
      // With a number it is one of the environment, and counts in its numbering.
      if (frame.seqId > stream.received) this.#took(stream, frame.seqId);
      if (frame.status === 'unknown')
        this.#closed(stream, CLOSE_CODES.serverRestarted, 'the environment no longer knows this stream');
      return;
    }
    if (frame.seqId <= stream.received) {
      if (stream.delivered > 0) this.#acks.add(frame.clientId, frame.streamId, stream.delivered);
      return;
    }
    if (frame.type === 'server_message') {
      this.#deliver(stream, frame.seqId, memberText(text, 'message') ?? '{}');
      return;
    }
    const result = this.#assembler.feed(stream.streamId, frame.seqId, frame.chunk, bytes.length);
    if (result.kind === 'complete') this.#deliver(stream, frame.seqId, result.text);
    else if (result.kind === 'dropped' && result.why !== 'stale' && result.why !== 'closedSeq') {
      this.#closed(stream, CLOSE_CODES.internalError, 'a message of the environment arrived damaged');
      this.#control('client_closed', frame.streamId);
    }
  }

  #deliver(stream: OpenStream, seqId: number, text: string): void {
    stream.received = seqId;
    if (stream.paused) {
      stream.held.push({ seqId, text });
      return;
    }
    stream.paused = !stream.end.onMessage(text);
    this.#took(stream, seqId);
  }

  #took(stream: OpenStream, seqId: number): void {
    stream.received = Math.max(stream.received, seqId);
    // Acks follow the order: not past a message that is held.
    if (stream.held.length > 0) return;
    stream.delivered = seqId;
    this.#acks.add(this.#deps.clientId, stream.streamId, seqId);
  }

  #resume(stream: OpenStream): void {
    stream.paused = false;
    while (!stream.paused) {
      const next: HeldMessage | undefined = stream.held.shift();
      if (next === undefined) return;
      stream.paused = !stream.end.onMessage(next.text);
      stream.delivered = next.seqId;
      this.#acks.add(this.#deps.clientId, stream.streamId, next.seqId);
    }
  }

  /** `ack`, `client_closed` and `environment`; anything else is skipped. */
  #onControl(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    if (!isRecord(value)) return;
    const { type, client_id: clientId, stream_id: streamId, seq_id: seqId, segment_id: segmentId } = value;
    if (type === 'environment') {
      if (typeof value.connected === 'boolean') this.#deps.onEnvironment(value.connected);
      return;
    }
    if (clientId !== this.#deps.clientId || typeof streamId !== 'string') return;
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    if (type === 'ack' && typeof seqId === 'number') {
      this.#outbound.ack(stream.key, seqId, typeof segmentId === 'number' ? segmentId : undefined);
    } else if (type === 'client_closed') {
      const { code, reason } = value;
      this.#closed(
        stream,
        typeof code === 'number' ? code : CLOSE_CODES.internalError,
        typeof reason === 'string' ? reason : 'the environment closed this stream',
      );
    }
  }

  #closed(stream: OpenStream, code: number, reason: string): void {
    // What the local end does not take yet is still for it.
    for (const { text } of stream.held.splice(0)) stream.end.onMessage(text);
    if (this.#remove(stream)) stream.end.onClosed(code, reason);
  }

  #remove(stream: OpenStream): boolean {
    if (!this.#streams.delete(stream.streamId)) return false;
    this.#byKey.delete(stream.key);
    this.#assembler.reset(stream.streamId);
    this.#outbound.close(stream.key, stream.outbound);
    return true;
  }

  #control(type: 'ping' | 'client_closed', streamId: string): void {
    this.#socket?.send(JSON.stringify({ type, client_id: this.#deps.clientId, stream_id: streamId }));
  }
}
