import type { AppServerConnection, AppServerEvents } from '../protocol/app-server.js';
import { errorText, RPC } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';

const MAX_FAILURES = 5;
/** ms */
const WINDOW = 60_000;
/** Pause between two attempts to reach a socket that keeps failing, ms. */
const RETRY_INTERVAL = 1_000;

/** When the last five failures happened, and the cause of the newest. */
class RecentFailures {
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

/** Circuit breaker for child processes: after five exits within a minute none is started until the oldest exit is a minute ago. */
export class RestartBreaker {
  readonly #exits = new RecentFailures();

  recordExit(cause: string): void {
    this.#exits.add(cause);
  }

  /** Why no child may be started now, for people; undefined: one may. */
  get refusal(): string | undefined {
    if (!this.#exits.tooMany) return undefined;
    return `The app server exited ${MAX_FAILURES} times within a minute and is not restarted for now: ${this.#exits.cause}`;
  }
}

/**
 * Circuit breaker for a socket: after five failures within a minute without a success it is tried once a second. That
 * costs little and notices soon that the app server is back.
 */
export class UpstreamBreaker {
  readonly #failures = new RecentFailures();
  #lastAttempt = Number.NEGATIVE_INFINITY;

  recordFailure(cause: string): void {
    this.#failures.add(cause);
    this.#lastAttempt = performance.now();
  }

  recordSuccess(): void {
    this.#failures.clear();
  }

  /** Asks for one attempt: undefined grants it, a text for people says why not. */
  requestAttempt(): string | undefined {
    if (!this.#failures.tooMany) return undefined;
    const now = performance.now();
    if (now - this.#lastAttempt >= RETRY_INTERVAL) {
      this.#lastAttempt = now;
      return undefined;
    }
    return `The app server failed ${MAX_FAILURES} times within a minute and is tried once a second: ${this.#failures.cause}`;
  }
}

/** Tries to open the real connection for a request; a text refuses the request instead. */
type Reconnect = (signal: AbortSignal) => string | Promise<AppServerConnection>;

/**
 * Stands in for an app server that keeps failing: each request gets error -32002 with the cause until a connection can
 * be opened. A session sends nothing but `initialize` before that succeeds, so no message is lost.
 */
export class UnavailableConnection implements AppServerConnection {
  readonly #events: AppServerEvents;
  readonly #reconnect: Reconnect;
  readonly #abort = new AbortController();
  #real: AppServerConnection | undefined;
  #paused = false;

  constructor(events: AppServerEvents, reconnect: Reconnect) {
    this.#events = events;
    this.#reconnect = reconnect;
  }

  send(message: Message): boolean {
    if (this.#real !== undefined) return this.#real.send(message);
    if (this.#abort.signal.aborted || message.shape.kind !== 'request') return true;
    const { id } = message.shape;
    const refuse = (cause: string) => {
      if (this.#abort.signal.aborted) return;
      const response = errorText(id, RPC.appServerUnavailable, cause, { reason: 'appServerBreaker' });
      this.#events.onMessage(Message.from(response));
    };
    const attempt = this.#reconnect(this.#abort.signal);
    if (typeof attempt === 'string') refuse(attempt);
    else {
      attempt.then(
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

  get ended(): Promise<unknown> | undefined {
    return this.#real?.ended;
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
