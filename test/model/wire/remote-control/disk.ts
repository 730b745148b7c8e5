/** Damages and repairs the enrollment store of a running engine from outside. */
import { SqliteConnection } from '../../../../src/system/sqlite/connection.js';

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
    const database = SqliteConnection.open(this.#path, BUSY_LIMIT);
    try {
      if (this.#readOnly) await this.#setReadOnly(database, false);
      if (this.#damaged !== undefined) {
        for (const { key, value } of this.#damaged)
          await database.all('UPDATE keyv SET value = ? WHERE key = ?', value, key);
        this.#damaged = undefined;
      }
      if (unreadable) {
        this.#damaged = (await database.all('SELECT key, value FROM keyv')).map(({ key, value }) => ({
          key: String(key),
          value: String(value),
        }));
        await database.exec("UPDATE keyv SET value = 'no record'");
      }
      if (readOnly) await this.#setReadOnly(database, true);
    } finally {
      await database.close();
    }
  }

  async #setReadOnly(database: SqliteConnection, readOnly: boolean): Promise<void> {
    for (const what of TRIGGERS) {
      await database.exec(
        readOnly
          ? `CREATE TRIGGER no_${what} BEFORE ${what} ON keyv BEGIN SELECT RAISE(ABORT, 'no ${what}'); END`
          : `DROP TRIGGER no_${what}`,
      );
    }
    this.#readOnly = readOnly;
  }
}
