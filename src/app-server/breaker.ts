import type { AppServerConnection, AppServerEvents } from '../protocol/app-server.js';
import { errorText, RPC } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';

const MAX_FAILURES = 5;
const WINDOW = 60_000;
/** How often a socket that keeps failing is tried, ms. */
const RETRY_EVERY = 1_000;

/** Failures of an app server: the last five, and what the newest one was. */
class Failures {
  readonly #times: number[] = [];
  cause = '';

  add(cause: string): void {
    this.cause = cause;
    this.#times.push(performance.now());
    if (this.#times.length > MAX_FAILURES) this.#times.shift();
  }

  clear(): void {
    this.#times.length = 0;
  }

  get tooMany(): boolean {
    const [oldest] = this.#times;
    return this.#times.length >= MAX_FAILURES && oldest !== undefined && performance.now() - oldest < WINDOW;
  }
}

/** Five deaths within a minute: no further child is started until the oldest of them is a minute ago. */
export class Breaker {
  readonly #deaths = new Failures();

  died(cause: string): void {
    this.#deaths.add(cause);
  }

  /** Why nothing is started now, in words; undefined: it may be. */
  get refusal(): string | undefined {
    if (!this.#deaths.tooMany) return undefined;
    return `The app server died ${MAX_FAILURES} times within a minute and is left alone for now: ${this.#deaths.cause}`;
  }
}

/**
 * Five failures of an upstream within a minute, none of them followed by a success: from then on it is tried once a
 * second, which costs little and finds it soon when it is back.
 */
export class UpstreamBreaker {
  readonly #failures = new Failures();
  #triedAt = Number.NEGATIVE_INFINITY;

  failed(cause: string): void {
    this.#failures.add(cause);
    this.#triedAt = performance.now();
  }

  succeeded(): void {
    this.#failures.clear();
  }

  /** Why it is not tried now, in words; undefined: it may be tried, once. */
  refusal(): string | undefined {
    if (!this.#failures.tooMany) return undefined;
    const now = performance.now();
    if (now - this.#triedAt >= RETRY_EVERY) {
      this.#triedAt = now;
      return undefined;
    }
    return `The app server failed ${MAX_FAILURES} times within a minute and is tried once a second now: ${this.#failures.cause}`;
  }
}

/** What to do with a request while the breaker is open: words that refuse it, or the app server after all. */
export type RetryingConnection = (signal: AbortSignal) => string | Promise<AppServerConnection>;

/**
 * What stands in for an app server that keeps failing: each request is answered with -32002 and the cause, until it
 * may be tried again. A session sends nothing but `initialize` before one has succeeded, so nothing is missed.
 */
export class UnavailableConnection implements AppServerConnection {
  readonly #events: AppServerEvents;
  readonly #again: RetryingConnection;
  readonly #abort = new AbortController();
  #real: AppServerConnection | undefined;
  #paused = false;

  constructor(events: AppServerEvents, again: RetryingConnection) {
    this.#events = events;
    this.#again = again;
  }

  send(message: Message): boolean {
    if (this.#real !== undefined) return this.#real.send(message);
    if (this.#abort.signal.aborted || message.shape.kind !== 'request') return true;
    const { id } = message.shape;
    const refuse = (text: string) => {
      if (this.#abort.signal.aborted) return;
      const answer = errorText(id, RPC.appServerUnavailable, text, { reason: 'appServerBreaker' });
      this.#events.onMessage(Message.written(answer));
    };
    const again = this.#again(this.#abort.signal);
    if (typeof again === 'string') refuse(again);
    else {
      again.then(
        (real) => this.#replace(real, message),
        (error: unknown) => refuse(error instanceof Error ? error.message : String(error)),
      );
    }
    return true;
  }

  pause(): void {
    this.#paused = true;
    this.#real?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#real?.resume();
  }

  close(): void {
    this.#abort.abort();
    this.#real?.close();
  }

  #replace(real: AppServerConnection, message: Message): void {
    if (this.#abort.signal.aborted) {
      real.close();
      return;
    }
    this.#real = real;
    if (this.#paused) real.pause();
    real.send(message);
  }
}
