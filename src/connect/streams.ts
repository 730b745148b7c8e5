/** The data plane of `rc-engine connect`: one stream for each local connection, over one link to the backend. */
import { Acks } from '../protocol/acks.js';
import { ChunkAssembler } from '../protocol/chunks.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import type { ErrorCode } from '../protocol/errors.js';
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
  /** The backend, the environment or the link has ended the stream. Called once. */
  onClosed(end: StreamClosed): void;
}

/** Why a stream has ended. */
export interface StreamClosed {
  /** Close code; any number when a peer has sent it. */
  readonly code: number;
  readonly reason: ErrorCode;
  /** For people. May be the text of a peer. */
  readonly text: string;
}

const REASON_OF_CLOSE_CODE: Readonly<Record<number, ErrorCode>> = {
  [CLOSE_CODES.environmentOffline]: 'environmentOffline',
  [CLOSE_CODES.controllerRevoked]: 'controllerRevoked',
  [CLOSE_CODES.tryAgainLater]: 'clientOverloaded',
};

/** Characters of one stream held beside its longest message. An environment that keeps to RC-36 sends less. RC-99 */
const MAX_HELD_CHARS = 64 * 1024 * 1024;
/** Of all streams together. */
const MAX_HELD_IN_ALL = 512 * 1024 * 1024;
/** Seq ids grow by one. A jump as large as this would make the stream deaf to all frames that follow. RC-99 */
const MAX_SEQ_JUMP = 16_384;
/** Longest stream id of a frame that is acknowledged although its stream is gone, UTF-16 units. */
const MAX_ID_CHARS = 256;
/** Largest frame that is not a message, bytes. */
const MAX_CONTROL_BYTES = 16 * 1024;

const DAMAGED: StreamClosed = {
  code: CLOSE_CODES.internalError,
  reason: 'frameInvalid',
  text: 'a message of the environment arrived damaged',
};
const UNREAD: StreamClosed = {
  code: CLOSE_CODES.tryAgainLater,
  reason: 'clientOverloaded',
  text: 'the environment sent more than this client reads',
};
const UNKNOWN: StreamClosed = {
  code: CLOSE_CODES.serverRestarted,
  reason: 'appServerClosed',
  text: 'the environment no longer knows this stream',
};

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
  heldChars: number;
  /** Of the longest message since none was held. */
  longestHeld: number;
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
  readonly #maxHeldChars: number;
  readonly #maxHeldInAll: number;
  #heldInAll = 0;
  #socket: MuxSocket | undefined;

  constructor(deps: StreamsDeps, limits: { readonly heldChars?: number; readonly heldInAll?: number } = {}) {
    this.#deps = deps;
    this.#maxHeldChars = limits.heldChars ?? MAX_HELD_CHARS;
    this.#maxHeldInAll = limits.heldInAll ?? MAX_HELD_IN_ALL;
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
      heldChars: 0,
      longestHeld: 0,
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
  closeAll(which: 'all' | 'new', end: StreamClosed): void {
    for (const stream of [...this.#streams.values()]) {
      if (which === 'all' || stream.received === 0) this.#closed(stream, end);
    }
  }

  /** One text frame of the backend. */
  receive(bytes: Buffer): void {
    const text = bytes.toString();
    const frame = readServerFrame(text);
    if (frame === undefined) {
      if (bytes.length <= MAX_CONTROL_BYTES) this.#onControl(text);
      return;
    }
    const stream = this.#streams.get(frame.streamId);
    if (frame.clientId !== this.#deps.clientId) return;
    if (stream === undefined) {
      // The local end is gone. Without an ack the frames would be kept for ever.
      if (frame.type !== 'pong' && frame.streamId.length <= MAX_ID_CHARS)
        this.#acks.add(frame.clientId, frame.streamId, frame.seqId);
      return;
    }
    if (frame.seqId - stream.received > MAX_SEQ_JUMP) {
      this.#abandon(stream, DAMAGED);
      return;
    }
    if (frame.type === 'pong') {
      // With a number it is one of the environment, and counts in its numbering.
      if (frame.seqId > stream.received) this.#took(stream, frame.seqId);
      if (frame.status === 'unknown') this.#closed(stream, UNKNOWN);
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
      this.#abandon(stream, DAMAGED);
    }
  }

  /** Closes a stream at both ends. */
  #abandon(stream: OpenStream, end: StreamClosed): void {
    this.#closed(stream, end);
    this.#control('client_closed', stream.streamId);
  }

  #deliver(stream: OpenStream, seqId: number, text: string): void {
    stream.received = seqId;
    if (stream.paused) {
      this.#hold(stream, { seqId, text });
      return;
    }
    stream.paused = !stream.end.onMessage(text);
    this.#took(stream, seqId);
  }

  /** One message of any size is held; the limits count what waits beside it. */
  #hold(stream: OpenStream, message: HeldMessage): void {
    const { length } = message.text;
    stream.held.push(message);
    stream.heldChars += length;
    this.#heldInAll += length;
    stream.longestHeld = Math.max(stream.longestHeld, length);
    const beside = stream.heldChars - stream.longestHeld;
    if (beside > this.#maxHeldChars || (beside > 0 && this.#heldInAll > this.#maxHeldInAll)) {
      this.#release(stream);
      this.#abandon(stream, UNREAD);
    }
  }

  /** What is held of this stream, which holds nothing any more. */
  #release(stream: OpenStream): HeldMessage[] {
    this.#heldInAll -= stream.heldChars;
    stream.heldChars = 0;
    stream.longestHeld = 0;
    return stream.held.splice(0);
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
      if (next === undefined) {
        this.#release(stream);
        return;
      }
      stream.heldChars -= next.text.length;
      this.#heldInAll -= next.text.length;
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
      const code = typeof value.code === 'number' ? value.code : CLOSE_CODES.internalError;
      const text = typeof value.reason === 'string' ? value.reason : 'the environment closed this stream';
      this.#closed(stream, { code, reason: REASON_OF_CLOSE_CODE[code] ?? 'appServerClosed', text });
    }
  }

  #closed(stream: OpenStream, end: StreamClosed): void {
    // What the local end does not take yet is still for it.
    for (const { text } of this.#release(stream)) stream.end.onMessage(text);
    if (this.#remove(stream)) stream.end.onClosed(end);
  }

  #remove(stream: OpenStream): boolean {
    if (!this.#streams.delete(stream.streamId)) return false;
    this.#release(stream);
    this.#byKey.delete(stream.key);
    this.#assembler.reset(stream.streamId);
    this.#outbound.close(stream.key, stream.outbound);
    return true;
  }

  #control(type: 'ping' | 'client_closed', streamId: string): void {
    this.#socket?.send(JSON.stringify({ type, client_id: this.#deps.clientId, stream_id: streamId }));
  }
}
