/**
 * The database file before Keyv opens it. Nothing here ever opens an existing database with `node:fs`: closing
 * any descriptor of a file drops all POSIX locks that this process holds on it, SQLite's included.
 */
import { chmod, open, rm, stat } from 'node:fs/promises';
import type sqlite3 from 'sqlite3';
import { PRIVATE_FILE, publish, siblingName } from '../../system/atomic-file.js';
import { errnoOf } from '../../system/errno.js';
import { StoreError } from './record-table.js';
import { storeTitle } from './sqlite-fault.js';

type Sqlite = typeof sqlite3;

/** Must be what @keyv/sqlite would create, so that its own CREATE TABLE IF NOT EXISTS has nothing to do. */
const CREATE_TABLE = 'CREATE TABLE keyv(key VARCHAR(255) PRIMARY KEY, value TEXT )';

/**
 * Makes sure that a database is there, complete, private (0600), in WAL mode. It is made under another name and
 * then named, so an empty file was never ours: it has lost its content, and must not pass for a fresh store. RC-6
 */
export async function ensureDatabase(sqlite: Sqlite, path: string): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined) {
    if (((await sizeOf(`${path}-wal`)) ?? 0) > 0) {
      throw new StoreError(
        `${storeTitle(path)} is gone but its log ${path}-wal is still there; restore the file, or move the log away to start afresh.`,
        { unusable: true },
      );
    }
    await createDatabase(sqlite, path);
    return;
  }
  if (size === 0) {
    throw new StoreError(
      `${storeTitle(path)} is empty, so it has lost its content; restore it, or move it away to start afresh.`,
      { unusable: true },
    );
  }
  await makePrivate(path);
}

/**
 * Opens and closes the database with a connection of our own. Keyv cannot close a connection whose opening
 * failed half-way, so each try on a broken file would leave a descriptor behind; this one does not.
 */
export async function probeDatabase(sqlite: Sqlite, path: string, busyTimeoutMs: number): Promise<void> {
  await withConnection(sqlite, path, sqlite.OPEN_READWRITE, (db) => {
    db.configure('busyTimeout', busyTimeoutMs);
    return exec(db, 'SELECT count(*) FROM sqlite_schema');
  });
}

async function createDatabase(sqlite: Sqlite, path: string): Promise<void> {
  const sibling = siblingName(path);
  try {
    await (await open(sibling, 'wx', PRIVATE_FILE)).close();
    await chmod(sibling, PRIVATE_FILE);
    // Nobody reads this file yet and it is synced once below: SQLite's own syncs would only cost time.
    await withConnection(sqlite, sibling, sqlite.OPEN_READWRITE, (db) =>
      exec(
        db,
        `PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY; ${CREATE_TABLE}; PRAGMA journal_mode=WAL`,
      ),
    );
    const file = await open(sibling, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    // False: another process was first, and its database is as good.
    await publish(sibling, path);
  } finally {
    await Promise.all(['', '-wal', '-shm'].map((end) => rm(sibling + end, { force: true })));
  }
}

async function withConnection(
  sqlite: Sqlite,
  path: string,
  mode: number,
  work: (db: sqlite3.Database) => Promise<void>,
): Promise<void> {
  const db = await new Promise<sqlite3.Database>((resolve, reject) => {
    const opened: sqlite3.Database = new sqlite.Database(path, mode | sqlite.OPEN_FULLMUTEX, (error) =>
      error ? reject(error) : resolve(opened),
    );
  });
  try {
    await work(db);
  } finally {
    await new Promise<void>((resolve, reject) => {
      db.close((error) => (error ? reject(error) : resolve()));
    });
  }
}

function exec(db: sqlite3.Database, sql: string): Promise<void> {
  return new Promise((resolve, reject) => {
    db.exec(sql, (error) => (error ? reject(error) : resolve()));
  });
}

/** SQLite gives -wal and -shm the mode of the database when it makes them; older ones are put right here. */
async function makePrivate(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  await Promise.all(
    ['', '-wal', '-shm'].map(async (end) => {
      try {
        const { mode } = await stat(path + end);
        // Takes rights from others and gives none: a file that its owner made read-only stays so.
        if ((mode & 0o077) !== 0) await chmod(path + end, mode & 0o700);
      } catch (error) {
        const code = errnoOf(error);
        // Gone meanwhile, or somebody else's file: then opening it will tell whether it can be used.
        if (code !== 'ENOENT' && code !== 'EPERM' && code !== 'EROFS') throw error;
      }
    }),
  );
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const info = await stat(path);
    if (!info.isFile()) {
      const kind = info.isDirectory() ? 'a folder' : 'a device, pipe or socket';
      throw new StoreError(`${storeTitle(path)} is ${kind}, not a file.`, { unusable: true });
    }
    return info.size;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
