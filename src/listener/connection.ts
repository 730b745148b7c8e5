import type { ListenerConnectionEvent } from '../../machines/listener-connection.js';
import { cutBytes, oneLine } from '../observe/body-preview.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AgentProtocol } from '../protocol/agent-protocol.js';
import type { ClientContext } from '../protocol/app-server.js';
import { REASONS, type Reason } from '../protocol/reasons.js';
import { type Env, wallTimeOf } from '../protocol/timing.js';
import type { ConnectionStatus, LocalEnd, LocalTransport, ServedClient } from '../session/local-client.js';
import { type SharedChart, SharedRun } from '../session/shared-chart.js';
import { writeProgress } from '../system/write-progress.js';
import { peerOf } from './address.js';
import { connectionIdOf } from './upgrade-log.js';
import type { AcceptedConnection } from './upgrade-server.js';

/** Unsent bytes above which a client counts as slow. WSA-18 */
const HIGH_WATER = 1024 * 1024;
/** Unsent bytes beside the longest message above which it is closed: one message of any size is sent whole. WSA-18 */
const MAX_UNSENT = 32 * 1024 * 1024;
/** A client also counts as slow when any data has waited this long, ms. */
const SLOW_AFTER = 1_000;
/** Longest reason in a close frame, bytes. */
const MAX_CLOSE_REASON = 120;
/** Longest delay of a Node timer, about 24 days, ms. */
const MAX_TIMER = 2 ** 31 - 1;

/** Shared by all connections of a listener. */
export interface ListenerConnectionDeps {
  readonly chart: SharedChart;
  readonly watcher?: EngineWatcher | undefined;
  readonly env: Pick<Env, 'now' | 'monotonic'>;
  /** A client from which nothing was received for this time gets a ping, ms. RC-86 */
  readonly silence: number;
  /** Data waits for the client, or reading is paused: call `check` every second until it returns false. */
  startChecks(connection: ListenerConnection): void;
  /** The engine ends the connection. */
  onClosing(connection: ListenerConnection, reason: Reason): void;
  onClosed(connection: ListenerConnection, reason: Reason): void;
  onBinary(connection: ListenerConnection, bytes: number): void;
}

type EventType = ListenerConnectionEvent['type'];

/** The event with which the client of this connection ends it. */
const EVENT_OF_END: Readonly<Record<LocalEnd, EventType>> = {
  initializeMissing: 'INITIALIZE.OVERDUE',
  clientStalled: 'STALLED',
  clientOverloaded: 'FLOODED',
  appServerFailed: 'APP_SERVER.CLOSED',
  stopped: 'STOP',
};

/** One accepted connection of the listener: its chart, its WebSocket, and its client. */
export class ListenerConnection extends SharedRun<EventType> implements LocalTransport, ClientContext {
  /** Unique in the process. */
  readonly number: number;
  readonly origin: ConnectionStatus['origin'];
  /** Monotonic ms. */
  readonly #since: number;
  readonly #accepted: AcceptedConnection;
  readonly #deps: ListenerConnectionDeps;
  #client: ServedClient | undefined;
  /** Since when data waits, monotonic ms; 0: none waits. */
  #unsentSince = 0;
  /** Bytes of the longest message since no data waited. */
  #longestUnsent = 0;
  #progress = '';
  /** Bytes received at the last sweep, and when a sweep last found new ones, monotonic ms. */
  #heardBytes = 0;
  #heardAt = performance.now();
  #readPaused = false;
  /** Set when the close frame has been sent. */
  #closeReason: Reason | undefined;
  /** Text for the close frame, when the caller of `close` gave one. */
  #closeText: string | undefined;
  #expiry: NodeJS.Timeout | undefined;

  constructor(
    number: number,
    origin: ConnectionStatus['origin'],
    accepted: AcceptedConnection,
    deps: ListenerConnectionDeps,
  ) {
    const { chart, watcher } = deps;
    super(chart, watcher?.run(connectionIdOf(origin, number), chart.machine, chart.initial.snapshot));
    this.number = number;
    this.origin = origin;
    this.#since = deps.env.monotonic();
    this.#accepted = accepted;
    this.#deps = deps;
    this.take('ADMITTED');
    const { ws } = accepted;
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      // After our close frame, messages are ignored.
      if (this.#closeReason !== undefined) return;
      if (isBinary) deps.onBinary(this, data.length);
      else this.#client?.receive(data.toString());
    });
    ws.on('error', (error) => {
      if ('code' in error && error.code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
        this.#closeReason ??= 'messageTooLarge';
      }
    });
    ws.on('close', () => this.#onSocketClosed());
  }

  /** Attaches the client. @param closeAt When the connection must end, wall-clock ms; null: never. */
  serve(client: ServedClient, closeAt: number | null): void {
    this.#client = client;
    if (closeAt !== null) this.#scheduleExpiry(closeAt);
  }

  get connectionId(): string {
    return connectionIdOf(this.origin, this.number);
  }

  /** Wall-clock ms at which it connected, by the clock as it is set now. RC-42a */
  get since(): number {
    return wallTimeOf(this.#deps.env, this.#since);
  }

  get protocol(): AgentProtocol | undefined {
    return this.#accepted.protocol;
  }

  get degraded(): boolean {
    return this.#accepted.verdict.outcome === 'degraded';
  }

  get status(): ConnectionStatus {
    const { stream, verdict, expiresAt } = this.#accepted;
    return {
      id: this.connectionId,
      origin: this.origin,
      mode: verdict.mode,
      outcome: verdict.outcome,
      reason: verdict.reason,
      state: this.#state,
      held: this.#readPaused,
      since: this.since,
      bytesIn: stream.bytesRead,
      bytesOut: stream.bytesWritten,
      peer: peerOf(stream),
      client: this.#client?.session.clientName ?? null,
      expiresAt,
    };
  }

  /** Of the client while it is served, else of the connection. */
  get #state(): string {
    const { name } = this.at;
    return name === 'open' ? (this.#client?.session.state ?? name) : name;
  }

  // --- called by the client

  send(text: string): boolean {
    const { ws, stream } = this.#accepted;
    if (this.#closeReason !== undefined) return true;
    const before = this.#unsentSince === 0 ? 0 : ws.bufferedAmount;
    ws.send(text);
    if (stream.writableLength === 0) return true;
    if (this.#unsentSince === 0) {
      this.#unsentSince = performance.now();
      this.#longestUnsent = 0;
      // Only when needed: what a listener refers to stays in memory until the closed socket is collected.
      stream.once('drain', () => this.#checkUnsent());
      this.#deps.startChecks(this);
    }
    const unsent = ws.bufferedAmount;
    this.#longestUnsent = Math.max(this.#longestUnsent, unsent - before);
    if (unsent - this.#longestUnsent > MAX_UNSENT) this.take('OVERFLOW');
    return unsent <= HIGH_WATER;
  }

  pauseReading(paused: boolean): void {
    this.#readPaused = paused;
    const { ws } = this.#accepted;
    if (!paused) {
      this.#heardAt = performance.now();
      ws.resume();
      return;
    }
    ws.pause();
    this.#deps.startChecks(this);
  }

  close(reason: LocalEnd, text: string): void {
    this.#closeText = text;
    this.take(EVENT_OF_END[reason]);
  }

  /** It has not been initialized. */
  get isUnused(): boolean {
    return this.#client?.session.initialized !== true;
  }

  /** Closes this degraded connection, because a client with the credential needs its place. WSA-61 */
  replace(): AcceptedConnection['ws'] {
    this.take('REPLACED');
    return this.#accepted.ws;
  }

  /** The engine stops. WSA-20 */
  stop(): void {
    this.take('STOP');
  }

  /** Checks for a slow or lost client. False: no further check is needed for now. */
  check(): boolean {
    // While reading is paused, only a write notices that the client has disconnected.
    if (this.#readPaused) this.#accepted.ws.ping();
    return this.#checkUnsent() || this.#readPaused;
  }

  /** True while data waits for this client. */
  #checkUnsent(): boolean {
    if (this.#unsentSince === 0) return false;
    if (this.#accepted.ws.bufferedAmount === 0) {
      this.#unsentSince = 0;
      this.#client?.drained();
      return false;
    }
    const progress = writeProgress(this.#accepted.stream);
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#client?.session.progress();
      this.#notePeer();
    }
    if (performance.now() - this.#unsentSince >= SLOW_AFTER) this.#client?.session.pause();
    return true;
  }

  /** Called at intervals: finds out whether the client is still there. RC-86 */
  sweep(): void {
    const { bytesRead } = this.#accepted.stream;
    const now = performance.now();
    if (bytesRead !== this.#heardBytes) {
      this.#heardBytes = bytesRead;
      this.#notePeer();
    } else if (!this.#readPaused && now - this.#heardAt >= this.#deps.silence) {
      this.take('SILENT');
    }
  }

  /** The peer is there: it has sent or read something. */
  #notePeer(): void {
    this.#heardAt = performance.now();
    this.take('ALIVE');
  }

  // --- actions of the chart

  protected override perform(action: string, params: unknown): void {
    const { ws } = this.#accepted;
    switch (action) {
      case 'sendClose': {
        const { code, reason } = params as { readonly code: number; readonly reason: Reason };
        const text = this.#closeText ?? REASONS[reason].means;
        this.#client?.endSession(reason, text);
        this.#closeReason = reason;
        this.#deps.onClosing(this, reason);
        ws.close(code, cutBytes(oneLine(text), MAX_CLOSE_REASON));
        return;
      }
      case 'sendPing':
        ws.ping();
        return;
      case 'destroySocket':
        ws.terminate();
        return;
      case 'release':
        clearTimeout(this.#expiry);
        this.#client?.ended();
        return;
    }
  }

  #onSocketClosed(): void {
    this.take('ENDED');
    this.#unsentSince = 0;
    this.#deps.onClosed(this, this.#closeReason ?? 'clientClosed');
  }

  /** An expiry beyond the longest timer delay is rescheduled when the timer fires. */
  #scheduleExpiry(at: number): void {
    const { now } = this.#deps.env;
    const left = at - now();
    this.#expiry = setTimeout(
      () => {
        if (at > now()) this.#scheduleExpiry(at);
        else this.take('TOKEN.EXPIRED');
      },
      Math.min(Math.max(left, 0), MAX_TIMER),
    );
    this.#expiry.unref();
  }
}
