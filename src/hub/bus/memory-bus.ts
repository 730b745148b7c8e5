import {
  type Bus,
  type BusListener,
  type BusSubscription,
  BusUnavailableError,
  NoRespondersError,
} from './bus.js';

interface Subscriber {
  readonly bus: MemoryBus;
  readonly listener: BusListener;
  ended: boolean;
}

/** A broker inside of one process, for a hub of one node and for tests with several. */
export class MemoryBroker {
  readonly #subscribers = new Map<string, Set<Subscriber>>();
  readonly #buses = new Set<MemoryBus>();
  #up = true;

  get up(): boolean {
    return this.#up;
  }

  connect(): MemoryBus {
    const bus = new MemoryBus(this, () => this.#buses.delete(bus));
    this.#buses.add(bus);
    return bus;
  }

  /** For tests: what is published while the broker is down is lost, and so is what was on its way. */
  stop(): void {
    this.#up = false;
    for (const bus of this.#buses) bus.onBroker();
  }

  start(): void {
    this.#up = true;
    for (const bus of this.#buses) bus.onBroker();
  }

  /** Whether anybody gets the messages of this subject. */
  reaches(subject: string): boolean {
    for (const { bus } of this.#subscribers.get(subject) ?? []) if (bus.connected) return true;
    return false;
  }

  add(subject: string, subscriber: Subscriber): void {
    const subscribers = this.#subscribers.get(subject) ?? new Set();
    this.#subscribers.set(subject, subscribers);
    subscribers.add(subscriber);
  }

  remove(subject: string, subscriber: Subscriber): void {
    const subscribers = this.#subscribers.get(subject);
    subscribers?.delete(subscriber);
    if (subscribers?.size === 0) this.#subscribers.delete(subject);
  }

  deliver(subject: string, payload: string, respond: (payload: string) => void): void {
    for (const subscriber of this.#subscribers.get(subject) ?? []) {
      if (!subscriber.bus.connected) continue;
      // As with a broker, the publisher has returned before the subscriber runs.
      setImmediate(() => {
        if (!subscriber.ended && subscriber.bus.connected) subscriber.listener(payload, respond);
      });
    }
  }
}

const ignored = (): void => {};

/** The connection of one node to a broker of this process. */
export class MemoryBus implements Bus {
  readonly #broker: MemoryBroker;
  readonly #onClose: () => void;
  readonly #listeners = new Set<(connected: boolean) => void>();
  readonly #subscriptions = new Set<BusSubscription>();
  #reachable = true;
  #closed = false;
  #wasConnected = true;

  constructor(broker: MemoryBroker, onClose: () => void) {
    this.#broker = broker;
    this.#onClose = onClose;
  }

  get connected(): boolean {
    return !this.#closed && this.#reachable && this.#broker.up;
  }

  /** For tests: cuts this node off from the broker, or ends the partition. */
  setReachable(reachable: boolean): void {
    this.#reachable = reachable;
    this.onBroker();
  }

  /** The broker was stopped or started. */
  onBroker(): void {
    const { connected } = this;
    if (connected === this.#wasConnected) return;
    this.#wasConnected = connected;
    for (const listener of this.#listeners) listener(connected);
  }

  publish(subject: string, payload: string): void {
    if (this.connected) this.#broker.deliver(subject, payload, ignored);
  }

  async request(subject: string, payload: string, timeoutMs: number): Promise<string> {
    if (!this.connected) throw new BusUnavailableError('the broker cannot be reached');
    if (!this.#broker.reaches(subject)) throw new NoRespondersError(subject);
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new BusUnavailableError(`no response to ${subject} within ${timeoutMs} ms`)),
        timeoutMs,
      );
      this.#broker.deliver(subject, payload, (response) => {
        clearTimeout(timer);
        setImmediate(() => resolve(response));
      });
    });
  }

  subscribe(subject: string, listener: BusListener): BusSubscription {
    const subscriber: Subscriber = { bus: this, listener, ended: false };
    this.#broker.add(subject, subscriber);
    const subscription = {
      end: (): void => {
        subscriber.ended = true;
        this.#broker.remove(subject, subscriber);
        this.#subscriptions.delete(subscription);
      },
    };
    this.#subscriptions.add(subscription);
    return subscription;
  }

  async flush(): Promise<void> {
    if (!this.connected) throw new BusUnavailableError('the broker cannot be reached');
  }

  onConnection(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listeners.clear();
    for (const subscription of [...this.#subscriptions]) subscription.end();
    this.#onClose();
  }
}
