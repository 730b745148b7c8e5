import type { virtualClientMachine } from '../../../machines/virtual-client.js';
import { ChunkAssembler } from '../../protocol/chunks.js';
import {
  type ClientChunkFrame,
  decodeChunkFrame,
  decodeInbound,
  type InboundFrame,
  streamKey,
} from '../../protocol/frames.js';
import { pongFrame, type WireFrame } from '../../protocol/frames-out.js';
import { memberText } from '../../protocol/json-members.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { Message } from '../../protocol/message.js';
import { OutboundStream } from '../../protocol/outbound.js';
import type { Reason } from '../../protocol/reasons.js';
import { uuidV7 } from '../../system/uuid.js';
import {
  provideVirtualClient,
  tooLargeResponse,
  VirtualClient,
  type VirtualClientDeps,
} from './virtual-client.js';

/** The open backend socket, as the data plane sees it. */
export interface MuxSocket {
  /** One text frame. */
  send(frame: WireFrame): void;
  readonly bufferedAmount: number;
}

export interface RemoteMuxDeps extends VirtualClientDeps {
  readonly maxClients: number;
  /** Something was skipped or dropped: said without its content. RC-39, RC-40 */
  readonly onSkipped: (why: string, fields: Readonly<Record<string, unknown>>) => void;
}

export interface MuxCounters {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  framesSkipped: number;
  clientsOpened: number;
}

/** Unsent bytes in the socket at which streams stop adding more; its `drain` starts them again. */
const SOCKET_HIGH_WATER = 4 * 1024 * 1024;
/** Streams that are closed and whose outbound numbering is remembered; the one closed longest ago goes first. RC-35 */
const MAX_REMEMBERED_STREAMS = 16_384;

/**
 * The data plane of remote control: frames in, virtual clients, frames out. It outlives the socket, so that a
 * client goes on where it was after a reconnect. Bytes take the short way: no chart sees a frame.
 */
export class RemoteMux {
  readonly #deps: RemoteMuxDeps;
  readonly #machine: typeof virtualClientMachine = provideVirtualClient(
    (clientId, streamId) => this.#clients.get(streamKey(clientId, streamId))?.session,
  );
  readonly #clients = new Map<string, VirtualClient>();
  readonly #streams = new Map<string, OutboundStream>();
  /** Next seq id of streams without a client. */
  readonly #numbering = new Map<string, number>();
  /** Stream ids made for clients that send none. RC-31 */
  readonly #legacyStreams = new Map<string, string>();
  readonly #assembler = new ChunkAssembler();
  /** Streams whose message is half out, or that wait for the socket. */
  readonly #hungry = new Set<string>();
  /** After a reconnect: what is sent again and still waits for the socket. New frames of the stream queue behind it. */
  readonly #backlog = new Map<string, WireFrame[]>();
  readonly counters: MuxCounters = {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    framesSkipped: 0,
    clientsOpened: 0,
  };
  #socket: MuxSocket | undefined;
  #cursor: string | undefined;
  #sweep: NodeJS.Timeout | undefined;

  constructor(deps: RemoteMuxDeps) {
    this.#deps = deps;
  }

  /** Cursor of the newest delivered frame: what the next handshake asks to go on after. RC-37 */
  get cursor(): string | undefined {
    return this.#cursor;
  }
  get size(): number {
    return this.#clients.size;
  }
  get clients(): readonly VirtualClient[] {
    return [...this.#clients.values()];
  }

  /** A new link is open: what was not acknowledged goes out again first. RC-36 */
  attach(socket: MuxSocket): void {
    this.#socket = socket;
    for (const [key, stream] of this.#streams) {
      const again = stream.replay();
      if (again.length > 0) this.#backlog.set(key, [...again]);
      if (stream.hasMore) this.#hungry.add(key);
    }
    this.feed();
    this.#sweep ??= setInterval(() => this.sweepIdle(), this.#deps.timing.idleSweep);
    this.#sweep.unref();
  }

  detach(socket: MuxSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = undefined;
    this.#backlog.clear();
  }

  /** Ends every client and forgets where the stream of frames was: the next identity starts afresh. */
  dropAll(reason: Reason): void {
    for (const client of this.#clients.values()) client.close(reason);
    this.#assembler.clear();
    this.#legacyStreams.clear();
    this.#cursor = undefined;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** Closes clients that have been silent for too long. RC-34 */
  sweepIdle(): void {
    const limit = this.#deps.env.now() - this.#deps.timing.clientIdle;
    for (const client of this.#clients.values()) if (client.lastActivity <= limit) client.expire();
  }

  /** One text frame of the backend, as the bytes of its text. */
  receive(bytes: Buffer): void {
    this.counters.framesIn += 1;
    this.counters.bytesIn += bytes.length;
    let text = '';
    let decoded = decodeChunkFrame(bytes);
    if (decoded === undefined) {
      text = bytes.toString();
      decoded = decodeInbound(text);
    }
    if (!decoded.ok) {
      this.#skip('frame not understood', { fault: decoded.fault, bytes: bytes.length });
      return;
    }
    const { frame } = decoded;
    if (this.#take(frame, text, bytes.length) && frame.cursor !== undefined) this.#cursor = frame.cursor;
  }

  /** The socket can take more, or a stream may go on. */
  feed(): void {
    for (const [key, frames] of this.#backlog) {
      let sent = 0;
      while (sent < frames.length && this.#socketHasRoom) {
        this.#write(frames[sent] ?? '');
        sent += 1;
      }
      if (sent < frames.length) {
        frames.splice(0, sent);
        return;
      }
      this.#backlog.delete(key);
    }
    for (const key of this.#hungry) {
      const stream = this.#streams.get(key);
      while (stream?.hasMore) {
        if (!this.#socketHasRoom) return;
        for (const frame of stream.more()) this.#write(frame);
      }
      this.#hungry.delete(key);
      this.#updateFlow(key);
    }
  }

  /** True when the frame was delivered or needs no delivery. */
  #take(frame: InboundFrame, text: string, bytes: number): boolean {
    switch (frame.type) {
      case 'client_message':
        return this.#takeMessage(
          frame,
          Message.parsed(frame.message, () => memberText(text, 'message') ?? JSON.stringify(frame.message)),
        );
      case 'client_message_chunk':
        return this.#takeChunk(frame, bytes);
      case 'ack':
        this.#takeAck(frame.clientId, frame.streamId, frame.seqId, frame.segmentId);
        return true;
      case 'ping':
        this.#takePing(frame.clientId, frame.streamId);
        return true;
      case 'client_closed':
        this.#takeClosed(frame.clientId, frame.streamId);
        return true;
    }
  }

  #takeMessage(
    frame: {
      readonly clientId: string;
      readonly streamId: string | undefined;
      readonly seqId: number | undefined;
    },
    message: Message,
  ): boolean {
    const { clientId, seqId } = frame;
    const { shape } = message;
    const isInitialize = shape.kind === 'request' && shape.method === 'initialize';
    const streamId = this.#streamOf(clientId, frame.streamId, isInitialize);
    if (streamId === undefined) return false;
    const key = streamKey(clientId, streamId);
    let client = this.#clients.get(key);
    if (isInitialize) {
      // Never taken for a repeated frame: the client over there has begun anew. RC-30, RC-32
      client?.close('reinitialized');
      client = this.#open(clientId, streamId, key, message);
      if (client === undefined) return true;
      // Closing the one before has forgotten it. RC-31
      if (frame.streamId === undefined) this.#legacyStreams.set(clientId, streamId);
    } else if (client === undefined) {
      return false;
    } else if (seqId !== undefined && seqId <= client.lastSeqId) {
      return false;
    }
    client.touch();
    if (!client.session.receive(message)) {
      client.close('clientOverloaded');
      return false;
    }
    if (seqId !== undefined) client.lastSeqId = seqId;
    return true;
  }

  #takeChunk(frame: ClientChunkFrame, bytes: number): boolean {
    const { clientId, streamId, seqId } = frame;
    const key = streamId === undefined ? undefined : streamKey(clientId, streamId);
    const client = key === undefined ? undefined : this.#clients.get(key);
    const result = this.#assembler.feed(key, seqId, frame, bytes);
    client?.touch();
    if (result.kind === 'incomplete') return false;
    if (result.kind === 'dropped') {
      this.#skip('chunk dropped', { why: result.why, clientId, streamId, bytes });
      return false;
    }
    const message = Message.fromText(result.text);
    if (message === undefined || !isRecord(message.value)) {
      this.#skip('chunked message is no JSON object', { clientId, streamId, bytes: result.text.length });
      return false;
    }
    return this.#takeMessage(frame, message);
  }

  #takeAck(
    clientId: string,
    streamId: string | undefined,
    seqId: number | undefined,
    segmentId: number | undefined,
  ): void {
    const known = streamId ?? this.#legacyStreams.get(clientId);
    if (known === undefined || seqId === undefined) return;
    const key = streamKey(clientId, known);
    const stream = this.#streams.get(key);
    if (stream === undefined) return;
    this.#writeOn(key, stream.ack(seqId, segmentId));
    if (stream.hasMore) {
      this.#hungry.add(key);
      this.feed();
    } else this.#updateFlow(key);
  }

  #takePing(clientId: string, givenStreamId: string | undefined): void {
    const streamId = givenStreamId ?? this.#legacyStreams.get(clientId);
    if (streamId === undefined) {
      // A client older than streams that has none: the answer needs some stream id. RC-31
      this.#write(pongFrame(clientId, uuidV7(this.#deps.env), 1, 'unknown'));
      return;
    }
    const key = streamKey(clientId, streamId);
    const stream = this.#streams.get(key);
    if (stream !== undefined) {
      this.#clients.get(key)?.touch();
      this.#writeOn(key, stream.pong('active'));
      return;
    }
    const seqId = this.#numbering.get(key) ?? 1;
    this.#remember(key, seqId + 1);
    this.#write(pongFrame(clientId, streamId, seqId, 'unknown'));
  }

  #takeClosed(clientId: string, streamId: string | undefined): void {
    if (streamId !== undefined) {
      this.#clients.get(streamKey(clientId, streamId))?.close('clientClosed');
      return;
    }
    this.#legacyStreams.delete(clientId);
    for (const client of this.#clients.values())
      if (client.clientId === clientId) client.close('clientClosed');
  }

  #streamOf(clientId: string, streamId: string | undefined, isInitialize: boolean): string | undefined {
    if (streamId !== undefined) return streamId;
    const known = this.#legacyStreams.get(clientId);
    if (known !== undefined || !isInitialize) return known;
    const made = uuidV7(this.#deps.env);
    if (this.#legacyStreams.size >= this.#deps.maxClients) return undefined;
    this.#legacyStreams.set(clientId, made);
    return made;
  }

  #open(clientId: string, streamId: string, key: string, initialize: Message): VirtualClient | undefined {
    const firstSeqId = this.#numbering.get(key) ?? 1;
    const stream = new OutboundStream(clientId, streamId, { firstSeqId });
    if (this.#clients.size >= this.#deps.maxClients) {
      this.#refuse(stream, key, initialize);
      return undefined;
    }
    this.#numbering.delete(key);
    this.#streams.set(key, stream);
    const client = new VirtualClient(
      { clientId, streamId },
      this.#deps,
      this.#machine,
      { send: (text) => this.#sendOn(key, stream, text) },
      (closed) => this.#forget(key, closed, stream),
    );
    this.#clients.set(key, client);
    client.start();
    this.counters.clientsOpened += 1;
    return client;
  }

  #refuse(stream: OutboundStream, key: string, initialize: Message): void {
    const { shape } = initialize;
    this.#skip('too many remote clients', { limit: this.#deps.maxClients });
    if (shape.kind !== 'request') return;
    const frames = stream.send(
      `{"id":${JSON.stringify(shape.id)},"error":{"code":-32001,"message":"Too many remote clients; retry later."}}`,
    );
    if (typeof frames !== 'string') for (const frame of frames) this.#write(frame);
    this.#remember(key, stream.nextSeqId);
  }

  #forget(key: string, client: VirtualClient, stream: OutboundStream): void {
    if (this.#clients.get(key) === client) this.#clients.delete(key);
    if (this.#streams.get(key) !== stream) return;
    this.#streams.delete(key);
    this.#hungry.delete(key);
    this.#backlog.delete(key);
    this.#assembler.forget(key);
    if (this.#legacyStreams.get(client.clientId) === client.streamId)
      this.#legacyStreams.delete(client.clientId);
    this.#remember(key, stream.nextSeqId);
  }

  #remember(key: string, nextSeqId: number): void {
    this.#numbering.delete(key);
    this.#numbering.set(key, nextSeqId);
    if (this.#numbering.size <= MAX_REMEMBERED_STREAMS) return;
    const oldest = this.#numbering.keys().next();
    if (oldest.done !== true) this.#numbering.delete(oldest.value);
  }

  #sendOn(key: string, stream: OutboundStream, text: string): void {
    if (this.#streams.get(key) !== stream) return;
    const sent = stream.send(text);
    if (sent === 'tooLarge') {
      this.#skip('message too large for remote control', { key, chars: text.length });
      const answer = tooLargeResponse(text);
      if (answer !== undefined) this.#sendOn(key, stream, answer);
      return;
    }
    if (sent === 'overflow') {
      this.#clients.get(key)?.close('clientOverloaded');
      return;
    }
    this.#writeOn(key, sent);
    if (stream.hasMore) {
      this.#hungry.add(key);
      this.feed();
    }
    if (!stream.writable) this.#clients.get(key)?.session.pause();
  }

  #updateFlow(key: string): void {
    if (this.#streams.get(key)?.writable) this.#clients.get(key)?.session.resume();
  }

  get #socketHasRoom(): boolean {
    return this.#socket !== undefined && this.#socket.bufferedAmount <= SOCKET_HIGH_WATER;
  }

  #writeOn(key: string, frames: readonly WireFrame[]): void {
    if (frames.length === 0) return;
    const backlog = this.#backlog.get(key);
    if (backlog !== undefined) backlog.push(...frames);
    else for (const frame of frames) this.#write(frame);
  }

  #write(frame: WireFrame): void {
    if (this.#socket === undefined) return;
    this.counters.framesOut += 1;
    this.counters.bytesOut += frame.length;
    this.#socket.send(frame);
  }

  #skip(why: string, fields: Readonly<Record<string, unknown>>): void {
    this.counters.framesSkipped += 1;
    this.#deps.onSkipped(why, fields);
  }
}
