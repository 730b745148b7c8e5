import type { AppServerConnection, AppServerEvents } from '../protocol/app-server.js';
import { errorText, RPC } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';

const MAX_DEATHS = 5;
const WINDOW = 60_000;

/** Five deaths within a minute: no further child is started until the oldest of them is a minute ago. */
export class Breaker {
  readonly #deaths: number[] = [];
  #cause = '';

  died(cause: string): void {
    this.#cause = cause;
    this.#deaths.push(performance.now());
    if (this.#deaths.length > MAX_DEATHS) this.#deaths.shift();
  }

  /** Why nothing is started now; undefined: it may be. */
  get cause(): string | undefined {
    const [oldest] = this.#deaths;
    const open =
      this.#deaths.length >= MAX_DEATHS && oldest !== undefined && performance.now() - oldest < WINDOW;
    return open ? this.#cause : undefined;
  }
}

/** What stands in for an app server that keeps dying: each request is answered with -32002 and the cause. */
export class UnavailableConnection implements AppServerConnection {
  readonly #events: AppServerEvents;
  readonly #text: string;
  #closed = false;

  constructor(events: AppServerEvents, cause: string) {
    this.#events = events;
    this.#text = `The app server died ${MAX_DEATHS} times within a minute and is left alone for now: ${cause}`;
  }

  send({ shape }: Message): boolean {
    if (this.#closed || shape.kind !== 'request') return true;
    const answer = errorText(shape.id, RPC.appServerUnavailable, this.#text, { reason: 'appServerBreaker' });
    this.#events.onMessage(Message.written(answer));
    return true;
  }

  pause(): void {}
  resume(): void {}
  close(): void {
    this.#closed = true;
  }
}
