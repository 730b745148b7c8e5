/** The SQLite that is built into Node (`node:sqlite`). */
import { pathToFileURL } from 'node:url';
import type { DriverConnection, SqliteDriver, SqliteRow, SqliteValue } from './driver.js';
import { SqliteError } from './errors.js';

/** What is used of `node:sqlite`. The types of Node 20 do not have it. */
interface NodeDatabase {
  exec(sql: string): void;
  prepare(sql: string): { all(...values: readonly SqliteValue[]): SqliteRow[] };
  close(): void;
}
interface NodeSqlite {
  readonly DatabaseSync: new (location: URL, options: Readonly<Record<string, unknown>>) => NodeDatabase;
}

/** Older versions have no `node:sqlite`, or warn when it is loaded. */
const FIRST_MAJOR = 24;

/** Undefined: this Node has no `node:sqlite`, or still calls it experimental. */
export function builtinDriver(version = process.versions.node): SqliteDriver | undefined {
  if (Number.parseInt(version, 10) < FIRST_MAJOR) return undefined;
  // biome-ignore lint/plugin: the warning is only noticed, nothing is printed.
  const { emitWarning } = process;
  let warned = false;
  process.emitWarning = () => {
    warned = true;
  };
  let sqlite: unknown;
  try {
    sqlite = process.getBuiltinModule('node:sqlite');
  } finally {
    process.emitWarning = emitWarning;
  }
  if (warned || !isNodeSqlite(sqlite)) return undefined;
  const { DatabaseSync } = sqlite;
  return { name: 'node:sqlite', open: (path) => open(DatabaseSync, path) };
}

function open(DatabaseSync: NodeSqlite['DatabaseSync'], path: string): DriverConnection {
  const location = pathToFileURL(path);
  location.search = '?mode=rw';
  // `defensive` would ignore `PRAGMA journal_mode=OFF`.
  const database = explained(() => new DatabaseSync(location, { timeout: 0, defensive: false }));
  return {
    exec: (sql) => explained(() => database.exec(sql)),
    statement: (sql, values) => () => explained(() => database.prepare(sql).all(...values)),
    async close() {
      explained(() => database.close());
    },
  };
}

function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') throw error;
    throw new SqliteError(error.errcode, error.message, error);
  }
}

function isNodeSqlite(module: unknown): module is NodeSqlite {
  return typeof module === 'object' && module !== null && 'DatabaseSync' in module;
}
