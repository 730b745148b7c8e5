/**
 * A lock between processes on a file of its own. It is the one that SQLite takes: the operating system holds it and
 * lets it go with the process however that ends. ACC-59
 */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type sqlite3 from 'sqlite3';
import { PRIVATE_FILE } from './atomic-file.js';
import { errnoOf } from './errno.js';

/** Between two tries, ms; a random part keeps those who wait from meeting again and again. */
const RETRY = 25;

/** A connection that nobody refers to is collected, and its lock with it. */
const held = new Set<sqlite3.Database>();

/**
 * Runs `task` while no other process, and nobody else in this one, holds the lock `path`. Undefined: it was not to
 * be had within `limitMs`. Rejects with the error of the system when the lock file cannot be used at all, and with
 * the reason of `signal`.
 */
export async function withFileLock<T>(
  path: string,
  limitMs: number,
  signal: AbortSignal,
  task: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const database = await take(path, limitMs, signal);
  if (database === undefined) return undefined;
  try {
    return { value: await task() };
  } finally {
    await release(database);
  }
}

async function take(
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<sqlite3.Database | undefined> {
  const [{ default: sqlite }] = await Promise.all([import('sqlite3'), create(path)]);
  const deadline = performance.now() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    const database = await connect(sqlite, path);
    held.add(database);
    try {
      await begin(database);
      return database;
    } catch (error) {
      await release(database);
      if (errnoOf(error) !== 'SQLITE_BUSY') throw error;
    }
    if (performance.now() >= deadline) return undefined;
    await sleep(RETRY * (1 + Math.random()), undefined, { signal });
  }
}

/** With `wx` an existing file is not opened: closing it again would drop a lock that this process holds on it. */
async function create(path: string): Promise<void> {
  try {
    await (await open(path, 'wx', PRIVATE_FILE)).close();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

function connect(sqlite: typeof sqlite3, path: string): Promise<sqlite3.Database> {
  return new Promise((resolve, reject) => {
    const database: sqlite3.Database = new sqlite.Database(
      path,
      sqlite.OPEN_READWRITE | sqlite.OPEN_FULLMUTEX,
      (error) => (error ? reject(error) : resolve(database)),
    );
  });
}

/** Nothing is ever written in the transaction: the file stays as it is and needs no journal. */
function begin(database: sqlite3.Database): Promise<void> {
  return new Promise((resolve, reject) => {
    database.exec('PRAGMA journal_mode=OFF; BEGIN EXCLUSIVE', (error) => (error ? reject(error) : resolve()));
  });
}

function release(database: sqlite3.Database): Promise<void> {
  held.delete(database);
  return new Promise((resolve) => {
    // Closing ends the transaction. It can only fail for a connection that is closed already.
    database.close(() => resolve());
  });
}
