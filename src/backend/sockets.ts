import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.js';

export type Side = 'server' | 'controller';

interface TrackedSocket {
  readonly side: Side;
  alive: boolean;
}

/** How long a peer has to answer a close frame before its connection is destroyed, milliseconds. */
const CLOSE_GRACE = 500;

/** Every open socket of the backend: sends heartbeats, destroys dead sockets, and closes all of them at the end. */
export class Sockets {
  readonly #tracked = new Map<WebSocket, TrackedSocket>();
  readonly #heartbeatTimer: NodeJS.Timeout;
  readonly #closing = new Set<NodeJS.Timeout>();
  mutePongs = false;

  constructor(heartbeat: number) {
    this.#heartbeatTimer = setInterval(() => this.#heartbeat(), heartbeat);
  }

  add(side: Side, socket: WebSocket): void {
    const tracked: TrackedSocket = { side, alive: true };
    this.#tracked.set(socket, tracked);
    socket.on('close', () => this.#tracked.delete(socket));
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => {
      tracked.alive = true;
    });
    socket.on('message', () => {
      tracked.alive = true;
    });
    this.#answerPings(socket);
  }

  /**
   * Answers pings. While a pong is not written, only the latest ping is remembered (RFC 6455, 5.5.3): a peer that floods
   * with pings and reads nothing fills no memory. RC-54
   */
  #answerPings(socket: WebSocket): void {
    let writing = false;
    let latest: Buffer | undefined;
    const answer = (data: Buffer): void => {
      writing = true;
      socket.pong(data, undefined, (error) => {
        writing = false;
        const next = latest;
        latest = undefined;
        if (error == null && next !== undefined && socket.readyState === socket.OPEN) answer(next);
      });
    };
    socket.on('ping', (data) => {
      if (this.mutePongs) return;
      // A copy: the given buffer is a part of a larger one, which would stay in memory.
      if (writing) latest = Buffer.from(data);
      else if (socket.readyState === socket.OPEN) answer(data);
    });
  }

  /** Sends a close frame, and destroys the connection when the peer does not answer in time. */
  close(socket: WebSocket, code: number, reason: string): void {
    socket.close(code, reason);
    const timer = setTimeout(() => {
      this.#closing.delete(timer);
      socket.terminate();
    }, CLOSE_GRACE);
    this.#closing.add(timer);
    socket.once('close', () => {
      clearTimeout(timer);
      this.#closing.delete(timer);
    });
  }

  closeAll(side: Side | undefined, code: number, reason: string): void {
    for (const socket of this.#ofSide(side)) this.close(socket, code, reason);
  }

  dropAll(side: Side | undefined): void {
    for (const socket of this.#ofSide(side)) socket.terminate();
  }

  /** Closes everything. Resolves when every socket is closed: at the latest shortly after the grace time. */
  async end(): Promise<void> {
    clearInterval(this.#heartbeatTimer);
    const closed = this.#ofSide(undefined).map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    );
    this.closeAll(undefined, CLOSE_CODES.goingAway, 'the backend is stopping');
    await Promise.all(closed);
    for (const timer of this.#closing) clearTimeout(timer);
  }

  #ofSide(side: Side | undefined): WebSocket[] {
    return [...this.#tracked].flatMap(([socket, tracked]) =>
      side === undefined || tracked.side === side ? [socket] : [],
    );
  }

  #heartbeat(): void {
    for (const [socket, tracked] of this.#tracked) {
      if (!tracked.alive) socket.terminate();
      tracked.alive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }
}
