import type { ListenerConnectionEvent } from '../../machines/listener-connection.js';
import { cutBytes, oneLine } from '../observe/body-preview.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { ClientContext } from '../protocol/app-server.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { REASONS, type Reason } from '../protocol/reasons.js';
import type { ConnectionStatus } from '../session/connection-status.js';
import type { LocalClient, LocalTransport } from '../session/local-clients.js';
import type { AcceptedConnection } from './host.js';
import { peerOf } from './listener.js';
import { type SharedChart, SharedRun } from './shared-chart.js';
import { connectionIdOf } from './upgrade-log.js';

/** Unsent bytes at which a client counts as slow, and at which it is closed. WSA-18 */
const HIGH_WATER = 1024 * 1024;
const MAX_UNSENT = 32 * 1024 * 1024;
/** Data that has waited this long makes a client slow, however little it is, ms. */
const SLOW_AFTER = 1_000;
/** Longest text of a close frame, bytes. */
const MAX_CLOSE_TEXT = 120;
const MAX_TIMER = 2 ** 31 - 1;

export interface ListenerConnectionDeps {
  readonly chart: SharedChart;
  readonly watcher?: EngineWatcher | undefined;
  readonly now: () => number;
  /** Data waits for it, or it is held: it must be looked at now and then with `look`. */
  onWatched(connection: ListenerConnection): void;
  onClosed(connection: ListenerConnection, reason: Reason): void;
  onBinary(connection: ListenerConnection, bytes: number): void;
}

const EVENT_OF: Readonly<Record<number, ListenerConnectionEvent['type']>> = {
  [CLOSE_CODES.internalError]: 'APP_SERVER.CLOSED',
  [CLOSE_CODES.serviceRestart]: 'STOP',
  [CLOSE_CODES.tryAgainLater]: 'FLOODED',
};

/** One accepted connection of the listener: its chart, its socket, and the client it serves. */
export class ListenerConnection implements LocalTransport, ClientContext {
  /** Counts up through the process. */
  readonly number: number;
  readonly origin: ConnectionStatus['origin'];
  readonly since: number;
  readonly #accepted: AcceptedConnection;
  readonly #host: ListenerConnectionDeps;
  readonly #run: SharedRun<ListenerConnectionEvent>;
  #client: LocalClient | undefined;
  /** Monotonic ms since when data waits; 0: none does. */
  #unsentSince = 0;
  #held = false;
  #closing: { readonly reason: Reason; readonly text: string } | undefined;
  #expiry: NodeJS.Timeout | undefined;

  constructor(
    number: number,
    origin: ConnectionStatus['origin'],
    accepted: AcceptedConnection,
    host: ListenerConnectionDeps,
  ) {
    this.number = number;
    this.origin = origin;
    this.since = host.now();
    this.#accepted = accepted;
    this.#host = host;
    this.#run = new SharedRun(
      host.chart,
      (effect, params) => this.#act(effect, params),
      host.watcher?.run(this.connectionId, host.chart.machine, host.chart.initial.snapshot),
    );
    this.#run.send({ type: 'ADMITTED' });
    const { ws } = accepted;
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      // A close frame is out: what still comes is not served.
      if (this.#closing !== undefined) return;
      if (isBinary) host.onBinary(this, data.length);
      else this.#client?.receive(data.toString());
    });
    ws.on('error', (error) => {
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
        this.#closing ??= { reason: 'messageTooLarge', text: '' };
      }
    });
    ws.on('close', () => this.#ended());
  }

  /** Gives it the client that it serves. */
  serve(client: LocalClient, closeAt: number | null): void {
    this.#client = client;
    if (closeAt !== null) this.#armExpiry(closeAt);
  }

  /** The app server has answered `initialize`. */
  onInitialized(): void {
    this.#run.send({ type: 'INITIALIZED' });
  }

  get connectionId(): string {
    return connectionIdOf(this.origin, this.number);
  }

  get degraded(): boolean {
    return this.#accepted.verdict.outcome === 'degraded';
  }

  get state(): string {
    return this.#run.state;
  }

  get status(): ConnectionStatus {
    const { stream, verdict, expiresAt } = this.#accepted;
    return {
      id: this.connectionId,
      origin: this.origin,
      mode: verdict.mode,
      outcome: verdict.outcome,
      reason: verdict.reason,
      state: this.#run.state,
      held: this.#held,
      since: this.since,
      bytesIn: stream.bytesRead,
      bytesOut: stream.bytesWritten,
      peer: peerOf(stream),
      client: this.#client?.session.clientName ?? null,
      expiresAt,
    };
  }

  // --- what its client asks of it

  send(text: string): boolean {
    const { ws, stream } = this.#accepted;
    if (this.#closing !== undefined) return true;
    ws.send(text);
    if (stream.writableLength === 0) return true;
    if (this.#unsentSince === 0) {
      this.#unsentSince = performance.now();
      // Only now: a closed socket is kept until the next full collection, and whatever its listeners lead to.
      stream.once('drain', () => this.#checkUnsent());
      this.#host.onWatched(this);
    }
    const unsent = ws.bufferedAmount;
    if (unsent > MAX_UNSENT) this.#run.send({ type: 'OVERFLOW' });
    else if (unsent > HIGH_WATER) this.#run.send({ type: 'SLOW' });
    else return true;
    return false;
  }

  get bufferedAmount(): number {
    return this.#accepted.ws.bufferedAmount;
  }

  hold(held: boolean): void {
    this.#held = held;
    const { ws } = this.#accepted;
    if (!held) {
      ws.resume();
      return;
    }
    ws.pause();
    this.#host.onWatched(this);
  }

  close(code: number, text: string): void {
    const type = EVENT_OF[code] ?? 'STOP';
    this.#closeText = text;
    this.#run.send({ type });
  }
  #closeText: string | undefined;

  /** The engine stops. WSA-20 */
  stop(): void {
    this.#run.send({ type: 'STOP' });
  }

  /** Looks after it. False: it needs no further look. */
  look(): boolean {
    // While nothing is read, a client that has gone is noticed only by writing to it.
    if (this.#held) this.#accepted.ws.ping();
    return this.#checkUnsent() || this.#held;
  }

  /** True while data waits for this client. */
  #checkUnsent(): boolean {
    if (this.#unsentSince === 0) return false;
    if (this.#accepted.ws.bufferedAmount === 0) {
      this.#unsentSince = 0;
      this.#run.send({ type: 'DRAINED' });
      return false;
    }
    if (performance.now() - this.#unsentSince >= SLOW_AFTER) this.#run.send({ type: 'SLOW' });
    return true;
  }

  // --- what the chart asks of it

  #act(effect: string, params: unknown): void {
    const { ws } = this.#accepted;
    switch (effect) {
      case 'pauseAppServer':
        this.#client?.session.pause();
        return;
      case 'resumeAppServer':
        this.#client?.drained();
        return;
      case 'sendClose': {
        const { code, reason } = params as { readonly code: number; readonly reason: Reason };
        const text = this.#closeText ?? REASONS[reason].means;
        this.#closing = { reason, text };
        ws.close(code, cutBytes(oneLine(text), MAX_CLOSE_TEXT));
        return;
      }
      case 'destroySocket':
        ws.terminate();
        return;
      case 'release':
        clearTimeout(this.#expiry);
        this.#client?.ended();
        return;
    }
  }

  #ended(): void {
    this.#run.send({ type: 'ENDED' });
    this.#unsentSince = 0;
    this.#host.onClosed(this, this.#closing?.reason ?? 'clientClosed');
  }

  /** A timer takes at most some 24 days; a later end is looked at again then. */
  #armExpiry(at: number): void {
    const left = at - this.#host.now();
    this.#expiry = setTimeout(
      () => {
        if (at > this.#host.now()) this.#armExpiry(at);
        else this.#run.send({ type: 'TOKEN.EXPIRED' });
      },
      Math.min(Math.max(left, 0), MAX_TIMER),
    );
    this.#expiry.unref();
  }
}
