/** A client of the engine over WebSocket: a controller behind the backend, or a client on the machine itself. */
import type { WebSocket } from 'ws';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import { Conversation } from './conversation.js';
import { type Running, startPeer } from './process-of.js';

/** Where a client connects; undefined: it cannot yet. */
export interface Place {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Pauses between attempts, ms; the last one is repeated. */
const PAUSES = [1_500, 2_000, 4_000, 8_000, 15_000] as const;
const HANDSHAKE_LIMIT = 20_000;
/** Between two pings, ms. A connection without an answer until the next one is dead. */
const PING = 20_000;

export class Client {
  readonly name: string;
  readonly #world: World;
  readonly #running: Running<'peer'>;
  readonly #place: () => Place | undefined;
  readonly #now: () => number;
  /** The place has refused this client for good. */
  onRefused: (status: number) => void = () => {};
  onClosed: (code: number) => void = () => {};
  #socket: WebSocket | undefined;
  #conversation: Conversation | undefined;
  #serial = 0;
  #connections = 0;
  /** Attempts since the last open connection. */
  #failures = 0;
  answered = 0;

  constructor(
    world: World,
    machine: Machine,
    name: string,
    place: () => Place | undefined,
    now: () => number,
  ) {
    this.#now = now;
    this.name = name;
    this.#world = world;
    this.#place = place;
    this.#running = startPeer(world, machine, name);
    this.#running.process.after(0, () => this.#connect());
  }

  get process() {
    return this.#running.process;
  }

  get code() {
    return this.#running.code;
  }

  /** Undefined: it has no open connection. */
  get conversation(): Conversation | undefined {
    return this.#conversation;
  }

  get connection(): string {
    return `${this.name}.${this.#connections}`;
  }

  nextValue(): string {
    this.#serial += 1;
    return `${this.name} ${this.#serial}`;
  }

  /** Ends the connection; another one follows. */
  disconnect(how: 'close' | 'terminate'): void {
    this.#running.process.after(0, () => this.#socket?.[how]());
  }

  #again(): void {
    const pause = PAUSES[Math.min(this.#failures, PAUSES.length - 1)] ?? 0;
    this.#failures += 1;
    this.#running.process.after(pause, () => this.#connect());
  }

  #connect(): void {
    const place = this.#place();
    if (place === undefined) {
      this.#again();
      return;
    }
    const { process, code } = this.#running;
    const socket = new code.WebSocket(place.url, {
      ...{ perMessageDeflate: false, handshakeTimeout: HANDSHAKE_LIMIT, headers: place.headers },
    });
    this.#socket = socket;
    this.#connections += 1;
    const conversation = new Conversation({
      name: this.name,
      now: this.#now,
      send: (text) => socket.send(text),
      say: (event) => this.#world.trace.add(this.name, event),
      fail: (violation) => this.#world.scheduler.fail(violation),
    });
    let heard = true;
    socket.on('pong', () => {
      heard = true;
    });
    const ping = (): void => {
      if (socket.readyState !== socket.OPEN) return;
      if (!heard) {
        socket.terminate();
        return;
      }
      heard = false;
      socket.ping();
      process.after(PING, ping);
    };
    socket.on('open', () => {
      this.#conversation = conversation;
      this.#failures = 0;
      this.#world.trace.add(this.name, 'connected');
      conversation.initialize();
      ping();
    });
    socket.on('message', (data) => {
      const before = conversation.answered;
      conversation.receive(String(data));
      this.answered += conversation.answered - before;
    });
    socket.on('unexpected-response', (_request, response) => {
      this.#world.trace.add(this.name, `refused: HTTP ${response.statusCode}`);
      this.onRefused(response.statusCode ?? 0);
      socket.terminate();
    });
    socket.on('error', (error) => this.#world.trace.add(this.name, `error: ${error.message}`));
    socket.on('close', (code) => {
      conversation.close(String(code));
      this.onClosed(code);
      if (this.#conversation === conversation) this.#conversation = undefined;
      this.#again();
    });
  }
}
