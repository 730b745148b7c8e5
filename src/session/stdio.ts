import type { Readable, Writable } from 'node:stream';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { ConnectionStatus } from './connection-status.js';
import { LineConnection } from './line-connection.js';
import type { LocalClient, LocalTransport } from './local-clients.js';

export interface StdioStreams {
  readonly input: Readable;
  readonly output: Writable;
}

/** Why a process's own streams are let in: there is nothing to present. */
export const STDIO_VERDICT = { mode: 'inherited', outcome: 'established', reason: 'stdioInherited' } as const;

/** While nothing is read, the end of the input cannot be seen: a little is read now and then, ms. */
const SIP_EVERY = 5_000;

/** The one client over a pair of streams; its end is the end of the engine, and the other way round. RC-46, WSA-21 */
export class StdioConnection implements LocalTransport {
  readonly #id: string;
  readonly #since: number;
  readonly #peer: string;
  readonly #client: LocalClient;
  readonly #lines: LineConnection;
  readonly #onEnd: (failure: Failure | null) => void;
  readonly #now: () => number;
  #bytesOut = 0;
  #sips: NodeJS.Timeout | undefined;

  /** @param host `onEnd` gets why the engine ended the connection; null: the client did. */
  constructor(
    id: string,
    streams: StdioStreams,
    host: {
      readonly now: () => number;
      readonly accept: (transport: LocalTransport) => LocalClient;
      readonly onEnd: (failure: Failure | null) => void;
    },
  ) {
    this.#id = id;
    this.#now = host.now;
    this.#since = host.now();
    this.#peer = streams.input === process.stdin ? `parent pid ${process.ppid}` : 'stdio';
    this.#onEnd = host.onEnd;
    this.#lines = new LineConnection(streams.input, streams.output, {
      onLine: (line) => this.#client.receive(line),
      onTooLong: (bytes) => this.#client.skipped('a line over 16 MiB', bytes),
      onDrain: () => this.#client.drained(),
      onEnd: () => {
        this.#client.ended();
        host.onEnd(null);
      },
    });
    this.#client = host.accept(this);
  }

  get status(): ConnectionStatus {
    const { session } = this.#client;
    return {
      id: this.#id,
      origin: 'stdio',
      ...STDIO_VERDICT,
      state: session.state,
      held: this.#sips !== undefined,
      since: this.#since,
      bytesIn: this.#lines.bytesIn,
      bytesOut: this.#bytesOut,
      peer: this.#peer,
      client: session.clientName ?? null,
      expiresAt: null,
    };
  }

  send(text: string): boolean {
    this.#bytesOut += Buffer.byteLength(text) + 1;
    return this.#lines.write(text);
  }

  get bufferedAmount(): number {
    return this.#lines.bufferedAmount;
  }

  hold(held: boolean): void {
    clearInterval(this.#sips);
    this.#sips = held ? setInterval(() => this.#lines.resume(), SIP_EVERY).unref() : undefined;
    if (held) this.#lines.pause();
    else this.#lines.resume();
  }

  /** The client cannot connect again over these streams. */
  close(code: number, message: string): void {
    if (code === CLOSE_CODES.serviceRestart) return;
    const reason: Reason = code === CLOSE_CODES.tryAgainLater ? 'clientOverloaded' : 'appServerClosed';
    this.#onEnd({ reason, message, at: this.#now() });
  }
}
