import { type AgentProtocolSetting, needsNoInitialize } from '../../protocol/agent-protocol.js';
import { ChunkAssembler } from '../../protocol/chunks.js';
import {
  type ClientChunkFrame,
  decodeChunkFrame,
  decodeInbound,
  type InboundFrame,
  streamKey,
} from '../../protocol/frames.js';
import { pongFrame } from '../../protocol/frames-out.js';
import { memberText } from '../../protocol/json-members.js';
import { Message } from '../../protocol/message.js';
import { type MuxSocket, type OutboundDepth, OutboundStreams } from '../../protocol/outbound-streams.js';
import type { Reason } from '../../protocol/reasons.js';
import { uuidV7 } from '../../system/formats.js';
import type { MuxCounters } from '../status.js';
import type { VirtualClient } from './virtual-client.js';
import { VirtualClients, type VirtualClientsDeps } from './virtual-clients.js';

interface FrameIds {
  readonly clientId: string;
  readonly streamId: string | undefined;
  readonly seqId: number | undefined;
}

/**
 * The data plane of remote control: frames in, virtual clients, frames out. It outlives the socket, so that a virtual
 * client continues after a reconnect. No chart sees a frame.
 */
export class RemoteMux {
  readonly #deps: VirtualClientsDeps;
  readonly #protocol: AgentProtocolSetting;
  readonly #clients: VirtualClients;
  readonly #outbound: OutboundStreams;
  readonly #assembler = new ChunkAssembler();
  readonly counters: MuxCounters = {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    framesSkipped: 0,
    clientsOpened: 0,
  };
  #cursor: string | undefined;
  #sweep: NodeJS.Timeout | undefined;
  /** False from the end of all virtual clients until the next link is open. */
  #takesFrames = true;

  constructor(deps: VirtualClientsDeps) {
    this.#deps = deps;
    this.#protocol = deps.protocol ?? 'codex';
    this.#outbound = new OutboundStreams(this.counters, (key) => this.#clients.get(key)?.session.resume());
    this.#clients = new VirtualClients(
      { ...deps, onSkipped: (what, fields) => this.#skip(what, fields), onDropped: deps.onSkipped },
      this.#outbound,
      (key) => this.#assembler.reset(key),
    );
  }

  /** What waits for controllers. */
  get depth(): OutboundDepth {
    return this.#outbound.depth;
  }

  /** Cursor of the newest delivered frame; the next handshake asks for the frames after it. RC-37 */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  get size(): number {
    return this.#clients.size;
  }

  get clients(): readonly VirtualClient[] {
    return this.#clients.all;
  }

  /** A new link is open: frames that were not acknowledged are sent again first. RC-36 */
  attach(socket: MuxSocket): void {
    this.#takesFrames = true;
    this.#outbound.attach(socket);
    if (this.#sweep !== undefined) return;
    this.#clients.startSweep();
    this.#sweep = setInterval(() => this.sweepIdle(), this.#deps.timing.idleSweep).unref();
  }

  detach(socket: MuxSocket): void {
    this.#outbound.detach(socket);
  }

  /**
   * Closes each virtual client and forgets the cursor, which the next identity must not use. What still arrives on the link that is
   * being closed opens no virtual client: the account, the preference or the engine that allowed it has ended. RC-43
   */
  dropAll(reason: Reason): void {
    this.#takesFrames = false;
    this.#clients.closeAll(reason);
    this.#outbound.dropEnded();
    this.#assembler.clear();
    this.#cursor = undefined;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  /** Closes virtual clients that have been idle for too long. RC-34 */
  sweepIdle(): void {
    this.#clients.sweepIdle();
  }

  /** The socket has room again: sends frames that waited. */
  feed(): void {
    this.#outbound.feed();
  }

  /** One text frame of the backend, as bytes. */
  receive(bytes: Buffer): void {
    if (!this.#takesFrames) return;
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
    if (this.#dispatch(frame, text, bytes.length) && frame.cursor !== undefined) this.#cursor = frame.cursor;
  }

  /** True when the frame was delivered or needs no delivery. */
  #dispatch(frame: InboundFrame, text: string, bytes: number): boolean {
    switch (frame.type) {
      case 'client_message':
        return this.#onMessage(
          frame,
          Message.from(() => memberText(text, 'message') ?? JSON.stringify(frame.message)),
        );
      case 'client_message_chunk':
        return this.#onChunk(frame, bytes);
      case 'ack':
        this.#onAck(frame, frame.segmentId);
        return true;
      case 'ping':
        this.#onPing(frame.clientId, frame.streamId);
        return true;
      case 'client_closed':
        this.#clients.close(frame.clientId, frame.streamId);
        return true;
    }
  }

  #onMessage(frame: FrameIds, message: Message): boolean {
    const { clientId, seqId } = frame;
    const { shape } = message;
    if (shape.kind === 'invalid' && shape.refused === undefined) {
      this.#skip('not a JSON-RPC message', { clientId, bytes: message.text.length });
    }
    const isInitialize = shape.kind === 'request' && shape.method === 'initialize';
    let client = this.#find(clientId, frame.streamId);
    const opens =
      (isInitialize && client?.session.takesInitialize !== true) ||
      (client === undefined && needsNoInitialize(this.#protocol, message));
    const streamId = this.#clients.streamIdOf(clientId, frame.streamId, opens);
    if (streamId === undefined) return false;
    if (isInitialize && client?.session.initializing === true) {
      // The same frame again will be answered with the first one; another initialize is refused. RC-83
      if (seqId === undefined || seqId !== client.lastSeqId) client.session.receive(message);
      return true;
    }
    if (opens) {
      // Its seq id is not compared, because the controller has started again. RC-30, RC-32
      client = this.#clients.open(frame, streamId, message);
      if (client === undefined) return true;
      this.counters.clientsOpened += 1;
    } else {
      if (client === undefined) return this.#clients.answerEnded({ clientId, streamId, seqId }, message);
      if (seqId !== undefined && seqId <= client.lastSeqId) return false;
    }
    client.touch();
    this.#clients.count(message.text.length);
    if (!client.session.receive(message)) {
      client.close('clientOverloaded');
      return false;
    }
    if (seqId !== undefined) client.lastSeqId = seqId;
    return true;
  }

  #find(clientId: string, givenStreamId: string | undefined): VirtualClient | undefined {
    const streamId = this.#clients.streamIdOf(clientId, givenStreamId);
    return streamId === undefined ? undefined : this.#clients.get(streamKey(clientId, streamId));
  }

  #onChunk(frame: ClientChunkFrame, bytes: number): boolean {
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
    return this.#onMessage(frame, Message.from(result.text));
  }

  #onAck({ clientId, streamId, seqId }: FrameIds, segmentId: number | undefined): void {
    const known = this.#clients.streamIdOf(clientId, streamId);
    if (known !== undefined && seqId !== undefined) {
      this.#outbound.ack(streamKey(clientId, known), seqId, segmentId);
    }
  }

  #onPing(clientId: string, givenStreamId: string | undefined): void {
    const streamId = this.#clients.streamIdOf(clientId, givenStreamId);
    if (streamId === undefined) {
      // A controller older than stream ids: the response needs some stream id. RC-31
      this.#outbound.write(pongFrame(clientId, uuidV7(this.#deps.env), 1, 'unknown'));
      return;
    }
    const key = streamKey(clientId, streamId);
    const client = this.#clients.get(key);
    if (client !== undefined || this.#outbound.get(key) !== undefined) {
      client?.touch();
      this.#outbound.pong(key, client === undefined ? 'unknown' : 'active');
      return;
    }
    const seqId = this.#outbound.nextSeqId(key);
    this.#outbound.setNextSeqId(key, seqId + 1);
    this.#outbound.write(pongFrame(clientId, streamId, seqId, 'unknown'));
  }

  #skip(what: string, fields: Readonly<Record<string, unknown>>): void {
    this.counters.framesSkipped += 1;
    this.#deps.onSkipped(what, fields);
  }
}
