import type { EnrollmentRecord } from './enrollment-record.js';
import { encodeStored, toStored } from './enrollment-record.js';

/** Where enrollment records are kept. Every method rejects with a `StoreFault` when it cannot do its work. */
export interface RecordTable {
  /** What it is and where, for messages: `The enrollment store /home/me/rc-engine.sqlite`. */
  readonly title: string;
  /** Of every record that is stored. */
  names(): Promise<readonly string[]>;
  /** The stored text, undefined when there is none. */
  read(name: string): Promise<string | undefined>;
  /** Resolves once the record is durable. */
  write(name: string, record: EnrollmentRecord): Promise<void>;
  /** Writes only if the stored text is still `expected` (undefined: nothing stored); false when it is not. */
  swap(name: string, expected: string | undefined, record: EnrollmentRecord): Promise<boolean>;
  /** Rejects unless "nothing stored" can be believed and acted upon: sound from end to end, and writable. RC-6 */
  verify(): Promise<void>;
  close(): Promise<void>;
}

/** A known way for a store to fail. The message is for people and holds nothing of the records. */
export class StoreError extends Error {
  /** True when nothing in the store can be relied upon, false when it only refused this access. */
  readonly unusable: boolean;

  constructor(message: string, options: { unusable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreFault';
    this.unusable = options.unusable;
  }
}

/** Keeps records as long as the process lives (`memory:`). */
export class MemoryTable implements RecordTable {
  readonly title = 'The enrollment store in memory';
  readonly #texts = new Map<string, string>();

  async names(): Promise<readonly string[]> {
    return [...this.#texts.keys()];
  }

  async read(name: string): Promise<string | undefined> {
    return this.#texts.get(name);
  }

  async write(name: string, record: EnrollmentRecord): Promise<void> {
    this.#texts.set(name, encodeStored(toStored(record)));
  }

  async swap(name: string, expected: string | undefined, record: EnrollmentRecord): Promise<boolean> {
    if (this.#texts.get(name) !== expected) return false;
    this.#texts.set(name, encodeStored(toStored(record)));
    return true;
  }

  async verify(): Promise<void> {}

  async close(): Promise<void> {}
}
