import { StateFile, type StateFileContent } from './state-file.js';
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

interface Stored extends StateEntry {
  /** Wall-clock time of the last change, ms. */
  readonly at: number;
}

interface MemoryStoreOptions {
  /** JSON file, mode 0600. A change counts once it is on disk. Default: memory only. */
  readonly file?: string;
  /** Wall clock, ms. Default Date.now. */
  readonly now?: () => number;
}

/** Changes that are written together, and how to take them back. */
class Batch {
  readonly undo: (() => void)[] = [];
  readonly written: Promise<void>;
  resolve: () => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.written = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each change awaits it; a batch that nobody awaits must not end the process.
    this.written.catch(() => {});
  }
}

/** The state of a hub of one node: in memory, and in a file that is replaced at each change. */
export class MemoryStateStore implements StateStore {
  readonly #buckets = new Map<BucketName, MemoryBucket>();
  readonly #file: StateFile | undefined;
  #revision = 0;
  /** Changes that the next write has. */
  #batch: Batch | undefined;
  #writing: Promise<void> | undefined;

  private constructor(file: StateFile | undefined, now: () => number) {
    this.#file = file;
    for (const name of BUCKET_NAMES) {
      const save = (undo: () => void): Promise<void> => this.#save(undo);
      this.#buckets.set(name, new MemoryBucket(BUCKETS[name], now, () => ++this.#revision, save));
    }
    this.#revision = file?.content?.revision ?? 0;
    for (const { bucket, ...entry } of file?.content?.entries ?? []) this.bucket(bucket).restore(entry);
  }

  /** Throws EngineError `storeUnavailable` when the file cannot be used, is not valid, or is in use. */
  static async open({ file, now = Date.now }: MemoryStoreOptions = {}): Promise<MemoryStateStore> {
    return new MemoryStateStore(file === undefined ? undefined : await StateFile.open(file), now);
  }

  bucket(name: BucketName): MemoryBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  /** Resolves when every change is on disk, or has failed. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file?.close();
  }

  /** Changes that happen during a write share the next one. A change that cannot be written is taken back. */
  #save(undo: () => void): Promise<void> {
    const file = this.#file;
    if (file === undefined) return Promise.resolve();
    this.#batch ??= new Batch();
    const { undo: undos, written } = this.#batch;
    undos.push(undo);
    this.#writing ??= this.#writeAll(file);
    return written;
  }

  async #writeAll(file: StateFile): Promise<void> {
    // The changes of this turn are in the same write.
    await Promise.resolve();
    for (let batch = this.#takeBatch(); batch !== undefined; batch = this.#takeBatch()) {
      try {
        await file.replace(this.#content());
        batch.resolve();
      } catch (cause) {
        const later = this.#takeBatch();
        for (const failed of [later, batch]) {
          for (const undo of failed?.undo.toReversed() ?? []) undo();
          failed?.reject(new StateUnavailableError({ cause }));
        }
      }
    }
    this.#writing = undefined;
  }

  #takeBatch(): Batch | undefined {
    const batch = this.#batch;
    this.#batch = undefined;
    return batch;
  }

  #content(): StateFileContent {
    const entries = BUCKET_NAMES.flatMap((bucket) =>
      this.bucket(bucket).stored.map((entry) => ({ bucket, ...entry })),
    );
    return { version: 1, revision: this.#revision, entries };
  }
}

class MemoryBucket implements StateBucket {
  readonly #entries = new Map<string, Stored>();
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #ttl: number | undefined;
  readonly #now: () => number;
  readonly #nextRevision: () => number;
  readonly #save: (undo: () => void) => Promise<void>;

  constructor(
    ttl: number | undefined,
    now: () => number,
    nextRevision: () => number,
    save: (undo: () => void) => Promise<void>,
  ) {
    this.#ttl = ttl;
    this.#now = now;
    this.#nextRevision = nextRevision;
    this.#save = save;
  }

  get stored(): readonly Stored[] {
    this.#removeExpired();
    return [...this.#entries.values()];
  }

  restore(entry: Stored): void {
    this.#entries.set(entry.key, entry);
  }

  async get(key: string): Promise<StateEntry | undefined> {
    const entry = this.#find(key);
    return entry === undefined ? undefined : withoutTime(entry);
  }

  put(key: string, value: string): Promise<number> {
    return this.#write(key, value);
  }

  async create(key: string, value: string): Promise<number | undefined> {
    return this.#find(key) === undefined ? await this.#write(key, value) : undefined;
  }

  async update(key: string, value: string, revision: number): Promise<number | undefined> {
    return this.#find(key)?.revision === revision ? await this.#write(key, value) : undefined;
  }

  async delete(key: string, revision?: number): Promise<boolean> {
    const entry = this.#find(key);
    if (revision !== undefined && entry?.revision !== revision) return false;
    if (entry === undefined) return true;
    this.#entries.delete(key);
    await this.#changed({ key, value: undefined, revision: this.#nextRevision() }, entry);
    return true;
  }

  async list(prefix?: string): Promise<readonly StateEntry[]> {
    const start = prefix === undefined ? '' : `${prefix}.`;
    return this.stored.filter(({ key }) => key.startsWith(start)).map(withoutTime);
  }

  async watch(listener: (change: StateChange) => void): Promise<() => void> {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async #write(key: string, value: string): Promise<number> {
    if (!isStateKey(key)) throw new TypeError(`not a key: ${key}`);
    const revision = this.#nextRevision();
    const former = this.#entries.get(key);
    this.#entries.set(key, { key, value, revision, at: this.#now() });
    await this.#changed({ key, value, revision }, former);
    return revision;
  }

  async #changed(change: StateChange, former: Stored | undefined): Promise<void> {
    await this.#save(() => {
      if (former === undefined) this.#entries.delete(change.key);
      else this.#entries.set(change.key, former);
    });
    for (const listener of this.#listeners) listener(change);
  }

  #find(key: string): Stored | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#isExpired(entry)) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #isExpired({ at }: Stored): boolean {
    return this.#ttl !== undefined && this.#now() - at >= this.#ttl;
  }

  #removeExpired(): void {
    if (this.#ttl === undefined) return;
    for (const entry of this.#entries.values()) if (this.#isExpired(entry)) this.#entries.delete(entry.key);
  }
}

const withoutTime = ({ key, value, revision }: Stored): StateEntry => ({ key, value, revision });
