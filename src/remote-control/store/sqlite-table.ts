/** Imports Keyv statically, so it must be imported only when a database is opened. */
import { isUtf8 } from 'node:buffer';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyvSqlite } from '@keyv/sqlite';
import { Keyv } from 'keyv';
import { errnoOf } from '../../system/errno.js';
import { type EnrollmentRecord, encodeStored, type StoredRecord, toStored } from './enrollment-record.js';
import { type RecordTable, StoreError } from './record-table.js';
import { explainSqliteError, storeTitle } from './sqlite-errors.js';
import { ensureDatabase, fileIdentity, probeDatabase } from './sqlite-file.js';

/** Without `_`: Keyv uses the namespace in LIKE patterns, where `_` matches any character. */
const NAMESPACE = 'enrollment';
const PREFIX = `${NAMESPACE}:`;
const CHECKPOINT_TIMEOUT_MS = 200;
const CHECKPOINT_PAUSE_MS = 10;

interface SqliteTableOptions {
  /** Limit of the wait for another process that has locked the database, ms. */
  readonly busyTimeoutMs: number;
  /** Try the file with a separate connection first; set after a failed attempt to open it. */
  readonly probe: boolean;
}

/** Opens or creates the database at an absolute path. Rejects with a `StoreError`. */
export async function openSqliteTable(path: string, options: SqliteTableOptions): Promise<SqliteTable> {
  try {
    await ensureDatabase(path);
    if (options.probe) await probeDatabase(path, options.busyTimeoutMs);
    // Before it is opened: a file that is replaced in between counts as moved, and is opened again.
    const identity = await fileIdentity(path);
    const store = new KeyvSqlite({ uri: `sqlite://${path}`, busyTimeout: options.busyTimeoutMs });
    const keyv = new Keyv<StoredRecord>({
      store,
      namespace: NAMESPACE,
      throwOnErrors: true,
      // The same bytes as `swap` writes, without `expires`.
      serialize: ({ value }) => JSON.stringify({ value }),
    });
    // Each error also rejects its call, where it is handled.
    keyv.on('error', () => {});
    const table = new SqliteTable(path, identity, store, keyv, options.busyTimeoutMs);
    await table.tune();
    return table;
  } catch (error) {
    throw await explainSqliteError(path, error);
  }
}

/**
 * Stores records in SQLite with Keyv. Reads use the raw text: `Keyv.get` reports NULL and `null` as absent, and deletes an
 * entry whose `expires` is in the past; neither may happen to an identity. RC-6
 */
class SqliteTable implements RecordTable {
  readonly title: string;
  readonly #path: string;
  readonly #identity: string | null;
  readonly #store: KeyvSqlite;
  readonly #keyv: Keyv<StoredRecord>;
  readonly #busyTimeoutMs: number;

  constructor(
    path: string,
    identity: string | null,
    store: KeyvSqlite,
    keyv: Keyv<StoredRecord>,
    busyTimeoutMs: number,
  ) {
    this.title = storeTitle(path);
    this.#path = path;
    this.#identity = identity;
    this.#store = store;
    this.#keyv = keyv;
    this.#busyTimeoutMs = busyTimeoutMs;
  }

  /** Sets the pragmas of this connection. One statement per call: Keyv's `query` runs only the first of several. */
  async tune(): Promise<void> {
    try {
      await this.query('PRAGMA journal_mode=WAL');
      await this.query('PRAGMA synchronous=FULL');
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async names(): Promise<readonly string[]> {
    const rows = await this.query(
      'SELECT CAST(key AS BLOB) AS key FROM keyv WHERE substr(key, 1, ?) = ?',
      `${PREFIX.length}`,
      PREFIX,
    );
    return rows.flatMap((row) => textOf(row.key)?.slice(PREFIX.length) ?? []);
  }

  async read(name: string): Promise<string | undefined> {
    const sql = 'SELECT typeof(value) AS type, CAST(value AS BLOB) AS value FROM keyv WHERE key = ?';
    const row = (await this.query(sql, entry(name)))[0];
    if (row === undefined) return undefined;
    const value = row.type === 'text' ? textOf(row.value) : undefined;
    if (value !== undefined) return value;
    throw new StoreError(`${this.title} contains a record that is not text.`, {
      invalid: true,
    });
  }

  async write(name: string, record: EnrollmentRecord): Promise<void> {
    try {
      await this.#keyv.set(name, toStored(record));
    } catch (error) {
      throw await explainSqliteError(this.#path, error);
    }
    await this.#checkpoint();
  }

  async swap(name: string, expected: string | undefined, record: EnrollmentRecord): Promise<boolean> {
    const next = encodeStored(toStored(record));
    const rows =
      expected === undefined
        ? await this.query(
            'INSERT INTO keyv (key, value) VALUES (?, ?) ON CONFLICT (key) DO NOTHING RETURNING 1',
            entry(name),
            next,
          )
        : await this.query(
            'UPDATE keyv SET value = ? WHERE key = ? AND value = ? RETURNING 1',
            next,
            entry(name),
            expected,
          );
    if (rows.length === 0) return false;
    await this.#checkpoint();
    return true;
  }

  async verify(): Promise<void> {
    const [row] = await this.query(
      'SELECT CAST(integrity_check AS BLOB) AS result FROM pragma_integrity_check LIMIT 1',
    );
    if (textOf(row?.result) !== 'ok') {
      throw new StoreError(`${this.title} is not a valid SQLite database: it fails its integrity check.`, {
        invalid: true,
      });
    }
    // Takes the write lock and changes nothing, so that a read-only store fails before an identity is requested.
    await this.query('UPDATE keyv SET value = value WHERE key IS NULL');
  }

  async moved(): Promise<boolean> {
    return (await fileIdentity(this.#path)) !== this.#identity;
  }

  async close(): Promise<void> {
    try {
      await this.#store.close();
    } catch (error) {
      // Writes are durable already, and a connection that never opened has nothing to close.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  /** Runs one statement on this connection; rejects with a `StoreError`. The driver gives no types for the rows. */
  async query(sql: string, ...parameters: string[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
    try {
      const rows: unknown = await this.#store.query(sql, ...parameters);
      return Array.isArray(rows) ? rows.filter(isRow) : [];
    } catch (error) {
      throw await explainSqliteError(this.#path, error);
    }
  }

  /**
   * Moves the writes from the log into the database and empties the log. Writes are rare, and SQLite silently drops a log
   * that was damaged later: then nothing is lost. RC-6
   * An open read of another process can prevent it (the result is a row, not an error). The write is durable anyway, so a
   * long wait is not worth it.
   */
  async #checkpoint(): Promise<void> {
    const deadline = performance.now() + Math.min(CHECKPOINT_TIMEOUT_MS, this.#busyTimeoutMs);
    for (;;) {
      const [row] = await this.query('PRAGMA wal_checkpoint(TRUNCATE)');
      if (row?.busy !== 1 || performance.now() >= deadline) return;
      await sleep(CHECKPOINT_PAUSE_MS);
    }
  }
}

function entry(name: string): string {
  return `${PREFIX}${name}`;
}

/** The text of a column that was selected as a blob; undefined when it is not valid UTF-8. */
function textOf(blob: unknown): string | undefined {
  if (!(blob instanceof Uint8Array || blob instanceof ArrayBuffer)) return undefined;
  const bytes = Buffer.from(blob instanceof ArrayBuffer ? new Uint8Array(blob) : blob);
  return isUtf8(bytes) ? bytes.toString() : undefined;
}

function isRow(row: unknown): row is Readonly<Record<string, unknown>> {
  return typeof row === 'object' && row !== null;
}
