import type { EnrollmentRecord } from './enrollment-record.js';
import { encodeStored, toStored } from './enrollment-record.js';

/** The place where enrollment records are stored. A method that fails rejects with a `StoreError`. */
export interface RecordTable {
  /** Name and place, the first words of messages: `The enrollment store /home/me/rc-engine.sqlite`. */
  readonly title: string;
  /** The names of all stored records. */
  names(): Promise<readonly string[]>;
  /** The stored text; undefined when there is none. */
  read(name: string): Promise<string | undefined>;
  /** Resolves once the record is durable. */
  write(name: string, record: EnrollmentRecord): Promise<void>;
  /** Writes only when the stored text is still `expected` (undefined: nothing stored); otherwise returns false. */
  swap(name: string, expected: string | undefined, record: EnrollmentRecord): Promise<boolean>;
  /** Rejects unless a missing record means that none was stored: the whole store is intact and can be written. RC-6 */
  verify(): Promise<void>;
  /** True when the file at the path is no longer the one that is open: what is written now would be lost. RC-107 */
  moved(): Promise<boolean>;
  close(): Promise<void>;
}

/** A known failure of a store. The message is for people and contains no part of a record. */
export class StoreError extends Error {
  /** True when the store as a whole cannot be used; false when it only refused this access. */
  readonly invalid: boolean;

  constructor(message: string, options: { invalid: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StoreError';
    this.invalid = options.invalid;
  }
}

/** Holds records until the process ends (`memory:`). */
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

  async moved(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}
}
