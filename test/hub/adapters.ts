/** The adapters of both ports, so that one suite runs over each. */

import { describe } from 'vitest';
import type { Bus } from '../../src/hub/bus/bus.js';
import { MemoryBroker, type MemoryBus } from '../../src/hub/bus/memory-bus.js';
import { NatsBus } from '../../src/hub/bus/nats-bus.js';
import { connectNats, type NatsLink } from '../../src/hub/nats.js';
import { MemoryStateStore } from '../../src/hub/state/memory-store.js';
import { NatsStateStore } from '../../src/hub/state/nats-store.js';
import type { StateStore } from '../../src/hub/state/state-store.js';
import { NatsServer, noNats } from '../support/nats-server.js';

export interface BrokerNode {
  readonly bus: Bus;
  readonly store: StateStore;
  /** Ends the connection, as the end of the process does. */
  close(): Promise<void>;
}

/** One broker, with connections and stores for several nodes. */
export interface HubBroker {
  /** The state can be reached while the broker is stopped. */
  readonly keepsState: boolean;
  /** A new connection, as each node has one. */
  node(): Promise<BrokerNode>;
  /** kill -9 */
  stop(): Promise<void>;
  start(): Promise<void>;
  end(): Promise<void>;
}

export class InProcess implements HubBroker {
  readonly keepsState = true;
  readonly #broker = new MemoryBroker();
  readonly #buses: MemoryBus[] = [];
  #store: Promise<MemoryStateStore> | undefined;

  async node(): Promise<BrokerNode> {
    const bus = this.#broker.connect();
    this.#buses.push(bus);
    this.#store ??= MemoryStateStore.open();
    return { bus, store: await this.#store, close: () => bus.close() };
  }

  async stop(): Promise<void> {
    this.#broker.stop();
  }

  async start(): Promise<void> {
    this.#broker.start();
  }

  async end(): Promise<void> {
    for (const bus of this.#buses) await bus.close();
  }
}

class WithNats implements HubBroker {
  readonly keepsState = false;
  readonly #server: NatsServer;
  readonly #links: NatsLink[] = [];

  constructor(server: NatsServer) {
    this.#server = server;
  }

  async node(): Promise<BrokerNode> {
    const link = await connectNats({ servers: this.#server.url, name: 'test' });
    this.#links.push(link);
    return {
      bus: new NatsBus(link),
      store: await NatsStateStore.open(link),
      close: () => link.close(),
    };
  }

  stop(): Promise<void> {
    return this.#server.kill();
  }

  start(): Promise<void> {
    return this.#server.run();
  }

  async end(): Promise<void> {
    for (const link of this.#links) await link.close();
    await this.#server.kill();
  }
}

interface Adapter {
  readonly name: string;
  readonly skipped: boolean;
  readonly open: () => Promise<HubBroker>;
}

const ADAPTERS: readonly Adapter[] = [
  { name: 'in process', skipped: false, open: async () => new InProcess() },
  {
    name: `NATS${noNats}`,
    skipped: noNats !== '',
    open: async () => new WithNats(await NatsServer.start()),
  },
];

/** Runs one suite for each adapter. */
export function describeAdapters(title: string, suite: (open: () => Promise<HubBroker>) => void): void {
  for (const { name, skipped, open } of ADAPTERS) {
    describe.skipIf(skipped)(`${title}, ${name}`, () => suite(open));
  }
}

/** With NATS only. */
export function describeNats(title: string, suite: (open: () => Promise<HubBroker>) => void): void {
  const nats = ADAPTERS[1];
  if (nats !== undefined) describe.skipIf(nats.skipped)(`${title}, ${nats.name}`, () => suite(nats.open));
}
