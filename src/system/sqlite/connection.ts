import { setTimeout as sleep } from 'node:timers/promises';
import { errnoOf } from '../errno.js';
import { type DriverConnection, type SqliteRow, type SqliteValue, sqliteDriver } from './driver.js';
import { MISUSE, SqliteError } from './errors.js';

/** Pauses between two attempts on a locked database, ms; the last one is repeated. As SQLite's own busy handler. */
const BUSY_PAUSES = [1, 2, 5, 10, 15, 20, 25] as const;
const LAST_PAUSE = 25;

/**
 * A connection that waits for the locks of other processes without blocking the thread. Its calls run one after the
 * other, and reject with a `SqliteError`.
 */
export class SqliteConnection {
  readonly #driver: DriverConnection;
  #closed = false;
  #last: Promise<unknown> = Promise.resolve();
  /** How long a call tries again while another connection has locked the database, ms. */
  busyTimeoutMs: number;

  private constructor(driver: DriverConnection, busyTimeoutMs: number) {
    this.#driver = driver;
    this.busyTimeoutMs = busyTimeoutMs;
  }

  /**
   * Opens a file that exists.
   * @throws SqliteError; EngineError `sqliteMissing`
   */
  static open(path: string, busyTimeoutMs = 0): SqliteConnection {
    return new SqliteConnection(sqliteDriver().open(path), busyTimeoutMs);
  }

  /** Runs one or more statements. While the database is locked, all of them are tried again. */
  exec(sql: string): Promise<void> {
    return this.#inTurn(() => this.#driver.exec(sql));
  }

  /**
   * Runs one statement. After it failed with `SQLITE_BUSY`, close the connection. Text that may be damaged is selected
   * as a blob. The reason for both is in `DriverConnection`.
   */
  all(sql: string, ...values: readonly SqliteValue[]): Promise<readonly SqliteRow[]> {
    return this.#inTurn(this.#driver.statement(sql, values));
  }

  /** Ends its transaction and releases its locks. Further calls do nothing. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#driver.close();
  }

  #inTurn<T>(work: () => T): Promise<T> {
    const turn = this.#last.then(() => this.#retried(work));
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #retried<T>(work: () => T): Promise<T> {
    const deadline = performance.now() + this.busyTimeoutMs;
    for (let attempt = 0; ; attempt += 1) {
      if (this.#closed) throw new SqliteError(MISUSE, 'the connection is closed');
      try {
        return work();
      } catch (error) {
        const left = deadline - performance.now();
        if (errnoOf(error) !== 'SQLITE_BUSY' || left <= 0) throw error;
        await sleep(Math.min(left, (BUSY_PAUSES[attempt] ?? LAST_PAUSE) * (0.5 + Math.random())));
      }
    }
  }
}
