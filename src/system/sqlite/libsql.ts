/**
 * libsql, whose prebuilt binaries are npm packages without an install script. Its functions are called directly: the
 * package `libsql` around them needs 20 ms to find the binary, and does the same. package.json names one exact version.
 */
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { errnoOf } from '../errno.js';
import type { DriverConnection, SqliteDriver, SqliteRow, SqliteValue } from './driver.js';
import { MISUSE, SqliteError } from './errors.js';

type Call<This, Args extends readonly unknown[], Result> = (this: This, ...args: Args) => Result;
/** Objects of native code, without members. */
type Database = object & { readonly database?: never };
type Statement = object & { readonly statement?: never };
type Rows = object & { readonly rows?: never };

interface Libsql {
  databaseOpen(
    path: string,
    authToken: string,
    cipher: string,
    key: string,
    busyTimeout: number,
    remoteKey: string,
  ): Database;
  readonly databaseExecSync: Call<Database, [sql: string], void>;
  readonly databasePrepareSync: Call<Database, [sql: string], Statement>;
  readonly databaseClose: Call<Database, [], void>;
  readonly statementRowsSync: Call<Statement, [values: readonly SqliteValue[]], Rows>;
  /** Fills the array; places after the last row stay as they are. */
  readonly rowsNext: Call<Rows, [rows: (SqliteRow | undefined)[]], void>;
}

const FUNCTIONS = [
  'databaseOpen',
  'databaseExecSync',
  'databasePrepareSync',
  'databaseClose',
  'statementRowsSync',
  'rowsNext',
] as const;

const ROWS_AT_ONCE = 100;
const CANTOPEN = 14;
/** libsql checks the name of the cipher also without a key. Without a key nothing is encrypted. */
const NO_ENCRYPTION = ['aes256cbc', ''] as const;

/** @param native what `require('@libsql/…')` returned */
export function libsqlDriver(native: unknown): SqliteDriver {
  if (!isLibsql(native)) throw new Error('it has other functions than libsql 0.5');
  return { name: 'libsql', open: (path) => new LibsqlConnection(native, path) };
}

class LibsqlConnection implements DriverConnection {
  readonly #native: Libsql;
  readonly #database: Database;
  #hasStatements = false;
  /** The statement that failed because the database is locked, until it is run again. */
  #busy: Statement | undefined;

  constructor(native: Libsql, path: string) {
    this.#native = native;
    const uri = pathToFileURL(path);
    uri.search = '?mode=rw';
    try {
      this.#database = native.databaseOpen(uri.href, '', ...NO_ENCRYPTION, 0, '');
    } catch (error) {
      // The result code is only in the text: `… local database PATH: 14")`.
      const text = error instanceof Error ? error.message : String(error);
      throw new SqliteError(Number(/: (\d+)"?\)?$/.exec(text)?.[1] ?? CANTOPEN), text, error);
    }
  }

  exec(sql: string): void {
    this.#refuseWhileBusy();
    explained(() => this.#native.databaseExecSync.call(this.#database, sql));
  }

  statement(sql: string, values: readonly SqliteValue[]): () => readonly SqliteRow[] {
    let prepared: Statement | undefined;
    return () => {
      if (prepared === undefined || prepared !== this.#busy) this.#refuseWhileBusy();
      this.#hasStatements = true;
      try {
        const rows = explained(() => {
          prepared ??= this.#native.databasePrepareSync.call(this.#database, sql);
          return this.#allOf(this.#native.statementRowsSync.call(prepared, values));
        });
        this.#busy = undefined;
        return rows;
      } catch (error) {
        this.#busy = errnoOf(error) === 'SQLITE_BUSY' ? prepared : undefined;
        throw error;
      }
    };
  }

  /** A statement that failed with `SQLITE_BUSY` stays active, and SQLite would not commit what another one writes. */
  #refuseWhileBusy(): void {
    if (this.#busy !== undefined) throw new SqliteError(MISUSE, 'the last call found the database locked');
  }

  #allOf(rows: Rows): readonly SqliteRow[] {
    const found: SqliteRow[] = [];
    for (;;) {
      const next: (SqliteRow | undefined)[] = Array.from({ length: ROWS_AT_ONCE });
      this.#native.rowsNext.call(rows, next);
      for (const row of next) {
        if (row === undefined) return found;
        found.push(row);
      }
    }
  }

  /** libsql closes the file only when the garbage collector has removed each statement of the connection. */
  async close(): Promise<void> {
    this.#busy = undefined;
    this.#native.databaseClose.call(this.#database);
    if (!this.#hasStatements) return;
    // Two turns: no call that still has a statement on its stack, then the finalizers of the removed objects.
    await nextTurn();
    collectGarbage();
    await nextTurn();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

let gc: (() => void) | undefined;

/** Node shows its garbage collector only to code that is compiled while this flag is set. */
function collectGarbage(): void {
  if (gc === undefined) {
    const exposed = 'gc' in globalThis;
    setFlagsFromString('--expose-gc');
    const found: unknown = runInNewContext('gc');
    if (!exposed) setFlagsFromString('--no-expose-gc');
    gc = () => {
      if (typeof found === 'function') found();
    };
  }
  gc();
}

function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('rawCode' in error) || typeof error.rawCode !== 'number') throw error;
    throw new SqliteError(error.rawCode, error.message, error);
  }
}

function isLibsql(native: unknown): native is Libsql {
  if (typeof native !== 'object' || native === null) return false;
  const functions = new Map<string, unknown>(Object.entries(native));
  return FUNCTIONS.every((name) => typeof functions.get(name) === 'function');
}
