import type { WebSocket } from 'ws';
import { Acks } from '../protocol/acks.js';
import { ChunkAssembler } from '../protocol/chunks.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { streamKey } from '../protocol/frames.js';
import { memberText } from '../protocol/json-members.js';
import { errorText, isRecord, RPC } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { readServerFrame, type ServerFrame } from '../protocol/server-frames.js';
import { type ClientPeer, SocketPeer } from './client-peer.js';
import type { EventLog } from './events.js';
import { FrameLog } from './frame-log.js';
import type { BackendTiming } from './options.js';
import type { Sockets } from './sockets.js';
import { VirtualClient } from './virtual-client.js';

/** Logged bytes of one virtual client; a single larger message is still accepted. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** Bytes that each message costs besides its text. */
const MESSAGE_OVERHEAD = 512;
/** Unsent bytes in the socket of a controller; above it the controller counts as not reading and is closed. */
const MAX_UNREAD_BYTES = 256 * 1024 * 1024;
/** Unsent bytes in the socket of the server; above it the relay waits for the socket to drain. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
/** Logged messages above which no client_closed is added; the server then closes the virtual client as idle (RC-34). */
const MAX_LOGGED_BEFORE_CLOSED = 1_024;

interface RelayDeps {
  readonly environmentId: string;
  readonly timing: BackendTiming;
  readonly events: EventLog;
  readonly recordFrames: boolean;
  readonly sockets: Sockets;
  /** Marks the cursors of this relay; cursors of another relay are ignored. */
  readonly epoch: string;
  /** Called when no peer is connected and no message waits: the relay can be removed. */
  readonly onIdle: () => void;
}

/** Relays messages between the virtual clients of one environment and its server. */
export class Relay {
  readonly #deps: RelayDeps;
  readonly #virtualClients = new Map<string, VirtualClient>();
  readonly #log = new FrameLog();
  readonly #assembler = new ChunkAssembler();
  readonly #acks: Acks;
  readonly #pings: NodeJS.Timeout;
  #server: WebSocket | undefined;
  #deliveryTimer: NodeJS.Timeout | undefined;
  readonly #sendMore = (): void => this.#send();

  constructor(deps: RelayDeps) {
    this.#deps = deps;
    this.#acks = new Acks((frame) => this.#server?.send(frame));
    this.#pings = setInterval(() => this.#pingVirtualClients(), deps.timing.streamPing);
  }

  get connected(): boolean {
    return this.#server !== undefined;
  }

  end(): void {
    clearInterval(this.#pings);
    clearTimeout(this.#deliveryTimer);
    this.#acks.clear();
    for (const client of this.#virtualClients.values()) clearTimeout(client.holdTimer);
    this.#virtualClients.clear();
    this.#server = undefined;
  }

  /** Takes a new socket of the server. It replaces the former one. */
  attachServer(socket: WebSocket, cursor: string | undefined): void {
    const former = this.#server;
    this.#server = socket;
    if (former !== undefined)
      this.#deps.sockets.close(former, CLOSE_CODES.normal, 'replaced by a newer connection');
    socket.on('message', (data, isBinary) => {
      if (this.#server !== socket) return;
      if (isBinary) this.#deps.events.add('frameSkipped', this.#detail({ binary: true }));
      else this.#onServerText(String(data));
    });
    socket.on('pong', (data) => {
      // The pong repeats the position in the ping: the server has received everything up to it.
      if (this.#server !== socket || data.length === 0) return;
      this.#log.confirm(Number(String(data)));
      for (const client of this.#virtualClients.values()) client.peer.onRoom?.();
    });
    socket.on('close', () => {
      if (this.#server === socket) this.#onServerClosed();
    });

    const position = this.#positionOf(cursor);
    if (position === undefined) this.#closeOpenedClients();
    this.#log.resume(position ?? 0);
    for (const client of this.#virtualClients.values()) {
      clearTimeout(client.holdTimer);
      client.sent = true;
    }
    this.#send();
  }

  /** A socket of a controller that is one virtual client. */
  openVirtualClient(socket: WebSocket, clientId: string): VirtualClient {
    const client = this.openStream(new SocketPeer(socket, this.#deps.sockets), clientId);
    socket.on('message', (data, isBinary) => {
      if (isBinary) this.#close(client, CLOSE_CODES.unsupportedData, 'only text frames are accepted');
      else this.receive(client, String(data));
    });
    socket.on('close', () => this.leave(client));
    return client;
  }

  /** A virtual client of any peer, which calls `receive` and `leave`. */
  openStream(peer: ClientPeer, clientId: string, streamId?: string): VirtualClient {
    const client = new VirtualClient(peer, clientId, streamId);
    this.#virtualClients.set(client.key, client);
    if (this.#server === undefined) this.#startHold(client, this.#deps.timing.offlineHold);
    else client.sent = true;
    return client;
  }

  revoke(clientId: string): void {
    for (const client of this.#virtualClients.values()) {
      if (client.clientId === clientId)
        this.#close(client, CLOSE_CODES.controllerRevoked, 'this controller was revoked');
    }
  }

  // --- from controller to server

  /** Bytes of this virtual client that the server has not received. */
  waitingBytes(client: VirtualClient): number {
    return this.#log.bytesOf(client.key);
  }

  /** Handles one message of a controller. */
  receive(client: VirtualClient, text: string): void {
    if (!this.#virtualClients.has(client.key)) return;
    let message: unknown;
    try {
      message = JSON.parse(text);
    } catch {
      this.#refuseMessage(client, errorText(null, RPC.parseError, 'The message is not JSON'));
      return;
    }
    if (!isRecord(message)) {
      this.#refuseMessage(client, errorText(null, RPC.invalidRequest, 'The message is not a JSON object'));
      return;
    }
    const logged = this.#log.bytesOf(client.key);
    const bytes = text.length + MESSAGE_OVERHEAD;
    // Acknowledgements hold a controller with numbered frames back, so it may add one message of any size.
    const added = client.peer.onRoom === undefined ? bytes : 0;
    if (logged > 0 && logged + added > MAX_WAITING_BYTES) {
      this.#close(client, CLOSE_CODES.tryAgainLater, 'too many unsent messages');
      return;
    }
    const frames = client.messageFrames(text);
    if (frames === undefined) {
      const { shape } = Message.from(text);
      const id = shape.kind === 'request' ? shape.id : null;
      this.#refuseMessage(client, errorText(id, RPC.messageTooLarge, 'The message is too large'));
      return;
    }
    this.#log.append(client.key, bytes, (position) => frames(this.#cursorAt(position)));
    this.#record('frameOut', client, 'client_message', text.length);
    this.#send();
  }

  /** Sends an error to a controller, unless it does not read: then its socket is closed. RC-54 */
  #refuseMessage(client: VirtualClient, error: string): void {
    if (client.peer.unread > HIGH_WATER_BYTES)
      this.#close(client, CLOSE_CODES.tryAgainLater, 'this controller does not read');
    else client.peer.send(error, () => {});
  }

  #send(): void {
    const server = this.#server;
    if (server === undefined) return;
    while (server.bufferedAmount < HIGH_WATER_BYTES) {
      const frame = this.#log.next();
      if (frame === undefined) break;
      server.send(frame, this.#sendMore);
    }
    if (this.#log.size > 0)
      this.#deliveryTimer ??= setTimeout(() => this.#checkDelivery(), this.#deps.timing.deliveryCheck);
  }

  #checkDelivery(): void {
    this.#deliveryTimer = undefined;
    if (this.#server === undefined || this.#log.size === 0) return;
    this.#server.ping(String(this.#log.sentPosition));
    this.#deliveryTimer = setTimeout(() => this.#checkDelivery(), this.#deps.timing.deliveryCheck);
  }

  #cursorAt(position: number): string {
    return `${this.#deps.epoch}.${position}`;
  }

  /** Undefined for no cursor (the server has received nothing yet) or a cursor of another relay, such as one of a former backend process. */
  #positionOf(cursor: string | undefined): number | undefined {
    const [epoch, position] = cursor?.split('.') ?? [];
    if (epoch !== this.#deps.epoch || position === undefined || !/^\d{1,15}$/.test(position))
      return undefined;
    return Number(position);
  }

  // --- from server to controller

  #onServerText(text: string): void {
    const frame = readServerFrame(text);
    if (frame === undefined) {
      this.#deps.events.add('frameSkipped', this.#detail({ bytes: text.length }));
      return;
    }
    const client = this.#virtualClients.get(streamKey(frame.clientId, frame.streamId));
    if (client === undefined) {
      // The virtual client is closed. Without an ack the server would keep the frame for ever.
      this.#acks.add(frame.clientId, frame.streamId, frame.seqId);
      return;
    }
    this.#record('frameIn', client, frame.type, text.length, frame.seqId);
    const acknowledge = (seqId: number): void => this.#acks.add(client.clientId, client.streamId, seqId);
    if (!client.isNew(frame.seqId)) {
      if (client.deliveredSeqId > 0) acknowledge(client.deliveredSeqId);
      return;
    }
    if (frame.type === 'pong') {
      client.skip(frame.seqId, acknowledge);
      if (frame.status === 'unknown' && client.opened) {
        this.#close(client, CLOSE_CODES.serverRestarted, 'the server no longer knows this virtual client');
      }
      return;
    }
    const message =
      frame.type === 'server_message'
        ? memberText(text, 'message')
        : this.#assemble(client, frame, text.length);
    if (message === undefined) return;
    client.opened = true;
    client.deliver(frame.seqId, message, acknowledge);
    if (client.peer.unread > MAX_UNREAD_BYTES) {
      this.#close(client, CLOSE_CODES.tryAgainLater, 'this controller does not read');
    }
  }

  #assemble(
    client: VirtualClient,
    frame: ServerFrame & { type: 'server_message_chunk' },
    frameBytes: number,
  ): string | undefined {
    const result = this.#assembler.feed(client.key, frame.seqId, frame.chunk, frameBytes);
    if (result.kind === 'complete') return result.text;
    if (result.kind === 'dropped' && result.why !== 'stale' && result.why !== 'closedSeq') {
      const { clientId, streamId } = client;
      this.#deps.events.add('messageLost', this.#detail({ clientId, streamId, why: result.why }));
      // Acknowledged, because a repetition would be dropped again.
      client.skip(frame.seqId, (seqId) => this.#acks.add(clientId, streamId, seqId));
    }
    return undefined;
  }

  // --- connects and disconnects

  #onServerClosed(): void {
    this.#server = undefined;
    this.#acks.clear();
    clearTimeout(this.#deliveryTimer);
    this.#deliveryTimer = undefined;
    for (const client of this.#virtualClients.values())
      this.#startHold(client, this.#deps.timing.reconnectHold);
    this.#reportIdle();
  }

  #startHold(client: VirtualClient, ms: number): void {
    clearTimeout(client.holdTimer);
    client.holdTimer = setTimeout(
      () => this.#close(client, CLOSE_CODES.environmentOffline, 'environment offline'),
      ms,
    );
  }

  /**
   * The server has received nothing yet, or has lost its state. Virtual clients that it had opened are closed, because
   * the relay must not repeat their requests. The messages of the others are sent from the start.
   */
  #closeOpenedClients(): void {
    for (const client of this.#virtualClients.values()) {
      if (!client.opened) continue;
      client.sent = false;
      this.#close(client, CLOSE_CODES.serverRestarted, 'the server has restarted');
    }
    this.#log.retain((key) => this.#virtualClients.has(key));
  }

  #close(client: VirtualClient, code: number, reason: string): void {
    client.peer.close(code, reason);
    this.leave(client);
  }

  /** The controller is gone, or its virtual client was closed. */
  leave(client: VirtualClient): void {
    if (!this.#virtualClients.delete(client.key)) return;
    clearTimeout(client.holdTimer);
    this.#assembler.reset(client.key);
    // While the server is connected, the last messages of the controller are sent before client_closed.
    if (this.#server === undefined) this.#log.discard(client.key);
    if (client.sent && this.#log.size < MAX_LOGGED_BEFORE_CLOSED) {
      this.#log.append(client.key, 0, (position) => [client.closedFrame(this.#cursorAt(position))]);
      this.#send();
    }
    this.#deps.events.add(
      'streamClosed',
      this.#detail({ clientId: client.clientId, streamId: client.streamId }),
    );
    this.#reportIdle();
  }

  #reportIdle(): void {
    if (this.#server === undefined && this.#virtualClients.size === 0 && this.#log.size === 0)
      this.#deps.onIdle();
  }

  #pingVirtualClients(): void {
    for (const client of this.#virtualClients.values()) this.#server?.send(client.pingFrame());
  }

  #detail(detail: Record<string, string | number | boolean>): Record<string, string | number | boolean> {
    return { environmentId: this.#deps.environmentId, ...detail };
  }

  #record(kind: 'frameIn' | 'frameOut', client: VirtualClient, type: string, bytes: number, seqId = 0): void {
    if (!this.#deps.recordFrames) return;
    const { clientId, streamId } = client;
    this.#deps.events.add(kind, this.#detail({ clientId, streamId, type, bytes, seqId }));
  }
}
