import type { NatsLink } from '../nats.js';
import {
  type Bus,
  type BusListener,
  type BusSubscription,
  BusUnavailableError,
  NoRespondersError,
} from './bus.js';

const FLUSH_TIMEOUT = 5_000;

/** A bus over NATS core. The link belongs to the caller, who closes it. */
export class NatsBus implements Bus {
  readonly #link: NatsLink;
  readonly #removals = new Set<() => void>();

  constructor(link: NatsLink) {
    this.#link = link;
  }

  get connected(): boolean {
    return this.#link.connected;
  }

  publish(subject: string, payload: string): void {
    // The client would keep it in memory without a limit.
    if (!this.connected) return;
    try {
      this.#link.connection.publish(subject, payload);
    } catch {
      // The connection was closed at this moment: the message is lost, as it may always be.
    }
  }

  async request(subject: string, payload: string, timeoutMs: number): Promise<string> {
    if (!this.connected) throw new BusUnavailableError('the broker cannot be reached');
    const { RequestError } = await import('../nats-client.js');
    try {
      return (await this.#link.connection.request(subject, payload, { timeout: timeoutMs })).string();
    } catch (cause) {
      if (cause instanceof RequestError && cause.isNoResponders())
        throw new NoRespondersError(subject, { cause });
      throw new BusUnavailableError(`no response to ${subject} within ${timeoutMs} ms`, { cause });
    }
  }

  subscribe(subject: string, listener: BusListener): BusSubscription {
    const subscription = this.#link.connection.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) listener(message.string(), (payload) => message.respond(payload));
      },
    });
    return { end: () => subscription.unsubscribe() };
  }

  async flush(): Promise<void> {
    if (!this.connected) throw new BusUnavailableError('the broker cannot be reached');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new BusUnavailableError(`the broker did not answer within ${FLUSH_TIMEOUT} ms`);
      timer = setTimeout(() => reject(error), FLUSH_TIMEOUT);
    });
    try {
      await Promise.race([this.#link.connection.flush(), late]);
    } catch (cause) {
      throw cause instanceof BusUnavailableError
        ? cause
        : new BusUnavailableError('the broker cannot be reached', { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    const remove = this.#link.onConnection(listener);
    this.#removals.add(remove);
    return () => {
      this.#removals.delete(remove);
      remove();
    };
  }

  async close(): Promise<void> {
    for (const remove of this.#removals) remove();
    this.#removals.clear();
  }
}
