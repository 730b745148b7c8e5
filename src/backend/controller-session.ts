import type { WebSocket } from 'ws';
import { Acks } from '../protocol/acks.js';
import { ChunkAssembler } from '../protocol/chunks.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { decodeChunkFrame, decodeInbound, type InboundFrame, streamKey } from '../protocol/frames.js';
import { pongFrame } from '../protocol/frames-out.js';
import { memberText } from '../protocol/json-members.js';
import type { OutboundStream } from '../protocol/outbound.js';
import { type MuxSocket, OutboundStreams } from '../protocol/outbound-streams.js';
import type { ClientPeer } from './client-peer.js';
import type { Relay } from './relay.js';
import type { Sockets } from './sockets.js';
import type { VirtualClient } from './virtual-client.js';

/** Open streams of one session. */
const MAX_STREAMS = 256;
/** Bytes of one stream that the server has not received, above which the controller gets no further acks. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** A pong of the backend itself is outside of the numbering, and is not acknowledged. */
const UNNUMBERED = 0;

interface ControllerSessionDeps {
  readonly clientId: string;
  readonly sockets: Sockets;
  readonly relay: () => Relay;
  /** Whether the environment is connected. */
  readonly isConnected: () => boolean;
  /** How long the streams stay without a socket, ms. */
  readonly hold: number;
  readonly onOpened: (streamId: string) => void;
  /** The session has no socket for too long, or was ended. */
  readonly onEnd: () => void;
}

interface Stream {
  readonly relay: Relay;
  readonly client: VirtualClient;
  readonly outbound: OutboundStream;
  /** Callbacks of the messages that the controller has not acknowledged; the first one has the seq id `firstSeqId`. */
  readonly unacked: (() => void)[];
  firstSeqId: number;
  /** Seq id of the last message of the controller. */
  received: number;
  /** The last message is not acknowledged, because too much waits for the server. */
  ackDue: boolean;
}

/**
 * One run of a controller that sends numbered frames: many streams over one socket at a time. The streams outlive the
 * socket, and the next one of the same session continues them, so that nothing is lost or doubled. RC-91, RC-92
 */
export class ControllerSession {
  readonly #deps: ControllerSessionDeps;
  readonly #streams = new Map<string, Stream>();
  readonly #outbound: OutboundStreams;
  readonly #assembler = new ChunkAssembler();
  readonly #acks: Acks;
  #socket: WebSocket | undefined;
  /** The same socket, as the streams write to it. */
  #link: MuxSocket | undefined;
  #holdTimer: NodeJS.Timeout | undefined;
  #ended = false;

  constructor(deps: ControllerSessionDeps) {
    this.#deps = deps;
    this.#outbound = new OutboundStreams({ framesOut: 0, bytesOut: 0 }, () => {});
    this.#acks = new Acks((frame) => this.#socket?.send(frame));
  }

  get connected(): boolean {
    return this.#socket !== undefined;
  }

  /** A new socket of this session. It replaces the one before. */
  attach(socket: WebSocket): void {
    const former = this.#socket;
    if (former !== undefined) {
      this.#detach();
      this.#deps.sockets.close(former, CLOSE_CODES.normal, 'replaced by a newer connection');
    }
    clearTimeout(this.#holdTimer);
    this.#socket = socket;
    this.#link = {
      send: (frame: string | Buffer) => socket.send(frame, { binary: false }, () => this.#outbound.feed()),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
    };
    socket.on('message', (data, isBinary) => {
      if (this.#socket === socket && !isBinary && Buffer.isBuffer(data)) this.#receive(data);
    });
    socket.on('close', () => {
      if (this.#socket !== socket) return;
      this.#detach();
      this.#holdTimer = setTimeout(() => this.end(), this.#deps.hold);
    });
    this.announce(this.#deps.isConnected());
    this.#outbound.attach(this.#link);
  }

  #detach(): void {
    this.#socket = undefined;
    this.#acks.clear();
    if (this.#link !== undefined) this.#outbound.detach(this.#link);
    this.#link = undefined;
  }

  /** Reports to the controller whether the environment is connected. */
  announce(connected: boolean): void {
    this.#socket?.send(JSON.stringify({ type: 'environment', connected }));
  }

  /** Closes the streams and the socket. */
  end(code: number = CLOSE_CODES.goingAway, reason = 'the session has ended'): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#holdTimer);
    for (const [streamId, { relay, client }] of [...this.#streams]) {
      this.#remove(streamId);
      relay.leave(client);
    }
    this.#assembler.clear();
    const socket = this.#socket;
    if (socket !== undefined) {
      this.#detach();
      this.#deps.sockets.close(socket, code, reason);
    }
    this.#deps.onEnd();
  }

  // --- from the controller

  #receive(bytes: Buffer): void {
    let text = '';
    let decoded = decodeChunkFrame(bytes);
    if (decoded === undefined) {
      text = bytes.toString();
      decoded = decodeInbound(text);
    }
    if (!decoded.ok || decoded.frame.clientId !== this.#deps.clientId) return;
    const { frame } = decoded;
    const { streamId } = frame;
    if (streamId === undefined) return;
    switch (frame.type) {
      case 'client_message':
        this.#onMessage(streamId, frame.seqId, memberText(text, 'message') ?? '');
        return;
      case 'client_message_chunk': {
        const result = this.#assembler.feed(streamId, frame.seqId, frame, bytes.length);
        if (result.kind === 'complete') this.#onMessage(streamId, frame.seqId, result.text);
        else if (result.kind === 'dropped') this.#onDroppedChunk(streamId, frame, result.why);
        return;
      }
      case 'ack':
        if (frame.seqId !== undefined) this.#onAck(streamId, frame.seqId, frame.segmentId);
        return;
      case 'ping':
        if (this.#streams.has(streamId)) this.#pong(streamId);
        else this.#sendClosed(streamId, CLOSE_CODES.serverRestarted, 'this stream is no longer open');
        return;
      case 'client_closed':
        this.#leave(streamId);
        return;
    }
  }

  #onMessage(streamId: string, seqId: number | undefined, message: string): void {
    if (seqId === undefined || message === '') return;
    const stream = this.#streams.get(streamId) ?? (seqId === 1 ? this.#open(streamId) : undefined);
    if (stream === undefined) {
      this.#sendClosed(streamId, CLOSE_CODES.serverRestarted, 'this stream is no longer open');
      return;
    }
    if (seqId > stream.received) {
      stream.received = seqId;
      stream.relay.receive(stream.client, message);
    }
    // The relay may have closed it.
    if (this.#streams.get(streamId) === stream) this.#acknowledge(stream);
  }

  /** A chunk that cannot become a message is acknowledged, because a repetition would be dropped again. */
  #onDroppedChunk(streamId: string, { seqId }: InboundFrame, why: string): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined || seqId === undefined) return;
    if (why === 'stale') return;
    stream.received = Math.max(stream.received, seqId);
    this.#acknowledge(stream);
  }

  /** While too much waits for the server there are no acks, so that the controller stops reading. */
  #acknowledge(stream: Stream): void {
    const { relay, client } = stream;
    stream.ackDue = relay.waitingBytes(client) > HIGH_WATER_BYTES;
    if (!stream.ackDue) this.#acks.add(client.clientId, client.streamId, stream.received);
  }

  #onAck(streamId: string, seqId: number, segmentId: number | undefined): void {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return;
    this.#outbound.ack(stream.client.key, seqId, segmentId);
    const whole = segmentId === undefined ? seqId : seqId - 1;
    while (stream.firstSeqId <= whole) {
      const onDelivered = stream.unacked.shift();
      if (onDelivered === undefined) return;
      stream.firstSeqId += 1;
      onDelivered();
    }
  }

  #open(streamId: string): Stream | undefined {
    const { clientId, relay: relayOf } = this.#deps;
    if (this.#streams.size >= MAX_STREAMS) {
      this.#sendClosed(streamId, CLOSE_CODES.tryAgainLater, 'too many streams of this controller');
      return undefined;
    }
    const relay = relayOf();
    const key = streamKey(clientId, streamId);
    const outbound = this.#outbound.create(key, clientId, streamId);
    const client = relay.openStream(this.#peer(streamId), clientId, streamId);
    const stream = { relay, client, outbound, unacked: [], firstSeqId: 1, received: 0, ackDue: false };
    this.#outbound.open(key, outbound);
    this.#streams.set(streamId, stream);
    this.#deps.onOpened(streamId);
    return stream;
  }

  #leave(streamId: string): void {
    const stream = this.#remove(streamId);
    stream?.relay.leave(stream.client);
  }

  #remove(streamId: string): Stream | undefined {
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return undefined;
    this.#streams.delete(streamId);
    this.#assembler.reset(streamId);
    this.#outbound.close(stream.client.key, stream.outbound);
    return stream;
  }

  // --- to the controller

  #peer(streamId: string): ClientPeer {
    return {
      send: (text, onDelivered) => {
        const stream = this.#streams.get(streamId);
        if (stream === undefined) return;
        const sent = this.#outbound.send(stream.client.key, stream.outbound, text);
        if (sent === 'tooLarge') onDelivered();
        else if (sent === 'overflow') {
          this.#closeStream(streamId, CLOSE_CODES.tryAgainLater, 'this controller does not read');
          stream.relay.leave(stream.client);
        } else stream.unacked.push(onDelivered);
      },
      unread: 0,
      close: (code, reason) => this.#closeStream(streamId, code, reason),
      onRoom: () => {
        const stream = this.#streams.get(streamId);
        if (stream?.ackDue === true) this.#acknowledge(stream);
      },
    };
  }

  #closeStream(streamId: string, code: number, reason: string): void {
    if (this.#remove(streamId) !== undefined) this.#sendClosed(streamId, code, reason);
  }

  #sendClosed(streamId: string, code: number, reason: string): void {
    const { clientId } = this.#deps;
    const ids = { client_id: clientId, stream_id: streamId };
    this.#socket?.send(JSON.stringify({ type: 'client_closed', ...ids, code, reason }));
  }

  #pong(streamId: string): void {
    this.#socket?.send(pongFrame(this.#deps.clientId, streamId, UNNUMBERED, 'active'));
  }
}
