import type { KV, KvEntry } from '@nats-io/kv';
import type { NatsLink } from '../nats.js';
import {
  BUCKET_NAMES,
  BUCKETS,
  type BucketName,
  isStateKey,
  type StateBucket,
  type StateChange,
  type StateEntry,
  type StateStore,
  StateUnavailableError,
} from './state-store.js';

/** Prefix of the names of the buckets in the broker. */
const PREFIX = 'rc-hub-';
/** Code of JetStream: the last revision is another one than expected. */
const WRONG_LAST_SEQUENCE = 10_071;

interface NatsStoreOptions {
  /** Copies of each bucket in the cluster, used when a bucket is created. Default 1. */
  readonly replicas?: number;
}

/** The state of a hub in key-value buckets of JetStream. The connection belongs to the caller, who closes it. */
export class NatsStateStore implements StateStore {
  readonly #buckets = new Map<BucketName, NatsBucket>();

  /** Creates the buckets that do not exist. Throws StateUnavailableError. */
  static async open(link: NatsLink, options: NatsStoreOptions = {}): Promise<NatsStateStore> {
    const store = new NatsStateStore();
    for (const name of BUCKET_NAMES) {
      const ttl = BUCKETS[name];
      const bucket = await guarded(link, () =>
        link.keyValue.create(`${PREFIX}${name}`, {
          history: 1,
          replicas: options.replicas ?? 1,
          ...(ttl === undefined ? {} : { ttl }),
        }),
      );
      store.#buckets.set(name, new NatsBucket(link, bucket));
    }
    return store;
  }

  bucket(name: BucketName): StateBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  async close(): Promise<void> {
    for (const bucket of this.#buckets.values()) bucket.close();
  }
}

class NatsBucket implements StateBucket {
  readonly #link: NatsLink;
  readonly #kv: KV;
  readonly #watches = new Set<() => void>();

  constructor(link: NatsLink, kv: KV) {
    this.#link = link;
    this.#kv = kv;
  }

  async get(key: string): Promise<StateEntry | undefined> {
    const entry = await guarded(this.#link, () => this.#kv.get(key));
    return entry === null ? undefined : readEntry(entry);
  }

  async put(key: string, value: string): Promise<number> {
    return await guarded(this.#link, () => this.#kv.put(checked(key), value));
  }

  async create(key: string, value: string): Promise<number | undefined> {
    return await compared(this.#link, () => this.#kv.create(checked(key), value));
  }

  async update(key: string, value: string, revision: number): Promise<number | undefined> {
    return await compared(this.#link, () => this.#kv.update(checked(key), value, revision));
  }

  async delete(key: string, revision?: number): Promise<boolean> {
    const options = revision === undefined ? {} : { previousSeq: revision };
    const deleted = await compared(this.#link, async () => {
      await this.#kv.delete(checked(key), options);
      return true;
    });
    return deleted === true;
  }

  async list(prefix?: string): Promise<readonly StateEntry[]> {
    return await guarded(this.#link, async () => {
      const entries: StateEntry[] = [];
      for await (const entry of await this.#kv.history(prefix === undefined ? {} : { key: `${prefix}.>` })) {
        const read = readEntry(entry);
        if (read !== undefined) entries.push(read);
      }
      return entries;
    });
  }

  async watch(listener: (change: StateChange) => void): Promise<() => void> {
    const entries = await guarded(this.#link, () => this.#kv.watch({ include: 'updates' }));
    const end = (): void => {
      this.#watches.delete(end);
      entries.stop();
    };
    this.#watches.add(end);
    void (async () => {
      for await (const entry of entries) {
        const { key, revision } = entry;
        listener({ key, revision, value: readEntry(entry)?.value });
      }
    })();
    return end;
  }

  close(): void {
    for (const end of [...this.#watches]) end();
  }
}

function checked(key: string): string {
  if (!isStateKey(key)) throw new TypeError(`not a key: ${key}`);
  return key;
}

/** Undefined for the mark of a deleted key. */
function readEntry(entry: KvEntry): StateEntry | undefined {
  if (entry.operation !== 'PUT') return undefined;
  return { key: entry.key, value: entry.string(), revision: entry.revision };
}

/** Fails at once while the broker is known to be out of reach. */
async function guarded<T>(link: NatsLink, call: () => Promise<T>): Promise<T> {
  if (!link.connected) throw new StateUnavailableError();
  try {
    return await call();
  } catch (cause) {
    if (cause instanceof TypeError) throw cause;
    throw new StateUnavailableError({ cause });
  }
}

/** Undefined: the revision is another one than expected. */
async function compared<T>(link: NatsLink, call: () => Promise<T>): Promise<T | undefined> {
  return await guarded(link, async () => {
    try {
      return await call();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === WRONG_LAST_SEQUENCE) return undefined;
      throw error;
    }
  });
}
