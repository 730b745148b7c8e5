import type { WebSocket } from 'ws';
import { ChunkAssembler } from '../protocol/chunks.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { streamKey } from '../protocol/frames.js';
import { memberText } from '../protocol/json-members.js';
import { errorText, isRecord, isRpcId, RPC } from '../protocol/jsonrpc.js';
import { Acks } from './acks.js';
import { ControllerStream } from './controller-stream.js';
import type { EventRecord } from './events.js';
import { FrameLog } from './frame-log.js';
import type { BackendTiming } from './options.js';
import { readServerFrame, type ServerFrame } from './server-frames.js';
import type { Sockets } from './sockets.js';

/** What one controller may have waiting for its server; a single larger message is still taken. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Charged for each message besides its own bytes. */
const MESSAGE_OVERHEAD = 512;
/** What may wait in a controller's socket before it is given up as not reading. */
const MAX_UNREAD_BYTES = 256 * 1024 * 1024;
/** Beyond it the server's socket is left to drain. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** Messages that may wait when a farewell is added; without one the server finds out by itself (RC-34). */
const MAX_FAREWELLS = 1_024;

export interface RelayParts {
  readonly environmentId: string;
  readonly timing: BackendTiming;
  readonly events: EventRecord;
  readonly recordFrames: boolean;
  readonly sockets: Sockets;
  /** Marks the cursors of this backend process; those of another one mean nothing. */
  readonly epoch: string;
  /** Nobody is there any more and nothing waits: the relay may be let go. */
  readonly onIdle: () => void;
}

/** Carries messages between the controllers of one environment and its server. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #streams = new Map<string, ControllerStream>();
  readonly #log = new FrameLog();
  readonly #assembler = new ChunkAssembler();
  readonly #acks: Acks;
  readonly #pings: NodeJS.Timeout;
  #server: WebSocket | undefined;
  #proof: NodeJS.Timeout | undefined;
  readonly #pump = (): void => this.#send();

  constructor(parts: RelayParts) {
    this.#parts = parts;
    this.#acks = new Acks((frame) => this.#server?.send(frame));
    this.#pings = setInterval(() => this.#pingStreams(), parts.timing.streamPing);
  }

  get connected(): boolean {
    return this.#server !== undefined;
  }

  end(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#proof);
    this.#acks.clear();
    for (const stream of this.#streams.values()) clearTimeout(stream.hold);
    this.#streams.clear();
    this.#server = undefined;
  }

  /** A socket of the server was opened; it takes the place of an older one. */
  attach(socket: WebSocket, cursor: string | undefined): void {
    const former = this.#server;
    this.#server = socket;
    if (former !== undefined) this.#parts.sockets.close(former, 1000, 'replaced by a newer connection');
    socket.on('message', (data, isBinary) => {
      if (this.#server !== socket) return;
      if (isBinary) this.#parts.events.add('frameSkipped', this.#detail({ binary: true }));
      else this.#onServerText(String(data));
    });
    socket.on('pong', (data) => {
      // The pong repeats the position that the server had been sent when it was asked.
      if (this.#server === socket && data.length > 0) this.#log.taken(Number(String(data)));
    });
    socket.on('close', () => {
      if (this.#server === socket) this.#onServerGone();
    });

    const position = this.#positionOf(cursor);
    if (position === undefined) this.#startAfresh();
    this.#log.resume(position ?? 0);
    for (const stream of this.#streams.values()) {
      clearTimeout(stream.hold);
      stream.sent = true;
    }
    this.#send();
  }

  addController(socket: WebSocket, clientId: string): ControllerStream {
    const stream = new ControllerStream(socket, clientId);
    this.#streams.set(stream.key, stream);
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.#end(stream, CLOSE_CODES.unsupportedData, 'only text frames are taken');
      else this.#onControllerText(stream, String(data));
    });
    socket.on('close', () => this.#onControllerGone(stream));
    if (this.#server === undefined) this.#hold(stream, this.#parts.timing.offlineHold);
    else stream.sent = true;
    return stream;
  }

  revoke(clientId: string): void {
    for (const stream of this.#streams.values()) {
      if (stream.clientId === clientId)
        this.#end(stream, CLOSE_CODES.controllerRevoked, 'this client was revoked');
    }
  }

  // --- from controller to server

  #onControllerText(stream: ControllerStream, text: string): void {
    if (!this.#streams.has(stream.key)) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      stream.socket.send(errorText(null, RPC.parseError, 'This is not JSON'));
      return;
    }
    if (!isRecord(message)) {
      stream.socket.send(errorText(null, RPC.invalidRequest, 'A message is a JSON object'));
      return;
    }
    const waiting = this.#log.bytesOf(stream.key);
    const bytes = text.length + MESSAGE_OVERHEAD;
    if (waiting > 0 && waiting + bytes > MAX_WAITING_BYTES) {
      this.#end(stream, CLOSE_CODES.tryAgainLater, 'too many messages wait for the server');
      return;
    }
    const frames = stream.messageFrames(text);
    if (frames === undefined) {
      const id = isRpcId(message.id) ? message.id : null;
      stream.socket.send(errorText(id, RPC.messageTooLarge, 'The message is too big to be carried'));
      return;
    }
    this.#log.append(stream.key, bytes, (position) => frames(this.#cursorAt(position)));
    this.#record('frameOut', stream, 'client_message', text.length);
    this.#send();
  }

  #send(): void {
    const server = this.#server;
    if (server === undefined) return;
    while (server.bufferedAmount < HIGH_WATER_BYTES) {
      const frame = this.#log.next();
      if (frame === undefined) break;
      server.send(frame, this.#pump);
    }
    if (this.#log.size > 0) this.#proof ??= setTimeout(() => this.#askForProof(), this.#parts.timing.proof);
  }

  #askForProof(): void {
    this.#proof = undefined;
    if (this.#server === undefined || this.#log.size === 0) return;
    this.#server.ping(String(this.#log.sentPosition));
    this.#proof = setTimeout(() => this.#askForProof(), this.#parts.timing.proof);
  }

  #cursorAt(position: number): string {
    return `${this.#parts.epoch}.${position}`;
  }

  /** Undefined: a cursor of another backend process, or a server that has taken nothing yet. */
  #positionOf(cursor: string | undefined): number | undefined {
    const [epoch, position] = cursor?.split('.') ?? [];
    if (epoch !== this.#parts.epoch || position === undefined || !/^\d{1,15}$/.test(position))
      return undefined;
    return Number(position);
  }

  // --- from server to controller

  #onServerText(text: string): void {
    const frame = readServerFrame(text);
    if (frame === undefined) {
      this.#parts.events.add('frameSkipped', this.#detail({ bytes: text.length }));
      return;
    }
    const stream = this.#streams.get(streamKey(frame.clientId, frame.streamId));
    if (stream === undefined) {
      // Nobody is left to deliver it to; the server must not keep it for ever.
      this.#acks.add(frame.clientId, frame.streamId, frame.seqId);
      return;
    }
    this.#record('frameIn', stream, frame.type, text.length, frame.seqId);
    const acknowledge = (seqId: number): void => this.#acks.add(stream.clientId, stream.streamId, seqId);
    if (!stream.isNew(frame.seqId)) {
      if (stream.deliveredSeqId > 0) acknowledge(stream.deliveredSeqId);
      return;
    }
    if (frame.type === 'pong') {
      stream.pass(frame.seqId, acknowledge);
      if (frame.status === 'unknown' && stream.opened) {
        this.#end(stream, CLOSE_CODES.serverRestarted, 'the server no longer knows this connection');
      }
      return;
    }
    const message =
      frame.type === 'server_message'
        ? memberText(text, 'message')
        : this.#assemble(stream, frame, text.length);
    if (message === undefined) return;
    stream.opened = true;
    stream.deliver(frame.seqId, message, acknowledge);
    if (stream.socket.bufferedAmount > MAX_UNREAD_BYTES) {
      this.#end(stream, CLOSE_CODES.tryAgainLater, 'this client does not read');
    }
  }

  #assemble(
    stream: ControllerStream,
    frame: ServerFrame & { type: 'server_message_chunk' },
    frameBytes: number,
  ): string | undefined {
    const result = this.#assembler.feed(stream.key, frame.seqId, frame.chunk, frameBytes);
    if (result.kind === 'complete') return result.text;
    if (result.kind === 'dropped' && result.why !== 'stale' && result.why !== 'closedSeq') {
      const { clientId, streamId } = stream;
      this.#parts.events.add('messageLost', this.#detail({ clientId, streamId, why: result.why }));
      // Sent again it would be dropped again.
      stream.pass(frame.seqId, (seqId) => this.#acks.add(clientId, streamId, seqId));
    }
    return undefined;
  }

  // --- coming and going

  #onServerGone(): void {
    this.#server = undefined;
    this.#acks.clear();
    clearTimeout(this.#proof);
    this.#proof = undefined;
    for (const stream of this.#streams.values()) this.#hold(stream, this.#parts.timing.reconnectHold);
    this.#letGoWhenIdle();
  }

  #hold(stream: ControllerStream, ms: number): void {
    clearTimeout(stream.hold);
    stream.hold = setTimeout(
      () => this.#end(stream, CLOSE_CODES.environmentOffline, 'environment offline'),
      ms,
    );
  }

  /**
   * The server has taken nothing, or has lost its memory. What it had opened is over: nobody may repeat requests
   * unasked. Only what live controllers wait for from the start is sent.
   */
  #startAfresh(): void {
    for (const stream of this.#streams.values()) {
      if (!stream.opened) continue;
      stream.sent = false;
      this.#end(stream, CLOSE_CODES.serverRestarted, 'the server was restarted');
    }
    this.#log.keep((stream) => this.#streams.has(stream));
  }

  #end(stream: ControllerStream, code: number, reason: string): void {
    this.#parts.sockets.close(stream.socket, code, reason);
    this.#onControllerGone(stream);
  }

  #onControllerGone(stream: ControllerStream): void {
    if (!this.#streams.delete(stream.key)) return;
    clearTimeout(stream.hold);
    this.#assembler.forget(stream.key);
    // With a server there, what the controller sent last still goes out before the farewell.
    if (this.#server === undefined) this.#log.drop(stream.key);
    if (stream.sent && this.#log.size < MAX_FAREWELLS) {
      this.#log.append(stream.key, 0, (position) => [stream.closedFrame(this.#cursorAt(position))]);
      this.#send();
    }
    this.#parts.events.add(
      'streamClosed',
      this.#detail({ clientId: stream.clientId, streamId: stream.streamId }),
    );
    this.#letGoWhenIdle();
  }

  #letGoWhenIdle(): void {
    if (this.#server === undefined && this.#streams.size === 0 && this.#log.size === 0) this.#parts.onIdle();
  }

  #pingStreams(): void {
    for (const stream of this.#streams.values()) this.#server?.send(stream.pingFrame());
  }

  #detail(detail: Record<string, string | number | boolean>): Record<string, string | number | boolean> {
    return { environmentId: this.#parts.environmentId, ...detail };
  }

  #record(
    kind: 'frameIn' | 'frameOut',
    stream: ControllerStream,
    type: string,
    bytes: number,
    seqId = 0,
  ): void {
    if (!this.#parts.recordFrames) return;
    const { clientId, streamId } = stream;
    this.#parts.events.add(kind, this.#detail({ clientId, streamId, type, bytes, seqId }));
  }
}
