import type { Readable, Writable } from 'node:stream';
import { type ActorRefFrom, createActor } from 'xstate';
import { stdioConnectionMachine } from '../../machines/stdio-connection.js';
import type { EngineWatcher } from '../observe/watcher.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import { type Env, type Timing, wallTimeOf } from '../protocol/timing.js';
import { LineConnection, MAX_LINE_BYTES } from './line-connection.js';
import type { ConnectionStatus, LocalClient, LocalEnd, LocalTransport } from './local-client.js';

/** The streams of `stdio://`: one JSON-RPC message per line in both directions. */
export interface StdioStreams {
  /** Messages of the client. Default: stdin. */
  readonly input: Readable;
  /** Messages to the client. Default: stdout. */
  readonly output: Writable;
}

/** The decision for stdio: the streams belong to the parent process, which needs no credential. */
export const STDIO_VERDICT = { mode: 'inherited', outcome: 'established', reason: 'stdioInherited' } as const;

/** While reading is paused the end of the input goes unnoticed, so a probe read happens this often, ms. */
const PROBE_READ_INTERVAL = 5_000;

const UNANSWERED = 'The app server did not answer all requests before the end of stdin stopped the engine.';

/**
 * The single client over stdio. The engine stops when it disconnects, and the other way round. A client that closes only
 * its end of stdin gets the responses that are still open first. RC-46, RC-77, WSA-21
 */
export class StdioConnection implements LocalTransport {
  readonly #id: string;
  /** Monotonic ms. */
  readonly #since: number;
  readonly #peer: string;
  readonly #client: LocalClient;
  readonly #lines: LineConnection;
  readonly #onEnd: (failure: Failure | null) => void;
  readonly #env: Pick<Env, 'now' | 'monotonic'>;
  readonly #actor: ActorRefFrom<typeof stdioConnectionMachine>;
  #failure: Failure | null = null;
  #inputEnded = false;
  /** Nobody reads what is written. */
  #broken = false;
  #checking = false;
  #bytesOut = 0;
  #probeReads: NodeJS.Timeout | undefined;

  /** @param deps `onEnd` receives why the engine ended the connection; null: the client disconnected. */
  constructor(
    id: string,
    streams: StdioStreams,
    deps: {
      readonly env: Pick<Env, 'now' | 'monotonic'>;
      readonly timing: Timing;
      readonly watcher?: EngineWatcher | undefined;
      readonly accept: (transport: LocalTransport) => LocalClient;
      readonly onEnd: (failure: Failure | null) => void;
    },
  ) {
    this.#id = id;
    this.#env = deps.env;
    this.#since = deps.env.monotonic();
    this.#peer = streams.input === process.stdin ? `parent pid ${process.ppid}` : 'stdio';
    this.#onEnd = deps.onEnd;
    this.#lines = new LineConnection(streams.input, streams.output, {
      onLine: (line) => this.#client.receive(line),
      onTooLong: (bytes, envelope) => this.#client.receiveTooLarge(bytes, MAX_LINE_BYTES, envelope),
      onDrain: () => this.#client.drained(),
      onInputEnd: () => this.#endInput(),
      onEnd: () => {
        this.#broken = true;
        this.#actor.send({ type: 'ENDED' });
      },
    });
    const machine = stdioConnectionMachine.provide({
      actions: {
        endAppServerInput: () => this.#endAppServerInput(),
        release: () => this.#release(),
      },
    });
    this.#actor = createActor(machine, { id: `stdioConnection:${id}`, input: { timing: deps.timing } });
    deps.watcher?.actor(this.#actor);
    this.#client = deps.accept(this);
    this.#actor.start();
  }

  get status(): ConnectionStatus {
    const { session } = this.#client;
    return {
      id: this.#id,
      origin: 'stdio',
      ...STDIO_VERDICT,
      state: session.state,
      held: this.#probeReads !== undefined,
      since: wallTimeOf(this.#env, this.#since),
      bytesIn: this.#lines.bytesIn,
      bytesOut: this.#bytesOut,
      peer: this.#peer,
      client: session.clientName ?? null,
      expiresAt: null,
    };
  }

  send(text: string): boolean {
    this.#bytesOut += Buffer.byteLength(text) + 1;
    if (this.#inputEnded) {
      this.#actor.send({ type: 'PROGRESS' });
      this.#checkSoon();
    }
    return this.#lines.write(text);
  }

  pauseReading(paused: boolean): void {
    clearInterval(this.#probeReads);
    this.#probeReads = paused
      ? setInterval(() => this.#lines.resume(), PROBE_READ_INTERVAL).unref()
      : undefined;
    if (paused) this.#lines.pause();
    else this.#lines.resume();
  }

  /** Ends the engine, because the client cannot reconnect over these streams; not when the engine stops anyway. */
  close(reason: LocalEnd, message: string): void {
    if (reason === 'stopped') {
      this.#actor.stop();
      return;
    }
    const shown = reason === 'appServerFailed' ? 'appServerClosed' : reason;
    if (!this.#actor.getSnapshot().hasTag('appServerMayEnd'))
      this.#failure = failure(shown, message, this.#env.now());
    this.#actor.send({ type: 'APP_SERVER.CLOSED' });
  }

  #endInput(): void {
    const { session } = this.#client;
    this.#inputEnded = true;
    session.endInput();
    this.#actor.send({ type: 'INPUT.ENDED' });
    if (session.initialized) this.#actor.send({ type: 'PROGRESS' });
    this.#check();
  }

  /** The response to `initialize` lets messages go on that wait in the session, after it was sent. */
  #checkSoon(): void {
    if (this.#checking) return;
    this.#checking = true;
    setImmediate(() => {
      this.#checking = false;
      this.#check();
    });
  }

  #check(): void {
    if (!this.#client.session.isWaiting) this.#actor.send({ type: 'ANSWERED' });
  }

  #endAppServerInput(): void {
    // Nothing runs on: what it said has been passed on.
    if (!this.#client.session.endAppServerInput() && !this.#client.session.isWaiting) {
      this.#actor.send({ type: 'APP_SERVER.CLOSED' });
    }
  }

  #release(): void {
    if (this.#client.session.isWaiting && !this.#broken) {
      this.#failure ??= failure('appServerFailed', UNANSWERED, this.#env.now());
      this.#client.endSession('appServerFailed', UNANSWERED);
    }
    this.#client.ended();
    this.#onEnd(this.#failure);
  }
}
