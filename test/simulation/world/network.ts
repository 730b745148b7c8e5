/**
 * The simulated network. Bytes of one direction of one connection arrive complete and in order, in pieces of any size;
 * everything else may happen: delay, reordering between connections, an end at any byte, silence.
 */

import type { SimProcess } from './process.js';
import type { Random } from './random.js';

/** Both ends of a connection hear this much of it. */
export interface Receiver {
  onConnected(): void;
  onData(bytes: Buffer): void;
  /** The other side has ended its direction. */
  onEnd(): void;
  onError(code: string): void;
  /** There is room for more bytes. */
  onRoom(): void;
}

/** What is wrong between two processes. All connections between them share it. */
export interface RouteState {
  /** Longest time that a piece travels, ms. */
  latency: number;
  /** Nothing passes; TCP repeats it, so it arrives later. New connections wait. */
  blocked: boolean;
  /** New connections are refused. */
  refused: boolean;
  /** The connection that carries this many more bytes ends there. */
  cut: { bytes: number; how: 'reset' | 'end' | 'silence' } | undefined;
}

/** Unread bytes of one direction above which the sender has to wait. */
const WINDOW = 128 * 1024;
const NORMAL_LATENCY = 20;
const LOCAL_LATENCY = 0.5;
/** How long a connection attempt without an answer takes, ms. */
const CONNECT_TIMEOUT = 130_000;

export class Network {
  readonly #routes = new Map<string, RouteState>();
  readonly #random: Random;
  readonly #open = new Set<Connection>();
  /** Called for each piece that arrives. */
  onTraffic: (from: End, to: End, bytes: Buffer) => void = () => {};

  constructor(random: Random) {
    this.#random = random;
  }

  /** The state of the network between two processes, by their names. */
  route(one: string, other: string): RouteState {
    const key = [one, other].sort().join('|');
    let route = this.#routes.get(key);
    if (route === undefined) {
      route = { latency: this.#normal(one, other), blocked: false, refused: false, cut: undefined };
      this.#routes.set(key, route);
    }
    return route;
  }

  #normal(one: string, other: string): number {
    return [one, other].some((name) => /^(?:backend|issuer)/.test(name)) ? NORMAL_LATENCY : LOCAL_LATENCY;
  }

  /** Removes everything that is wrong. Connections that have lost bytes stay as they are. */
  heal(): void {
    for (const [key, route] of this.#routes) {
      const [one = '', other = ''] = key.split('|');
      Object.assign(route, {
        latency: this.#normal(one, other),
        blocked: false,
        refused: false,
        cut: undefined,
      });
    }
    this.flush();
  }

  /** Sends what was held back where something passes again. */
  flush(): void {
    for (const connection of this.#open) connection.retransmit();
  }

  /** The connections of a process fall silent, those with the processes of this name only. */
  vanish(process: SimProcess, other = /./): void {
    for (const connection of this.#open) {
      const [near, far] = connection.ends;
      const peer = near.process === process ? far : far.process === process ? near : undefined;
      if (peer !== undefined && other.test(peer.process.name)) connection.goSilent();
    }
  }

  connections(one: string, other: string): Connection[] {
    return [...this.#open].filter(({ ends: [a, b] }) => {
      const names = [a.process.name, b.process.name];
      return names.includes(one) && names.includes(other);
    });
  }

  /** Connects `client` with the process behind `accept`. */
  connect(
    client: SimProcess,
    receiver: Receiver,
    server: { readonly process: SimProcess; readonly accept: (end: End) => Receiver } | undefined,
  ): End {
    const connection = new Connection(client, server?.process ?? client, {
      random: this.#random,
      route: this.route(client.name, server?.process.name ?? client.name),
      onTraffic: (from, to, bytes) => this.onTraffic(from, to, bytes),
      onClosed: () => this.#open.delete(connection),
    });
    this.#open.add(connection);
    const [near, far] = connection.ends;
    near.receiver = receiver;
    const attempt = (waited: number): void => {
      const route = this.route(client.name, server?.process.name ?? client.name);
      if (near.closed) {
        connection.forget();
        return;
      }
      if (route.blocked && waited < CONNECT_TIMEOUT) {
        client.after(1_000, () => attempt(waited + 1_000));
      } else if (route.blocked || server === undefined || route.refused || !server.process.alive) {
        near.fail(route.blocked ? 'ETIMEDOUT' : 'ECONNREFUSED');
        connection.forget();
      } else {
        far.receiver = server.accept(far);
        client.after(this.#random.float() * route.latency, () => {
          if (!near.closed) receiver.onConnected();
        });
      }
    };
    const first = this.route(client.name, server?.process.name ?? client.name);
    client.after(this.#random.float() * first.latency, () => attempt(0));
    return near;
  }
}

interface ConnectionDeps {
  readonly random: Random;
  readonly route: RouteState;
  readonly onTraffic: (from: End, to: End, bytes: Buffer) => void;
  readonly onClosed: () => void;
}

export class Connection {
  readonly ends: readonly [End, End];
  /** The network has forgotten it: bytes disappear. */
  silent = false;
  /** Both sides got an end: what they still send is refused. */
  over = false;
  readonly #deps: ConnectionDeps;

  constructor(client: SimProcess, server: SimProcess, deps: ConnectionDeps) {
    this.#deps = deps;
    const near = new End(this, client, deps);
    const far = new End(this, server, deps);
    near.peer = far;
    far.peer = near;
    this.ends = [near, far];
  }

  /** Ends it at once for both sides. */
  reset(): void {
    for (const end of this.ends) end.fail('ECONNRESET');
    this.forget();
  }

  /** From now on nothing arrives, and neither side notices. */
  goSilent(): void {
    this.silent = true;
  }

  retransmit(): void {
    for (const end of this.ends) end.flush();
  }

  /** Neither side has it any more. */
  forget(): void {
    for (const end of this.ends) end.abandon();
    this.#deps.onClosed();
  }
}

type Piece = { readonly bytes: Buffer } | 'end';

/** One side of a connection. */
export class End {
  readonly process: SimProcess;
  readonly connection: Connection;
  readonly #deps: ConnectionDeps;
  readonly #release: () => void;
  receiver: Receiver | undefined;
  peer: End | undefined;
  closed = false;
  /** Sent and not yet read by the other side, bytes. */
  unread = 0;
  #waits = false;
  /** Pieces that have not left, because nothing passes. */
  #queue: Piece[] = [];
  #lastArrival = 0;

  constructor(connection: Connection, process: SimProcess, deps: ConnectionDeps) {
    this.connection = connection;
    this.process = process;
    this.#deps = deps;
    this.#release = process.own(() => this.close());
  }

  /** False: the sender should wait for `onRoom`. */
  send(bytes: Buffer): boolean {
    if (this.closed) return true;
    this.unread += bytes.length;
    const { random } = this.#deps;
    for (let rest = bytes; rest.length > 0; ) {
      const most = random.chance(0.8) ? rest.length : random.int(1, rest.length);
      const size = Math.min(most, 16 * 1024);
      this.#queue.push({ bytes: rest.subarray(0, size) });
      rest = rest.subarray(size);
    }
    this.flush();
    this.#waits = this.unread > WINDOW;
    return !this.#waits;
  }

  /** No more bytes in this direction. */
  sendEnd(): void {
    if (this.closed) return;
    this.#queue.push('end');
    this.flush();
  }

  /** The other side has read bytes of this one. */
  consumed(bytes: number): void {
    this.unread -= bytes;
    if (!this.#waits || this.unread > WINDOW / 2 || this.closed) return;
    this.#waits = false;
    this.process.after(0, () => this.receiver?.onRoom());
  }

  flush(): void {
    const { route, random } = this.#deps;
    const { scheduler } = this.process;
    while (!route.blocked && this.#queue.length > 0) {
      const piece = this.#queue.shift();
      if (piece === undefined) return;
      const arrival = scheduler.now + random.float() * route.latency;
      this.#lastArrival = Math.max(this.#lastArrival + 1e-6, arrival);
      const { peer } = this;
      // The other process reads it when it runs; the system of the other machine has it anyway.
      peer?.process.after(this.#lastArrival - scheduler.now, () => this.#arrive(piece, peer));
    }
  }

  #arrive(piece: Piece, peer: End): void {
    if (this.connection.silent) return;
    if (peer.closed || this.connection.over) {
      if (piece !== 'end') this.fail('ECONNRESET');
      return;
    }
    if (piece === 'end') {
      peer.receiver?.onEnd();
      return;
    }
    const { cut } = this.#deps.route;
    if (cut !== undefined && cut.bytes < piece.bytes.length) {
      this.#cut(piece.bytes.subarray(0, cut.bytes), cut.how, peer);
      return;
    }
    if (cut !== undefined) cut.bytes -= piece.bytes.length;
    this.#deliver(piece.bytes, peer);
  }

  #deliver(bytes: Buffer, peer: End): void {
    this.#deps.onTraffic(this, peer, bytes);
    peer.receiver?.onData(bytes);
  }

  #cut(bytes: Buffer, how: 'reset' | 'end' | 'silence', peer: End): void {
    this.#deps.route.cut = undefined;
    if (bytes.length > 0) this.#deliver(bytes, peer);
    if (how === 'reset') this.connection.reset();
    else if (how === 'silence') this.connection.goSilent();
    else {
      this.connection.over = true;
      for (const end of this.connection.ends) if (!end.closed) end.receiver?.onEnd();
    }
  }

  /** This side gets an error. */
  fail(code: string): void {
    if (this.closed) return;
    this.closed = true;
    this.#release();
    this.process.after(0, () => this.receiver?.onError(code));
  }

  /** Nothing happens on this side any more. */
  abandon(): void {
    this.closed = true;
    this.#release();
  }

  /** This side is gone: it reads nothing more. */
  close(): void {
    if (this.closed) return;
    this.sendEnd();
    this.closed = true;
    this.#release();
    if (this.peer?.closed === true) this.connection.forget();
  }
}
