/**
 * A lock between processes that works on every platform: an exclusive SQLite transaction on a file of its own, in
 * which nothing is written. The operating system holds it and releases it when the process ends, also with kill -9.
 * Child processes do not inherit it. ACC-59
 *
 * Why flock.ts is a second kind of lock and neither can replace the other: Codex CLI locks with flock(2). On Linux
 * the fcntl locks of SQLite and flock do not see each other, and SQLite has its `unix-flock` VFS on macOS only. flock,
 * on the other hand, does not exist on Windows, nor on Linux without the command `flock`, and refresh tokens must be
 * redeemed by one engine at a time there as well.
 */
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PRIVATE_FILE } from './atomic-file.js';
import { errnoOf } from './errno.js';
import { SqliteConnection } from './sqlite/connection.js';

export interface FileLock {
  /** Further calls do nothing. */
  release(): Promise<void>;
}

/**
 * Takes the lock `path` and makes its file if there is none. Undefined: another holder kept it for `limitMs`. Rejects
 * with the system error when the lock file cannot be used, and with the reason of `signal`.
 */
export type AcquireLock = (
  path: string,
  limitMs: number,
  signal: AbortSignal,
) => Promise<FileLock | undefined>;

/**
 * Runs `task` while this process holds all locks `paths`, taken in that order.
 * @param acquire `acquireFileLock` or `acquireFlock`.
 * @param limitMs For all locks together, ms.
 * @returns Undefined: another holder kept one of them for too long, and `task` was not run.
 * @throws As `acquire` and `task`.
 */
export async function withLocks<T>(
  acquire: AcquireLock,
  paths: readonly string[],
  limitMs: number,
  signal: AbortSignal,
  task: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const taken: FileLock[] = [];
  const deadline = performance.now() + limitMs;
  try {
    for (const path of paths) {
      signal.throwIfAborted();
      const lock = await acquire(path, Math.max(0, deadline - performance.now()), signal);
      if (lock === undefined) return undefined;
      taken.push(lock);
    }
    return { value: await task() };
  } finally {
    for (const lock of taken.reverse()) await lock.release();
  }
}

/** Between two attempts, ms. A random part keeps two waiting processes from colliding again and again. */
const RETRY_DELAY = 25;

/** Keeps connections referenced: one that is garbage collected is closed, and its lock with it. */
const held = new Set<SqliteConnection>();

/** The SQLite lock. It also excludes other holders in the same process. `limitMs` 0: one attempt. */
export const acquireFileLock: AcquireLock = async (path, limitMs, signal) => {
  await createLockFile(path);
  const deadline = performance.now() + limitMs;
  for (;;) {
    signal.throwIfAborted();
    const database = SqliteConnection.open(path);
    held.add(database);
    try {
      // Nothing is written in the transaction, so the file stays empty and needs no journal.
      await database.exec('PRAGMA journal_mode=OFF; BEGIN EXCLUSIVE');
      return { release: () => close(database) };
    } catch (error) {
      await close(database);
      if (errnoOf(error) !== 'SQLITE_BUSY') throw error;
    }
    if (performance.now() >= deadline) return undefined;
    await sleep(RETRY_DELAY * (1 + Math.random()), undefined, { signal });
  }
};

/**
 * With `wx` an existing file is not opened. That matters: fcntl locks belong to the process, so closing any other
 * descriptor of the file would release a lock that this process holds on it.
 */
async function createLockFile(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', PRIVATE_FILE);
    try {
      // The umask may have removed bits from the mode.
      await file.chmod(PRIVATE_FILE);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** Closing ends the transaction. */
async function close(database: SqliteConnection): Promise<void> {
  held.delete(database);
  await database.close();
}
