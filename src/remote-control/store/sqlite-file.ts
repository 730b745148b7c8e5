/**
 * Prepares the database file before Keyv opens it. Nothing here opens an existing database with `node:fs`: closing any
 * descriptor of a file drops all POSIX locks of this process on it, including SQLite's.
 */
import { access, chmod, constants, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PRIVATE_FILE, publish, siblingName } from '../../system/atomic-file.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { linkTarget } from '../../system/link-target.js';
import { SqliteConnection } from '../../system/sqlite/connection.js';
import { StoreError } from './record-table.js';
import { storeTitle } from './sqlite-errors.js';

/** The same as @keyv/sqlite creates, so that its own CREATE TABLE IF NOT EXISTS has nothing to do. */
const CREATE_TABLE = 'CREATE TABLE keyv(key VARCHAR(255) PRIMARY KEY, value TEXT )';

/**
 * Creates the database when it is missing: complete, private (0600), in WAL mode. It gets its name only when it is complete,
 * so an empty file is one that lost its content, and must not count as a new store. RC-6
 */
export async function ensureDatabase(path: string): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined) {
    if (((await sizeOf(`${path}-wal`)) ?? 0) > 0) {
      throw new StoreError(
        `${storeTitle(path)} is missing but its log ${path}-wal exists; restore the file, or move the log away to start with an empty store.`,
        { invalid: true },
      );
    }
    await createDatabase(path);
    return;
  }
  if (size === 0) {
    throw new StoreError(
      `${storeTitle(path)} is empty, so it has lost its content; restore it, or move it away to start with an empty store.`,
      { invalid: true },
    );
  }
  await makePrivate(path);
}

/**
 * Opens and closes the database with a separate connection. Keyv cannot close a connection that failed to open, so each
 * attempt on a broken file would leave a descriptor open; this one does not.
 */
export async function probeDatabase(path: string, busyTimeoutMs: number): Promise<void> {
  await execute(path, 'SELECT count(*) FROM sqlite_schema', busyTimeoutMs);
}

/** Distinguishes the file at a path from a later one there; null: it is gone or out of reach. An open file keeps its number. RC-107 */
export async function fileIdentity(path: string): Promise<string | null> {
  try {
    const { dev, ino } = await stat(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * Why nothing can be stored at this path, as the rest of a sentence; undefined: it may work. A place that other programs
 * are about to repair, such as a locked or damaged database, counts as one that may work. RC-108
 */
export async function unusablePlace(given: string): Promise<string | undefined> {
  let path: string;
  try {
    path = linkTarget(given);
  } catch (error) {
    return (await unusableFile(given)) ?? errnoText(error);
  }
  const why = await unusableFile(path);
  return why === undefined || path === given ? why : `it is a link to ${path}: ${why}`;
}

async function unusableFile(path: string): Promise<string | undefined> {
  const directory = dirname(path);
  try {
    if (!(await stat(directory)).isDirectory()) return `${directory} is a file, not a directory`;
  } catch (error) {
    return `its directory ${directory}: ${errnoText(error)}`;
  }
  try {
    const found = await stat(path);
    if (found.isDirectory()) return 'it is a directory, not a file';
    if (!found.isFile()) return 'it is a device, pipe or socket, not a file';
    if (found.size === 0) return 'it is empty, so it is not a store; move it away to start with a new one';
    if (await isNoDatabase(path)) return 'it is a file of another kind, not an SQLite database';
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') return errnoText(error);
    try {
      await access(directory, constants.W_OK | constants.X_OK);
    } catch (denied) {
      return `its directory ${directory}: ${errnoText(denied)}`;
    }
  }
  return undefined;
}

/** Asks SQLite, because no descriptor of the file may be closed here. A database that is locked or damaged is one. */
async function isNoDatabase(path: string): Promise<boolean> {
  try {
    await probeDatabase(path, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'SQLITE_NOTADB';
  }
}

async function createDatabase(link: string): Promise<void> {
  // The database is made beside the target of a link, and the link stays.
  const path = linkTarget(link);
  const sibling = siblingName(path);
  try {
    await (await open(sibling, 'wx', PRIVATE_FILE)).close();
    await chmod(sibling, PRIVATE_FILE);
    // Nobody reads this file yet, and it is synced once below: SQLite's own syncs would only cost time.
    await execute(
      sibling,
      `PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; ${CREATE_TABLE}; PRAGMA journal_mode=WAL`,
    );
    const file = await open(sibling, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    // False: another process was first; its database is used.
    await publish(sibling, path);
  } finally {
    await Promise.all(['', '-wal', '-shm'].map((end) => rm(sibling + end, { force: true })));
  }
}

async function execute(path: string, sql: string, busyTimeoutMs = 0): Promise<void> {
  const database = SqliteConnection.open(path, busyTimeoutMs);
  try {
    await database.exec(sql);
  } finally {
    await database.close();
  }
}

/** SQLite creates -wal and -shm with the mode of the database; older ones are corrected here. */
async function makePrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await Promise.all(
    ['', '-wal', '-shm'].map(async (end) => {
      try {
        const { mode } = await stat(path + end);
        // Only removes rights of others: a file that its owner made read-only stays read-only.
        if ((mode & 0o077) !== 0) await chmod(path + end, mode & 0o700);
      } catch (error) {
        const code = errnoOf(error);
        // Removed meanwhile, or a file of another user: opening it shows whether it can be used.
        if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EROFS') throw error;
      }
    }),
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const info = await stat(path);
    if (!info.isFile()) {
      const kind = info.isDirectory() ? 'a directory' : 'a device, pipe or socket';
      throw new StoreError(`${storeTitle(path)} is ${kind}, not a file.`, { invalid: true });
    }
    return info.size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
