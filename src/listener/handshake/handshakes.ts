import type { Socket } from 'node:net';

interface HandshakeLimits {
  /** Handshakes in progress at once. WSA-16 */
  readonly maxHandshakes: number;
  /** Connections that may wait until another handshake is complete. */
  readonly maxWaiting: number;
  /** How long a connection may wait, ms. */
  readonly maxWait: number;
  /** How long a handshake may take, ms. */
  readonly timeout: number;
}

interface HandshakeEvents {
  /** The handshake may begin. */
  onAdmitted(socket: Socket): void;
  /** The limits leave no room for this connection. */
  onRefused(socket: Socket): void;
  /** The handshake was not complete in time. */
  onTimeout(socket: Socket): void;
}

/** Between two checks of the deadlines, ms. */
const SWEEP_INTERVAL = 250;

/**
 * Limits the connections that are not WebSockets yet. A burst of good connections waits for a moment instead of being
 * refused, because handshakes normally take a millisecond; slow ones are ended.
 */
export class Handshakes {
  readonly #limits: HandshakeLimits;
  readonly #events: HandshakeEvents;
  /** Each with its deadline, monotonic ms. The insertion order is the order of the deadlines. */
  readonly #active = new Map<Socket, number>();
  readonly #waiting = new Map<Socket, number>();
  /** Connections that have their response and still have to be closed by the client. */
  readonly #lingering = new Map<Socket, number>();
  #sweepTimer: NodeJS.Timeout | undefined;

  constructor(limits: HandshakeLimits, events: HandshakeEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** Takes a new connection: its handshake begins, or waits, or is refused. */
  enter(socket: Socket): void {
    socket.on('close', this.#onClose);
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
    this.#startSweep();
  }

  /** One listener function for all sockets. */
  readonly #onClose = leaveOnClose(this);

  /** The connection is a WebSocket now, or closed. */
  leave(socket: Socket): void {
    this.#lingering.delete(socket);
    if (this.#waiting.delete(socket) || !this.#active.delete(socket)) return;
    const next = this.#waiting.keys().next();
    if (next.done === true) return;
    this.#waiting.delete(next.value);
    this.#admit(next.value);
    next.value.resume();
  }

  /** The connection has its response: further data is discarded until it closes, for `timeout` ms at most. */
  linger(socket: Socket, timeout: number): void {
    this.leave(socket);
    if (socket.destroyed) return;
    this.#lingering.set(socket, performance.now() + timeout);
    this.#startSweep();
  }

  close(): void {
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = undefined;
    for (const sockets of [this.#active, this.#waiting, this.#lingering]) {
      const all = [...sockets.keys()];
      sockets.clear();
      for (const socket of all) socket.destroy();
    }
  }

  #admit(socket: Socket): void {
    this.#active.set(socket, performance.now() + this.#limits.timeout - SWEEP_INTERVAL);
    this.#startSweep();
    this.#events.onAdmitted(socket);
  }

  #startSweep(): void {
    this.#sweepTimer ??= setInterval(() => this.#sweep(), SWEEP_INTERVAL).unref();
  }

  #sweep(): void {
    const now = performance.now();
    for (const socket of overdue(this.#active, now)) this.#events.onTimeout(socket);
    for (const socket of overdue(this.#waiting, now)) {
      this.#waiting.delete(socket);
      this.#events.onRefused(socket);
    }
    for (const socket of overdue(this.#lingering, now)) socket.destroy();
    if (this.#active.size + this.#waiting.size + this.#lingering.size > 0) return;
    clearInterval(this.#sweepTimer);
    this.#sweepTimer = undefined;
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

function leaveOnClose(handshakes: Handshakes): (this: Socket) => void {
  return function onClose(this: Socket) {
    handshakes.leave(this);
  };
}
