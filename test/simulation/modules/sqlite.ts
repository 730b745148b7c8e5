/**
 * `node:sqlite` of a simulated process: the few statements that the store and the locks use, on a file of the simulated
 * disk. A statement that it does not know fails loudly. A commit is atomic and durable, as with `synchronous=FULL`; what
 * SQLite guarantees is not tested here, what the engine does with its errors is.
 */
import type { Disk, Node } from '../world/disk.js';
import type { SimProcess } from '../world/process.js';
import type { World } from '../world/world.js';

const MAGIC = 'SQLite format 3\0';

type Row = Record<string, unknown>;
type Value = string | number | bigint | null;

class SqliteFault extends Error {
  readonly errcode: number;
  constructor(errcode: number, message: string) {
    super(message);
    this.errcode = errcode;
  }
}

interface Statement {
  readonly matches: RegExp;
  readonly run: (database: Database, values: readonly Value[]) => Row[];
}

/** The file as SQLite sees it. */
class Database {
  readonly #disk: Disk;
  readonly #node: Node;
  readonly #path: string;
  readonly #forget: () => void;

  readonly #process: SimProcess;
  readonly #locks: World['databaseLocks'];

  constructor(process: SimProcess, locks: World['databaseLocks'], path: string) {
    const { disk } = process.machine;
    const node = disk.find(path);
    if (node === undefined || node.kind !== 'file') throw new SqliteFault(14, 'unable to open database file');
    this.#process = process;
    this.#locks = locks;
    this.#disk = disk;
    this.#node = node;
    this.#path = path;
    this.#forget = process.own(() => this.#unlock());
  }

  /** Of the table; undefined: there is no table. */
  get rows(): Map<string, string> | undefined {
    this.#checkLock();
    const data = this.#attempt(10, () => this.#disk.read(this.#node, this.#path));
    if (data.length === 0) return undefined;
    const text = data.toString();
    if (!text.startsWith(MAGIC)) throw new SqliteFault(26, 'file is not a database');
    try {
      const rows: unknown = JSON.parse(text.slice(MAGIC.length));
      return rows === null ? undefined : new Map(Object.entries(rows as Record<string, string>));
    } catch {
      throw new SqliteFault(11, 'database disk image is malformed');
    }
  }

  get table(): Map<string, string> {
    const { rows } = this;
    if (rows === undefined) throw new SqliteFault(1, 'no such table: keyv');
    return rows;
  }

  /** Replaces the whole content: all of it or nothing. */
  commit(rows: Map<string, string> | null): void {
    this.#checkLock();
    const next = Buffer.from(`${MAGIC}${JSON.stringify(rows && Object.fromEntries(rows))}`);
    if (this.#disk.full) throw new SqliteFault(13, 'database or disk is full');
    this.#attempt(10, () => {
      const before = this.#node.data;
      this.#disk.write(this.#node, next, 0, this.#path);
      try {
        this.#disk.truncate(this.#node, next.length, this.#path);
        this.#disk.sync(this.#node, this.#path);
      } catch (error) {
        this.#node.data = before;
        throw error;
      }
    });
  }

  lock(): void {
    this.#checkLock();
    this.#locks.set(this.#node, { process: this.#process, holder: this });
  }

  close(): void {
    this.#forget();
    this.#unlock();
  }

  #unlock(): void {
    if (this.#locks.get(this.#node)?.holder === this) this.#locks.delete(this.#node);
  }

  #checkLock(): void {
    const holder = this.#locks.get(this.#node)?.holder;
    if (holder !== undefined && holder !== this) throw new SqliteFault(5, 'database is locked');
  }

  #attempt<T>(errcode: number, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new SqliteFault(errcode, `disk I/O error: ${String(error)}`);
    }
  }
}

const STATEMENTS: readonly Statement[] = [
  { matches: /^PRAGMA (?:journal_mode|synchronous)=\w+$/, run: () => [] },
  { matches: /^PRAGMA wal_checkpoint\(TRUNCATE\)$/, run: () => [{ busy: 0, log: 0, checkpointed: 0 }] },
  {
    matches: /^BEGIN EXCLUSIVE$/,
    run: (database) => {
      database.lock();
      return [];
    },
  },
  {
    matches: /^CREATE TABLE (?:IF NOT EXISTS )?keyv\(key VARCHAR\(255\) PRIMARY KEY, value TEXT ?\)$/,
    run: (database) => {
      if (database.rows === undefined) database.commit(new Map());
      return [];
    },
  },
  {
    matches: /^SELECT count\(\*\) FROM sqlite_schema$/,
    run: (database) => [{ 'count(*)': database.rows === undefined ? 0 : 1 }],
  },
  {
    matches: /^SELECT CAST\(key AS BLOB\) AS key FROM keyv WHERE substr\(key, 1, \?\) = \?$/,
    run: (database, [, prefix]) =>
      [...database.table.keys()]
        .filter((key) => key.startsWith(String(prefix)))
        .map((key) => ({ key: Buffer.from(key) })),
  },
  {
    matches: /^SELECT typeof\(value\) AS type, CAST\(value AS BLOB\) AS value FROM keyv WHERE key = \?$/,
    run: (database, [key]) => {
      const value = database.table.get(String(key));
      return value === undefined ? [] : [{ type: 'text', value: Buffer.from(value) }];
    },
  },
  {
    matches:
      /^INSERT INTO keyv \(key, value\) VALUES ?\(\?, \?\) ON CONFLICT ?\(key\) DO NOTHING RETURNING 1$/,
    run: (database, [key, value]) => {
      const rows = database.table;
      if (rows.has(String(key))) return [];
      database.commit(rows.set(String(key), String(value)));
      return [{ 1: 1 }];
    },
  },
  {
    matches:
      /^INSERT INTO keyv \(key, value\) VALUES ?\(\?, \?\) ON CONFLICT ?\(key\) DO UPDATE SET value ?= ?excluded\.value;?$/,
    run: (database, [key, value]) => {
      database.commit(database.table.set(String(key), String(value)));
      return [];
    },
  },
  {
    matches: /^UPDATE keyv SET value = \? WHERE key = \? AND value = \? RETURNING 1$/,
    run: (database, [next, key, expected]) => {
      const rows = database.table;
      if (rows.get(String(key)) !== expected) return [];
      database.commit(rows.set(String(key), String(next)));
      return [{ 1: 1 }];
    },
  },
  {
    matches: /^UPDATE keyv SET value = value WHERE key IS NULL$/,
    run: (database) => {
      if (database.table !== undefined) return [];
      return [];
    },
  },
  {
    matches: /^SELECT CAST\(integrity_check AS BLOB\) AS result FROM pragma_integrity_check LIMIT 1$/,
    run: (database) => {
      void database.table;
      return [{ result: Buffer.from('ok') }];
    },
  },
];

function execute(database: Database, sql: string, values: readonly Value[]): Row[] {
  const text = sql.replace(/\s+/g, ' ').trim();
  const statement = STATEMENTS.find(({ matches }) => matches.test(text));
  if (statement === undefined) throw new Error(`The simulated SQLite does not know this statement: ${text}`);
  return statement.run(database, values);
}

export function createSqlite(process: SimProcess, { databaseLocks }: Pick<World, 'databaseLocks'>) {
  class DatabaseSync {
    readonly #database: Database;
    constructor(location: URL) {
      this.#database = new Database(process, databaseLocks, decodeURIComponent(location.pathname));
    }
    exec(sql: string): void {
      for (const one of sql.split(';')) if (one.trim() !== '') execute(this.#database, one, []);
    }
    prepare(sql: string) {
      return { all: (...values: Value[]) => execute(this.#database, sql, values) };
    }
    close(): void {
      this.#database.close();
    }
  }
  return { DatabaseSync };
}
