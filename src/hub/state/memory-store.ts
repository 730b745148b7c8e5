import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as v from 'valibot';
import { EngineError } from '../../protocol/errors.js';
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

const PRIVATE_FILE = 0o600;

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const FileSchema = v.object({
  version: v.literal(1),
  revision: Count,
  entries: v.array(
    v.object({
      bucket: v.picklist(BUCKET_NAMES),
      key: v.string(),
      value: v.string(),
      revision: Count,
      at: Count,
    }),
  ),
});
type FileContent = v.InferOutput<typeof FileSchema>;

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

/** The state of a hub of one node: in memory, and in a file that is replaced at each change. */
export class MemoryStateStore implements StateStore {
  readonly #buckets = new Map<BucketName, MemoryBucket>();
  readonly #file: string | undefined;
  #revision = 0;
  #saving: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  private constructor(options: MemoryStoreOptions) {
    this.#file = options.file;
    for (const name of BUCKET_NAMES) {
      this.#buckets.set(
        name,
        new MemoryBucket(
          BUCKETS[name],
          options.now ?? Date.now,
          () => ++this.#revision,
          () => this.#save(),
        ),
      );
    }
  }

  /** Throws EngineError `storeUnavailable` when the file exists and cannot be read or is not valid. */
  static async open(options: MemoryStoreOptions = {}): Promise<MemoryStateStore> {
    const store = new MemoryStateStore(options);
    if (options.file !== undefined) await lock(options.file);
    const content = options.file === undefined ? undefined : await readState(options.file);
    store.#revision = content?.revision ?? 0;
    for (const { bucket, ...entry } of content?.entries ?? []) store.bucket(bucket).restore(entry);
    return store;
  }

  bucket(name: BucketName): MemoryBucket {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) throw new Error(`no bucket ${name}`);
    return bucket;
  }

  /** Resolves when every change is on disk, or has failed. */
  async close(): Promise<void> {
    await this.#saving?.catch(() => {});
    await this.#next?.catch(() => {});
    if (this.#file !== undefined) await rm(`${this.#file}.lock`, { force: true });
  }

  /** Changes that happen during a write share the next one. */
  async #save(): Promise<void> {
    const file = this.#file;
    if (file === undefined) return;
    const current = this.#saving;
    if (current === undefined) {
      this.#saving = this.#write(file).finally(() => {
        this.#saving = undefined;
      });
      await this.#saving;
      return;
    }
    this.#next ??= current
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#save();
      });
    await this.#next;
  }

  async #write(file: string): Promise<void> {
    // The changes of this turn are in the same write.
    await Promise.resolve();
    const content: FileContent = {
      version: 1,
      revision: this.#revision,
      entries: BUCKET_NAMES.flatMap((bucket) =>
        this.bucket(bucket).stored.map((entry) => ({ bucket, ...entry })),
      ),
    };
    try {
      await replaceFile(file, `${JSON.stringify(content)}\n`);
    } catch (cause) {
      throw new StateUnavailableError({ cause });
    }
  }
}

class MemoryBucket implements StateBucket {
  readonly #entries = new Map<string, Stored>();
  readonly #listeners = new Set<(change: StateChange) => void>();
  readonly #ttl: number | undefined;
  readonly #now: () => number;
  readonly #nextRevision: () => number;
  readonly #save: () => Promise<void>;

  constructor(
    ttl: number | undefined,
    now: () => number,
    nextRevision: () => number,
    save: () => Promise<void>,
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
    await this.#changed({ key, value: undefined, revision: this.#nextRevision() });
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
    this.#entries.set(key, { key, value, revision, at: this.#now() });
    await this.#changed({ key, value, revision });
    return revision;
  }

  async #changed(change: StateChange): Promise<void> {
    await this.#save();
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

/**
 * Two processes on one file would overwrite each other's changes. The lock names its process, and counts while it runs.
 * Throws EngineError `storeUnavailable`.
 */
async function lock(file: string): Promise<void> {
  const path = `${file}.lock`;
  const pid = Number(await readFile(path, 'utf8').catch(() => ''));
  if (pid > 0 && pid !== process.pid && isRunning(pid)) {
    throw new EngineError('storeUnavailable', `the state file ${file} is in use by the process ${pid}`, {
      remediation: 'Stop that hub first, or use a broker, which several processes can share.',
    });
  }
  try {
    await writeFile(path, String(process.pid), { mode: PRIVATE_FILE });
  } catch (cause) {
    throw new EngineError('storeUnavailable', `the state file ${file} of the hub cannot be written`, {
      cause,
      remediation: 'Check that its directory exists and can be written.',
    });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function readState(file: string): Promise<FileContent | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
    throw new EngineError('storeUnavailable', `the state file ${file} of the hub cannot be read`, {
      cause,
      remediation: 'Check the owner and mode of the file, or choose another file.',
    });
  }
  try {
    return v.parse(FileSchema, JSON.parse(text));
  } catch (cause) {
    throw new EngineError('storeUnavailable', `the state file ${file} of the hub is not valid`, {
      cause,
      remediation: 'Restore it from a backup. Remove it only to start without identities.',
    });
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', PRIVATE_FILE);
    try {
      await file.chmod(PRIVATE_FILE);
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
