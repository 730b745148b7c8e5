import { resolve } from 'node:path';
import { EngineError } from '../../protocol/errors.js';
import {
  type Enrollment,
  type EnrollmentKey,
  type Failure,
  failure,
  type LoadEnrollmentOutcome,
  type Preference,
  type StoreOutcome,
} from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { decodeRecord, type EnrollmentRecord, recordName } from './enrollment-record.js';
import { MemoryTable, type RecordTable, StoreError } from './record-table.js';
import { storeTitle } from './sqlite-errors.js';
import { unusablePlace } from './sqlite-file.js';

/**
 * Stores the identity and the preference of each account. A failure of the store is an outcome, never a rejection. Calls
 * run one after the other, in the order they were made.
 */
export interface EnrollmentStore {
  /** With `none` each method fails with `storeMissing`; the content of `memory` is lost when the process ends. */
  readonly kind: 'sqlite' | 'memory' | 'none';
  /** Opens the database ahead of the first `load`. Optional. */
  prepare(): void;
  /** Never `none` for a store that is unreadable, damaged or read-only. RC-6 */
  load(key: EnrollmentKey): Promise<LoadEnrollmentOutcome>;
  /** Replaces the record of this key in one transaction. Resolves with `done` once it is durable. RC-5, RC-22 */
  save(key: EnrollmentKey, enrollment: Enrollment, preference: Preference): Promise<StoreOutcome>;
  /** Removes the enrollments of all accounts and keeps their preferences: this machine gets a new identity. RC-24 */
  clearAll(): Promise<StoreOutcome>;
  /** Changes the preference and keeps the enrollment. RC-44 */
  savePreference(key: EnrollmentKey, preference: Preference): Promise<StoreOutcome>;
  /** Resolves when each earlier call is durable or has failed. RC-46 */
  flush(): Promise<void>;
  /** Like `flush`, then closes the connection. Later calls fail. */
  close(): Promise<void>;
}

interface EnrollmentStoreOptions {
  /** Wall-clock milliseconds, the time of a failure. */
  readonly now: () => number;
  /** Limit of the wait for another process that has locked the database, ms. Default 5,000. */
  readonly busyTimeoutMs?: number;
  /** The database was removed or replaced, and the one that is at the path now was opened. Gets its title. RC-107 */
  readonly onReopened?: (title: string) => void;
}

const BUSY_TIMEOUT_MS = 5_000;
/** Calls that may wait for the one in progress. An engine makes a handful. */
const MAX_WAITING = 64;
/** How often one call opens a database that was removed or replaced. */
const MAX_REOPENS = 3;
/** Each lost round means that another process has written. */
const MAX_ROUNDS = 100;

/**
 * Opens `sqlite:PATH` or `sqlite://PATH` (a relative path starts at the working directory), `memory:` or `none`.
 * Returns at once: `prepare` or the first call opens the database.
 * @throws EngineError `usage` for any other URL.
 */
export function openEnrollmentStore(url: string, options: EnrollmentStoreOptions): EnrollmentStore {
  if (url === 'none') return missingStore(options.now);
  if (url === 'memory:') return new TableStore('memory', async () => new MemoryTable(), options.now);
  const path = databasePath(url);
  const busyTimeoutMs = options.busyTimeoutMs ?? BUSY_TIMEOUT_MS;
  const open = async (again: boolean): Promise<RecordTable> => {
    const { openSqliteTable } = await import('./sqlite-table.js');
    return openSqliteTable(path, { busyTimeoutMs, probe: again });
  };
  return new TableStore('sqlite', open, options.now, options.onReopened);
}

/**
 * Refuses a store path that can never work, so that a start ends and does not try again for ever.
 * @throws EngineError `storeUnavailable`. RC-108
 */
export async function checkStorePlace(url: string): Promise<void> {
  if (url === 'none' || url === 'memory:') return;
  const path = databasePath(url);
  const why = await unusablePlace(path);
  if (why === undefined) return;
  throw new EngineError('storeUnavailable', `${storeTitle(path)} cannot be used: ${why}.`, {
    remediation: 'Correct that, or choose another --store.',
  });
}

/** The absolute path of an `sqlite:` URL. Nothing in it is percent-decoded. */
export function databasePath(url: string): string {
  const path = /^sqlite:(?:\/\/)?(.*)$/s.exec(url)?.[1] ?? '';
  if (path === '' || path === ':memory:' || path.includes('\0')) {
    throw new EngineError(
      'usage',
      `The store "${url}" is not valid: use sqlite:PATH, memory: or none.`,
      path === ':memory:'
        ? { remediation: 'Use memory: for a store that is lost when the process ends.' }
        : {},
    );
  }
  // In a URL, a Windows drive is written sqlite:///C:/directory/file.
  return resolve(process.platform === 'win32' ? path.replace(/^\/(?=[a-z]:)/i, '') : path);
}

export class TableStore implements EnrollmentStore {
  readonly kind: 'sqlite' | 'memory';
  readonly #open: (again: boolean) => Promise<RecordTable>;
  readonly #now: () => number;
  readonly #onReopened: (title: string) => void;
  /** What this process has read or written, for a database that lost it. RC-107 */
  readonly #known = new Map<string, EnrollmentRecord>();
  #table: Promise<RecordTable> | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #failedOnce = false;
  #closed = false;

  /** `open` gets whether an earlier table has failed. */
  constructor(
    kind: 'sqlite' | 'memory',
    open: (again: boolean) => Promise<RecordTable>,
    now: () => number,
    onReopened: (title: string) => void = () => {},
  ) {
    this.kind = kind;
    this.#open = open;
    this.#now = now;
    this.#onReopened = onReopened;
  }

  prepare(): void {
    if (this.#closed) return;
    // The call that needs the table reports the failure, which stays in the promise.
    this.#opened().catch(() => {});
  }

  load(key: EnrollmentKey): Promise<LoadEnrollmentOutcome> {
    return this.#run('storeUnavailable', async (table) => {
      const raw = await table.read(recordName(key));
      const stored = raw === undefined ? undefined : decode(table, raw);
      if (stored !== undefined) this.#known.set(recordName(key), stored);
      const preference = stored?.preference ?? 'unset';
      if (stored?.enrollment) return { kind: 'found', enrollment: stored.enrollment, preference };
      await table.verify();
      return { kind: 'none', preference };
    });
  }

  save(key: EnrollmentKey, enrollment: Enrollment, preference: Preference): Promise<StoreOutcome> {
    return this.#run('storeWriteFailed', async (table) => {
      await table.write(recordName(key), { enrollment, preference });
      this.#known.set(recordName(key), { enrollment, preference });
      return { kind: 'done' };
    });
  }

  clearAll(): Promise<StoreOutcome> {
    return this.#run('storeWriteFailed', async (table) => {
      for (const [name, { preference }] of this.#known)
        this.#known.set(name, { enrollment: null, preference });
      for (const name of await table.names()) {
        await update(table, name, (stored) =>
          stored?.enrollment ? { enrollment: null, preference: stored.preference } : undefined,
        );
      }
      return { kind: 'done' };
    });
  }

  savePreference(key: EnrollmentKey, preference: Preference): Promise<StoreOutcome> {
    return this.#run('storeWriteFailed', async (table) => {
      await update(table, recordName(key), (stored) => {
        const next = { enrollment: stored?.enrollment ?? null, preference };
        this.#known.set(recordName(key), next);
        return stored?.preference === preference ? undefined : next;
      });
      return { kind: 'done' };
    });
  }

  async flush(): Promise<void> {
    await this.#last;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#last;
    // A database that was removed gets its records again, so that the next start finds them.
    if (this.#table !== undefined) await this.#current().catch(() => {});
    await this.#drop();
  }

  /** One call at a time, in the order in which they were made. */
  async #run<T>(
    reason: Extract<Reason, 'storeUnavailable' | 'storeWriteFailed'>,
    work: (table: RecordTable) => Promise<T>,
  ): Promise<T | { kind: 'failed'; failure: Failure }> {
    if (this.#closed) return failed(reason, 'The enrollment store was closed.', this.#now());
    if (this.#waiting >= MAX_WAITING) {
      return failed(reason, 'Too many calls wait for the enrollment store.', this.#now());
    }
    this.#waiting += 1;
    const turn = this.#last.then(async () => {
      try {
        return await this.#inCurrent(work);
      } catch (error) {
        // After any failure, a new connection opens the file as it is then: repaired, unlocked or replaced.
        this.#failedOnce = true;
        await this.#drop();
        if (!(error instanceof StoreError)) throw error;
        return failed(error.invalid ? 'storeUnavailable' : reason, error.message, this.#now());
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** Works on the database at the path; works again when it was removed or replaced meanwhile. RC-107 */
  async #inCurrent<T>(work: (table: RecordTable) => Promise<T>): Promise<T> {
    for (let round = 0; ; round += 1) {
      const table = await this.#current();
      const result = await work(table);
      if (!(await table.moved())) return result;
      if (round >= MAX_REOPENS) {
        throw new StoreError(`${table.title} is replaced by another program too often.`, { invalid: false });
      }
    }
  }

  /** The table of the database that is at the path now. */
  async #current(): Promise<RecordTable> {
    const table = await this.#opened();
    if (!(await table.moved())) return table;
    await this.#drop();
    const reopened = await this.#opened();
    // Only what is missing: a replacement with records of its own is a database that somebody restored.
    for (const [name, record] of this.#known) {
      await update(reopened, name, (stored) => (stored === undefined ? record : undefined));
    }
    this.#onReopened(reopened.title);
    return reopened;
  }

  #opened(): Promise<RecordTable> {
    this.#table ??= this.#open(this.#failedOnce);
    return this.#table;
  }

  async #drop(): Promise<void> {
    const table = this.#table;
    this.#table = undefined;
    // A table that never opened has nothing to close.
    const opened = await table?.catch(() => undefined);
    await opened?.close();
  }
}

/**
 * Changes a record, and reads it again when another process has changed it meanwhile. Returns false when `change` returned
 * undefined, which leaves the record as it is.
 */
export async function update(
  table: RecordTable,
  name: string,
  change: (stored: EnrollmentRecord | undefined) => EnrollmentRecord | undefined,
): Promise<boolean> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const raw = await table.read(name);
    const next = change(raw === undefined ? undefined : decode(table, raw));
    if (next === undefined) return false;
    if (await table.swap(name, raw, next)) return true;
  }
  throw new StoreError(`${table.title} is changed by another process too often. Stop the other process.`, {
    invalid: false,
  });
}

function decode(table: RecordTable, raw: string): EnrollmentRecord {
  const record = decodeRecord(raw);
  if ('damage' in record) throw new StoreError(`${table.title} ${record.damage}.`, { invalid: true });
  return record;
}

function missingStore(now: () => number): EnrollmentStore {
  const missing = async () => failed('storeMissing', 'There is no enrollment store (--store none).', now());
  return {
    kind: 'none',
    prepare: () => {},
    load: missing,
    save: missing,
    clearAll: missing,
    savePreference: missing,
    flush: async () => {},
    close: async () => {},
  };
}

function failed(reason: Reason, message: string, at: number): { kind: 'failed'; failure: Failure } {
  return { kind: 'failed', failure: failure(reason, message, at) };
}
