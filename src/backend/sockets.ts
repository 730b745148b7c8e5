import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.js';

export type Side = 'server' | 'controller';

interface Held {
  readonly side: Side;
  answered: boolean;
}

/** How long a peer has to answer a close before its connection is destroyed. */
const CLOSE_GRACE = 500;

/** Every open socket of the backend: finds out which are dead, and ends them all. */
export class Sockets {
  readonly #held = new Map<WebSocket, Held>();
  readonly #timer: NodeJS.Timeout;
  readonly #closing = new Set<NodeJS.Timeout>();
  mutePongs = false;

  constructor(heartbeat: number) {
    this.#timer = setInterval(() => this.#beat(), heartbeat);
  }

  add(side: Side, socket: WebSocket): void {
    const held: Held = { side, answered: true };
    this.#held.set(socket, held);
    socket.on('close', () => this.#held.delete(socket));
    socket.on('error', () => socket.terminate());
    socket.on('pong', () => {
      held.answered = true;
    });
    socket.on('message', () => {
      held.answered = true;
    });
    socket.on('ping', (data) => {
      if (!this.mutePongs) socket.pong(data);
    });
  }

  /** Says goodbye, and does not wait for long for an answer. */
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
    for (const socket of this.#of(side)) this.close(socket, code, reason);
  }

  dropAll(side: Side | undefined): void {
    for (const socket of this.#of(side)) socket.terminate();
  }

  /** Ends everything. Resolves when each socket is closed, at the latest a little after the grace time. */
  async end(): Promise<void> {
    clearInterval(this.#timer);
    const closed = this.#of(undefined).map(
      (socket) => new Promise<void>((resolve) => socket.once('close', () => resolve())),
    );
    this.closeAll(undefined, CLOSE_CODES.goingAway, 'the backend stops');
    await Promise.all(closed);
    for (const timer of this.#closing) clearTimeout(timer);
  }

  #of(side: Side | undefined): WebSocket[] {
    return [...this.#held].flatMap(([socket, held]) =>
      side === undefined || held.side === side ? [socket] : [],
    );
  }

  #beat(): void {
    for (const [socket, held] of this.#held) {
      if (!held.answered) socket.terminate();
      held.answered = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }
  }
}
