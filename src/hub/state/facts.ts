import * as v from 'valibot';
import { isStateKey, type StateBucket } from './state-store.js';

/** One fact with the revision that a change of it compares. */
interface Fact<T> {
  readonly key: string;
  readonly value: T;
  readonly revision: number;
}

/** The entries of a bucket as values of one schema. */
export class Facts<S extends v.GenericSchema> {
  readonly #bucket: StateBucket;
  readonly #schema: S;

  constructor(bucket: StateBucket, schema: S) {
    this.#bucket = bucket;
    this.#schema = schema;
  }

  /** Undefined also for what can be no key, and for an entry of another form, such as one of a newer version. */
  async get(key: string): Promise<Fact<v.InferOutput<S>> | undefined> {
    if (!isStateKey(key)) return undefined;
    const entry = await this.#bucket.get(key);
    if (entry === undefined) return undefined;
    const value = this.#read(entry.value);
    return value === undefined ? undefined : { key, value, revision: entry.revision };
  }

  async list(prefix?: string): Promise<readonly v.InferOutput<S>[]> {
    if (prefix !== undefined && !isStateKey(prefix)) return [];
    return (await this.#bucket.list(prefix)).flatMap(({ value }) => {
      const read = this.#read(value);
      return read === undefined ? [] : [read];
    });
  }

  /** The key of the first entry that fits. It reads all of them. */
  async keyWhere(fits: (value: v.InferOutput<S>) => boolean): Promise<string | undefined> {
    for (const { key, value } of await this.#bucket.list()) {
      const read = this.#read(value);
      if (read !== undefined && fits(read)) return key;
    }
    return undefined;
  }

  async put(key: string, value: v.InferOutput<S>): Promise<void> {
    await this.#bucket.put(key, JSON.stringify(value));
  }

  /** Undefined: the entry was changed since that revision. */
  async update(key: string, value: v.InferOutput<S>, revision: number): Promise<number | undefined> {
    return await this.#bucket.update(key, JSON.stringify(value), revision);
  }

  async delete(key: string): Promise<void> {
    await this.#bucket.delete(key);
  }

  #read(text: string): v.InferOutput<S> | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const result = v.safeParse(this.#schema, value);
    return result.success ? result.output : undefined;
  }
}
