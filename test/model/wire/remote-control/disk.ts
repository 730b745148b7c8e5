/** Damages and repairs the enrollment store of a running engine from outside. */
import sqlite3 from 'sqlite3';

const BUSY_LIMIT = 2_000;
const TRIGGERS = ['INSERT', 'UPDATE', 'DELETE'] as const;

interface Row {
  readonly key: string;
  readonly value: string;
}

export class Disk {
  readonly #path: string;
  #damaged: readonly Row[] | undefined;
  #readOnly = false;

  constructor(path: string) {
    this.#path = path;
  }

  /** Prepares the store for the next access of the engine. */
  async set({ unreadable, readOnly }: { readonly unreadable: boolean; readonly readOnly: boolean }) {
    if (unreadable === (this.#damaged !== undefined) && readOnly === this.#readOnly) return;
    const database = await open(this.#path);
    try {
      if (this.#readOnly) await this.#setReadOnly(database, false);
      if (this.#damaged !== undefined) {
        for (const { key, value } of this.#damaged)
          await run(database, 'UPDATE keyv SET value = ? WHERE key = ?', value, key);
        this.#damaged = undefined;
      }
      if (unreadable) {
        this.#damaged = await rows(database);
        await run(database, "UPDATE keyv SET value = 'no record'");
      }
      if (readOnly) await this.#setReadOnly(database, true);
    } finally {
      await new Promise<void>((resolve) => database.close(() => resolve()));
    }
  }

  async #setReadOnly(database: sqlite3.Database, readOnly: boolean): Promise<void> {
    for (const what of TRIGGERS) {
      await run(
        database,
        readOnly
          ? `CREATE TRIGGER no_${what} BEFORE ${what} ON keyv BEGIN SELECT RAISE(ABORT, 'no ${what}'); END`
          : `DROP TRIGGER no_${what}`,
      );
    }
    this.#readOnly = readOnly;
  }
}

function open(path: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const database: sqlite3.Database = new sqlite3.Database(path, sqlite3.OPEN_READWRITE, (error) => {
      if (error) return reject(error);
      database.configure('busyTimeout', BUSY_LIMIT);
      resolve(database);
    });
  });
}

function run(database: sqlite3.Database, sql: string, ...parameters: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    database.run(sql, parameters, (error) => (error ? reject(error) : resolve()));
  });
}

function rows(database: sqlite3.Database): Promise<readonly Row[]> {
  return new Promise((resolve, reject) => {
    database.all('SELECT key, value FROM keyv', (error, found: Row[]) =>
      error ? reject(error) : resolve(found),
    );
  });
}
