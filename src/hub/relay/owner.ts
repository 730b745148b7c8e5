import { Acks } from '../../protocol/acks.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { streamKey } from '../../protocol/frames.js';
import { readServerFrame, type ServerFrame } from '../../protocol/server-frames.js';
import { type Credit, Incoming, Outgoing } from './hop.js';
import { type DownRecord, ENDED, type HopFrame, type HopNext, type UpRecord } from './records.js';
import { type RelaySocket, type RelayTiming, SOCKET_HIGH_WATER } from './timing.js';

/** The socket of an engine. A pong repeats the text of its ping. */
export interface EngineSocket extends RelaySocket {
  ping(text: string): void;
}

interface OwnerDeps {
  readonly environmentId: string;
  readonly epoch: number;
  /** The engine has kept its streams: it named a cursor. */
  readonly resumed: boolean;
  readonly socket: EngineSocket;
  readonly timing: RelayTiming;
  readonly toEdge: (node: string, record: DownRecord) => void;
  readonly creditOf: (node: string) => Credit;
  /** Frames that are skipped: they are no frames of an engine. */
  readonly onSkipped: (bytes: number) => void;
}

/** Position of a frame in its stream. */
interface Position {
  readonly seqId: number;
  readonly segmentId: number;
}

/** The first message of a stream, all its chunks included. */
const OPENING: Position = { seqId: 1, segmentId: Number.MAX_SAFE_INTEGER };

interface Route {
  readonly id: string;
  readonly node: string;
  readonly session: number | undefined;
  /** The controller knows that the engine has opened the stream. */
  readonly started: boolean;
}

interface OwnedStream {
  readonly clientId: string;
  readonly streamId: string;
  readonly key: string;
  /** Undefined while no edge has the stream. */
  route: Route | undefined;
  /** From the engine to the edge. */
  readonly down: Outgoing;
  /** From the edge to the engine. */
  readonly up: Incoming;
  /** Up to here the frames of the controller were sent to the engine. */
  forwarded: Position;
  /** `asked`: a ping of this owner will show whether the engine knows the stream. */
  engine: 'unknown' | 'asked' | 'open';
  /** The engine has ended the stream. Its last frames are still for the controller. */
  lost: boolean;
  /** The newest socket of the session that had the stream. */
  session: number;
  holdTimer: NodeJS.Timeout | undefined;
}

/** A frame that was sent to the engine, and whose receipt a pong confirms. */
interface Sent {
  readonly position: number;
  readonly stream: OwnedStream;
  readonly route: string;
  readonly n: number;
}

/** Closed streams whose late frames are acknowledged at once. */
const MAX_CLOSED = 4_096;
/** Kept bytes of one stream: an engine that keeps to RC-36 sends less. */
const MAX_KEPT_BYTES = 256 * 1024 * 1024;
/** Kept bytes of all streams without an edge; above it the largest one is given up. */
const MAX_UNROUTED_BYTES = 64 * 1024 * 1024;

/**
 * The relay at the node that holds the socket of an engine: sends the frames of all edges to the engine, and the frames of
 * the engine to the edge of their stream. It lives as long as this socket.
 */
export class Owner {
  readonly #deps: OwnerDeps;
  readonly #streams = new Map<string, OwnedStream>();
  readonly #byRoute = new Map<string, OwnedStream>();
  /** Streams that this owner has closed, the oldest first. */
  readonly #closed = new Set<string>();
  readonly #acks: Acks;
  readonly #pings: NodeJS.Timeout;
  #sent: Sent[] = [];
  /** Frames sent to the engine. */
  #position = 0;
  #deliveryTimer: NodeJS.Timeout | undefined;
  /** Streams whose edge waits until the socket of the engine has room. */
  readonly #paused = new Set<OwnedStream>();
  #ended = false;
  readonly #cursor: string;

  constructor(deps: OwnerDeps) {
    this.#deps = deps;
    this.#cursor = `,"cursor":"hub.${deps.epoch}"}`;
    this.#acks = new Acks((frame) => deps.socket.send(frame));
    this.#pings = setInterval(() => this.#pingStreams(), deps.timing.streamPing);
  }

  get epoch(): number {
    return this.#deps.epoch;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Ends the relay. The socket is the caller's. The streams live on at the engine and at the edges. */
  end(): void {
    this.#ended = true;
    clearInterval(this.#pings);
    clearTimeout(this.#deliveryTimer);
    this.#acks.clear();
    for (const stream of this.#streams.values()) {
      clearTimeout(stream.holdTimer);
      stream.down.end();
    }
    this.#streams.clear();
    this.#byRoute.clear();
    this.#paused.clear();
    this.#sent = [];
  }

  /** Sends probes where frames were sent that may be lost. */
  probe(): void {
    for (const { route, down } of this.#streams.values()) {
      if (route === undefined || !down.isWaiting) continue;
      this.#toEdge(route, { kind: 'downProbe', epoch: this.epoch, route: route.id, sent: down.sent });
    }
  }

  /** The node of an edge is gone. */
  onNodeGone(node: string): void {
    for (const stream of [...this.#streams.values()]) if (stream.route?.node === node) this.#detach(stream);
  }

  /** Nodes of the edges of this environment. */
  get nodes(): ReadonlySet<string> {
    return new Set(
      [...this.#streams.values()].flatMap(({ route }) => (route === undefined ? [] : [route.node])),
    );
  }

  // --- from the edges

  onRecord(record: UpRecord): void {
    if (this.#ended || record.epoch !== this.epoch) return;
    if (record.kind === 'open') {
      this.#open(record);
      return;
    }
    const stream = this.#byRoute.get(record.route);
    if (stream === undefined) {
      if (record.kind !== 'detach') this.#reportEnd(routeOf(record.route), ENDED.notOpen, '');
      return;
    }
    switch (record.kind) {
      case 'detach':
        this.#detach(stream);
        return;
      case 'up':
        this.#onUp(stream, record.n, record.frame);
        return;
      case 'upProbe':
        this.#sendStatus(stream, record.sent > stream.up.received && !stream.up.paused ? 'again' : 'go');
        return;
      case 'downStatus':
        this.#onConfirmed(stream, stream.down.onStatus(record.received, record.confirmed, record.next));
        return;
    }
  }

  #open({
    route: id,
    node,
    clientId,
    streamId,
    session,
    started,
  }: UpRecord & { readonly kind: 'open' }): void {
    const key = streamKey(clientId, streamId);
    const stream = this.#streams.get(key) ?? this.#create(clientId, streamId, key);
    const former = stream.route;
    if ((session ?? 0) < stream.session) {
      // A socket that the controller has left, and that its node still believes in.
      this.#reportEnd({ id, node }, ENDED.moved, '');
      return;
    }
    stream.session = session ?? 0;
    if (former?.id !== id) {
      if (former !== undefined) {
        this.#byRoute.delete(former.id);
        this.#reportEnd(former, ENDED.moved, '');
      }
      clearTimeout(stream.holdTimer);
      stream.route = { id, node, session, started };
      this.#byRoute.set(id, stream);
      stream.down.restart(this.#deps.creditOf(node));
      stream.up.restart();
    }
    if (stream.engine === 'open') this.#opened(stream, 'known');
    else if (this.#deps.resumed) this.#ask(stream);
    else this.#onUnknown(stream);
  }

  /** The engine does not know the stream: it is new, or it is lost. */
  #onUnknown(stream: OwnedStream): void {
    if (stream.route?.started === true) this.#lose(stream);
    else {
      stream.engine = 'open';
      this.#opened(stream, 'new');
    }
  }

  #lose(stream: OwnedStream): void {
    stream.lost = true;
    const { route, down } = stream;
    if (!down.isEmpty) {
      down.start();
      return;
    }
    if (route !== undefined)
      this.#reportEnd(route, CLOSE_CODES.serverRestarted, 'the engine no longer knows this stream');
    this.#remove(stream);
  }

  /** The engine has lived longer than this owner: it may know the stream. */
  #ask(stream: OwnedStream): void {
    if (stream.engine === 'asked') return;
    stream.engine = 'asked';
    this.#deps.socket.send(pingFrame(stream));
  }

  #opened(stream: OwnedStream, state: 'known' | 'new'): void {
    const { route } = stream;
    if (route === undefined) return;
    this.#toEdge(route, { kind: 'opened', epoch: this.epoch, route: route.id, state });
    stream.down.start();
  }

  #create(clientId: string, streamId: string, key: string): OwnedStream {
    const stream: OwnedStream = {
      ...{
        clientId,
        streamId,
        key,
        route: undefined,
        engine: 'unknown',
        lost: false,
        session: 0,
        holdTimer: undefined,
      },
      down: new Outgoing(this.#deps.creditOf(''), (n, frame) => {
        const { route } = stream;
        if (route !== undefined)
          this.#toEdge(route, { kind: 'down', epoch: this.epoch, route: route.id, n, frame });
      }),
      up: new Incoming(),
      forwarded: { seqId: 0, segmentId: 0 },
    };
    this.#closed.delete(key);
    this.#streams.set(key, stream);
    return stream;
  }

  /** The controller is away. Another edge may get its session; other streams end. */
  #detach(stream: OwnedStream): void {
    const { route } = stream;
    if (route === undefined) return;
    this.#byRoute.delete(route.id);
    this.#paused.delete(stream);
    stream.route = undefined;
    stream.down.restart(this.#deps.creditOf(''));
    if (route.session !== undefined) this.#hold(stream);
    else this.#close(stream);
  }

  #hold(stream: OwnedStream): void {
    clearTimeout(stream.holdTimer);
    stream.holdTimer = setTimeout(() => this.#close(stream), this.#deps.timing.sessionHold);
  }

  #onUp(stream: OwnedStream, n: number, frame: HopFrame): void {
    const { up } = stream;
    switch (up.check(n)) {
      case 'ignore':
        return;
      case 'repeat':
        this.#sendStatus(stream, 'go');
        return;
      case 'gap':
        this.#sendStatus(stream, 'again');
        return;
      case 'next':
    }
    const { socket } = this.#deps;
    if (socket.bufferedAmount > SOCKET_HIGH_WATER) {
      up.paused = true;
      this.#paused.add(stream);
      this.#sendStatus(stream, 'pause');
      return;
    }
    if (up.take(frame)) this.#sendStatus(stream, 'go');
    if (frame.use === 'close') {
      const { route } = stream;
      this.#close(stream);
      if (route !== undefined) this.#reportEnd(route, ENDED.notOpen, '');
      return;
    }
    if (isAfter(frame, stream.forwarded)) {
      stream.forwarded = frame;
      this.#position += 1;
      socket.send(frame.body.slice(0, -1) + this.#cursor, this.#onWritten);
    }
    this.#sent.push({ position: this.#position, stream, route: stream.route?.id ?? '', n });
    this.#deliveryTimer ??= setTimeout(() => this.#checkDelivery(), this.#deps.timing.deliveryCheck);
  }

  readonly #onWritten = (): void => {
    if (this.#paused.size === 0 || this.#deps.socket.bufferedAmount > SOCKET_HIGH_WATER / 2) return;
    const ready = [...this.#paused];
    this.#paused.clear();
    for (const stream of ready) {
      stream.up.paused = false;
      this.#sendStatus(stream, 'again');
    }
  };

  #checkDelivery(): void {
    this.#deliveryTimer = undefined;
    if (this.#sent.length === 0) return;
    this.#deps.socket.ping(String(this.#position));
    // The pong starts the next check, for what was sent meanwhile.
  }

  /** The engine has received everything up to the position in the pong. */
  onPong(text: string): void {
    if (!/^\d{1,15}$/.test(text)) return;
    const position = Number(text);
    let count = 0;
    const confirmed = new Set<OwnedStream>();
    for (const { position: at, stream, route, n } of this.#sent) {
      if (at > position) break;
      count += 1;
      if (stream.route?.id !== route) continue;
      stream.up.confirmed = Math.max(stream.up.confirmed, n);
      confirmed.add(stream);
    }
    this.#sent.splice(0, count);
    for (const stream of confirmed) this.#sendStatus(stream, 'go');
    if (this.#sent.length > 0) {
      this.#deliveryTimer ??= setTimeout(() => this.#checkDelivery(), this.#deps.timing.deliveryCheck);
    }
  }

  #sendStatus({ route, up: { received, confirmed } }: OwnedStream, next: HopNext): void {
    if (route === undefined) return;
    const { epoch } = this;
    this.#toEdge(route, { kind: 'upStatus', epoch, route: route.id, received, confirmed, next });
  }

  // --- from the engine

  onText(text: string): void {
    const frame = readServerFrame(text);
    if (frame === undefined) {
      this.#deps.onSkipped(text.length);
      return;
    }
    const { clientId, streamId, seqId } = frame;
    const key = streamKey(clientId, streamId);
    let stream = this.#streams.get(key);
    if (stream === undefined) {
      if (!this.#deps.resumed || this.#closed.has(key)) {
        // Without an ack the engine would keep the frame for ever.
        this.#acks.add(clientId, streamId, seqId);
        return;
      }
      // Its edge has not opened it with this owner yet.
      stream = this.#create(clientId, streamId, key);
      this.#hold(stream);
    }
    if (frame.type === 'pong') this.#onStreamPong(stream, seqId, frame.status);
    else this.#push(stream, readHopFrame(frame, text));
  }

  #onStreamPong(stream: OwnedStream, seqId: number, status: 'active' | 'unknown'): void {
    const asked = stream.engine === 'asked';
    if (status === 'active') {
      stream.engine = 'open';
      // The message that opened it was received, too. It must not be repeated: `initialize` would open the stream again.
      if (isAfter(OPENING, stream.forwarded)) stream.forwarded = OPENING;
      if (asked) this.#opened(stream, 'known');
    } else if (asked) this.#onUnknown(stream);
    else if (stream.forwarded.seqId > 0) this.#lose(stream);
    if (stream.down.isEmpty) this.#acks.add(stream.clientId, stream.streamId, seqId);
    else this.#push(stream, { seqId, segmentId: 0, last: true, use: 'auto', body: '' });
  }

  #push(stream: OwnedStream, frame: HopFrame): void {
    stream.down.push(frame);
    if (stream.down.bytes > MAX_KEPT_BYTES) this.#overflow(stream);
    else if (stream.route === undefined) this.#limitUnrouted();
  }

  #overflow(stream: OwnedStream): void {
    const { route } = stream;
    if (route !== undefined)
      this.#reportEnd(route, CLOSE_CODES.tryAgainLater, 'this controller does not read');
    this.#close(stream);
  }

  #limitUnrouted(): void {
    const unrouted = [...this.#streams.values()].filter(({ route }) => route === undefined);
    const bytes = unrouted.reduce((sum, { down }) => sum + down.bytes, 0);
    if (bytes <= MAX_UNROUTED_BYTES) return;
    const [largest] = unrouted.sort((a, b) => b.down.bytes - a.down.bytes);
    if (largest !== undefined) this.#close(largest);
  }

  /** The controller has these frames: the engine need not keep them. */
  #onConfirmed(stream: OwnedStream, frames: readonly HopFrame[]): void {
    const seqId = frames.at(-1)?.seqId;
    if (seqId !== undefined) this.#acks.add(stream.clientId, stream.streamId, seqId);
    if (stream.lost) this.#lose(stream);
  }

  #pingStreams(): void {
    for (const stream of this.#streams.values()) {
      if (stream.engine === 'open' && stream.forwarded.seqId > 0) this.#deps.socket.send(pingFrame(stream));
    }
  }

  // --- ends

  /** Ends the stream at the engine. */
  #close(stream: OwnedStream): void {
    this.#remove(stream);
    const { clientId, streamId } = stream;
    const ids = { client_id: clientId, stream_id: streamId };
    this.#deps.socket.send(JSON.stringify({ type: 'client_closed', ...ids, cursor: `hub.${this.epoch}` }));
  }

  #remove(stream: OwnedStream): void {
    const { key, clientId, streamId, route, down } = stream;
    clearTimeout(stream.holdTimer);
    this.#streams.delete(key);
    if (route !== undefined) this.#byRoute.delete(route.id);
    this.#paused.delete(stream);
    const last = down.lastSeqId;
    if (last !== undefined) this.#acks.add(clientId, streamId, last);
    down.end();
    this.#closed.add(key);
    if (this.#closed.size <= MAX_CLOSED) return;
    for (const oldest of this.#closed) {
      this.#closed.delete(oldest);
      break;
    }
  }

  #reportEnd({ id, node }: Pick<Route, 'id' | 'node'>, code: number, reason: string): void {
    this.#deps.toEdge(node, { kind: 'ended', epoch: this.epoch, route: id, code, reason });
  }

  #toEdge({ node }: Route, record: DownRecord): void {
    if (!this.#ended) this.#deps.toEdge(node, record);
  }
}

/** The id of a route begins with the node of its edge. */
function routeOf(id: string): Pick<Route, 'id' | 'node'> {
  return { id, node: id.slice(0, Math.max(id.lastIndexOf('.'), 0)) };
}

function pingFrame({ clientId, streamId }: OwnedStream): string {
  return JSON.stringify({ type: 'ping', client_id: clientId, stream_id: streamId });
}

function isAfter(a: Position, b: Position): boolean {
  return a.seqId === b.seqId ? a.segmentId > b.segmentId : a.seqId > b.seqId;
}

function readHopFrame(frame: Exclude<ServerFrame, { readonly type: 'pong' }>, body: string): HopFrame {
  const { seqId } = frame;
  if (frame.type === 'server_message') return { seqId, segmentId: 0, last: true, use: 'message', body };
  const { segmentId, segmentCount } = frame.chunk;
  return { seqId, segmentId, last: segmentId + 1 >= segmentCount, use: 'message', body };
}
