/** `rc-engine hub`: one node of a self-hosted backend. docs/hub.md describes how nodes work together. */
import { EngineError } from '../protocol/errors.js';
import type { Bus } from './bus/bus.js';
import { BusUnavailableError } from './bus/bus.js';
import { MemoryBroker } from './bus/memory-bus.js';
import { checkHubOptions, type HubOptions } from './options.js';
import { type HubEvent, HubService } from './service.js';
import { MemoryStateStore } from './state/memory-store.js';
import type { StateStore } from './state/state-store.js';
import { StateUnavailableError } from './state/state-store.js';

export type { HubOptions } from './options.js';
export { parseHubListen } from './options.js';
export type { HubEvent } from './service.js';

/** The two ports of a node, and what ends them. */
export interface HubPorts {
  readonly bus: Bus;
  readonly store: StateStore;
  /** What a person should know about the broker; undefined: nothing. Never rejects. */
  warning(): Promise<string | undefined>;
  close(): Promise<void>;
}

/** Throws EngineError: `storeUnavailable`, `networkUnreachable`, `usage`. */
export async function openPorts({
  bus,
  stateFile,
  replicas,
}: Pick<HubOptions, 'bus' | 'stateFile' | 'replicas'>): Promise<HubPorts> {
  if (bus === 'memory') {
    const store = await MemoryStateStore.open(stateFile === undefined ? {} : { file: stateFile });
    const memory = new MemoryBroker().connect();
    return {
      ...{ bus: memory, store, warning: async () => undefined },
      close: async () => {
        await memory.close();
        await store.close();
      },
    };
  }
  const [{ connectNats }, { durabilityWarning }, { NatsBus }, { NatsStateStore }] = await Promise.all([
    import('./nats.js'),
    import('./nats-durability.js'),
    import('./bus/nats-bus.js'),
    import('./state/nats-store.js'),
  ]);
  const link = await connectNats({ servers: bus, name: 'rc-engine hub' });
  try {
    const store = await NatsStateStore.open(link, { replicas });
    return {
      ...{ bus: new NatsBus(link), store, warning: () => durabilityWarning(link) },
      close: () => link.close(),
    };
  } catch (cause) {
    await link.close();
    throw new EngineError('storeUnavailable', 'the broker has no key-value store for the hub', {
      cause,
      remediation:
        'Start it with JetStream: nats-server -js. With --replicas N it needs a cluster of N servers.',
    });
  }
}

export interface Hub {
  /** Base URL, in the form that `--base-url` expects. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts a node.
 * @param page text of the page at its root. Default: none
 * @throws EngineError
 */
export async function startHub(
  options: HubOptions,
  onEvent: (event: HubEvent, detail: Readonly<Record<string, string | number | boolean>>) => void,
  page?: string,
): Promise<Hub> {
  checkHubOptions(options);
  const ports = await openPorts(options);
  try {
    const service = await HubService.open({ options, bus: ports.bus, store: ports.store, page, onEvent });
    void ports.warning().then((message) => {
      if (message !== undefined) onEvent('warning', { message });
    });
    return {
      url: `${service.origin}/backend-api`,
      close: async () => {
        await service.close();
        await ports.close();
      },
    };
  } catch (cause) {
    await ports.close();
    if (!(cause instanceof BusUnavailableError) && !(cause instanceof StateUnavailableError)) throw cause;
    throw new EngineError('networkUnreachable', 'the broker of the hub does not answer', { cause });
  }
}
