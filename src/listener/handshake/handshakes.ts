import type { Socket } from 'node:net';

export interface HandshakeLimits {
  /** Handshakes in progress at once. WSA-16 */
  readonly maxHandshakes: number;
  /** Connections that may wait for one of those places for a moment. */
  readonly maxWaiting: number;
  /** ms */
  readonly maxWait: number;
  /** Until the upgrade is complete, ms. */
  readonly timeout: number;
}

export interface HandshakeEvents {
  /** A place is free: begin to read. */
  onAdmitted(socket: Socket): void;
  /** No place came free in time. */
  onRefused(socket: Socket): void;
  /** It has a place and did not finish in time. */
  onTooSlow(socket: Socket): void;
}

const SWEEP = 250;

/**
 * Counts connections that are not yet WebSockets. A burst of good ones queues for a moment instead of being
 * refused, as each place is free again within a millisecond; slow ones are cut.
 */
export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #events: HandshakeEvents;
  /** Each with the time (monotonic ms) it is cut at. Insertion order is the order of the deadlines. */
  readonly #active = new Map<Socket, number>();
  readonly #waiting = new Map<Socket, number>();
  /** Answered and only waiting for the other side to close. */
  readonly #lingering = new Map<Socket, number>();
  #sweep: NodeJS.Timeout | undefined;

  constructor(limits: HandshakeLimits, events: HandshakeEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  get active(): number {
    return this.#active.size;
  }

  /** A new connection; its end is noticed here. */
  enter(socket: Socket): void {
    socket.on('close', this.#left);
    if (this.#active.size < this.#limits.maxHandshakes) {
      this.#admit(socket);
      return;
    }
    if (this.#waiting.size >= this.#limits.maxWaiting) {
      this.#events.onRefused(socket);
      return;
    }
    socket.pause();
    this.#waiting.set(socket, performance.now() + this.#limits.maxWait);
    this.#watch();
  }

  /** One for all: each socket has it for a listener. */
  readonly #left = leaves(this);

  /** It is a WebSocket now, or gone. */
  readonly leave = (socket: Socket): void => {
    this.#lingering.delete(socket);
    if (this.#waiting.delete(socket) || !this.#active.delete(socket)) return;
    const next = this.#waiting.keys().next();
    if (next.done === true) return;
    this.#waiting.delete(next.value);
    this.#admit(next.value);
    next.value.resume();
  };

  /** It has been answered: what it still sends is thrown away until it closes, for `limit` ms at most. */
  linger(socket: Socket, limit: number): void {
    this.leave(socket);
    if (socket.destroyed) return;
    this.#lingering.set(socket, performance.now() + limit);
    this.#watch();
  }

  close(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
    for (const sockets of [this.#active, this.#waiting, this.#lingering]) {
      const all = [...sockets.keys()];
      sockets.clear();
      for (const socket of all) socket.destroy();
    }
  }

  #admit(socket: Socket): void {
    this.#active.set(socket, performance.now() + this.#limits.timeout - SWEEP);
    this.#watch();
    this.#events.onAdmitted(socket);
  }

  #watch(): void {
    this.#sweep ??= setInterval(() => this.#sweepOnce(), SWEEP).unref();
  }

  #sweepOnce(): void {
    const now = performance.now();
    for (const socket of overdue(this.#active, now)) this.#events.onTooSlow(socket);
    for (const socket of overdue(this.#waiting, now)) {
      this.#waiting.delete(socket);
      this.#events.onRefused(socket);
    }
    for (const socket of overdue(this.#lingering, now)) socket.destroy();
    if (this.#active.size + this.#waiting.size + this.#lingering.size > 0) return;
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }
}

function overdue(sockets: ReadonlyMap<Socket, number>, now: number): Socket[] {
  const found: Socket[] = [];
  for (const [socket, deadline] of sockets) {
    if (deadline > now) break;
    found.push(socket);
  }
  return found;
}

function leaves(handshakes: Handshakes): (this: Socket) => void {
  return function left(this: Socket) {
    handshakes.leave(this);
  };
}
