/**
 * Stands in for the package `sqlite3`, which `@keyv/sqlite` 4 imports: the build and the tests replace it with this file.
 * It has only what that adapter calls.
 */
import { SqliteConnection } from './connection.js';
import type { SqliteRow, SqliteValue } from './driver.js';

type Callback<T> = (error: Error | null, result?: T) => void;

class Database {
  readonly #connection: Promise<SqliteConnection>;

  constructor(path: string, opened: Callback<undefined>) {
    this.#connection = new Promise((resolve) => {
      resolve(SqliteConnection.open(path));
    });
    settle(
      this.#connection.then(() => undefined),
      opened,
    );
  }

  configure(_option: 'busyTimeout', ms: number): void {
    void this.#connection.then(
      (connection) => {
        connection.busyTimeoutMs = ms;
      },
      () => {},
    );
  }

  /** `all(sql, value, value, …, callback)` or `all(sql, [values], callback)`. */
  all(
    sql: string,
    ...rest: readonly (SqliteValue | readonly SqliteValue[] | Callback<readonly SqliteRow[]>)[]
  ) {
    const values: SqliteValue[] = [];
    let callback: Callback<readonly SqliteRow[]> = () => {};
    for (const one of rest) {
      if (typeof one === 'function') callback = one;
      else if (typeof one === 'object' && one !== null) values.push(...one);
      else values.push(one);
    }
    settle(
      this.#connection.then((connection) => connection.all(sql, ...values)),
      callback,
    );
  }

  close(callback: Callback<undefined>): void {
    settle(
      this.#connection.then(async (connection) => {
        await connection.close();
        return undefined;
      }),
      callback,
    );
  }
}

function settle<T>(work: Promise<T>, callback: Callback<T>): void {
  work.then(
    (result) => callback(null, result),
    (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
  );
}

export default { Database };
