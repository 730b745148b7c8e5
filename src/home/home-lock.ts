/**
 * One engine per home folder. RC-8
 * The lock is the one SQLite takes on a file of its own: the operating system holds it, lets it go with the
 * process however that ends, and does not hand it to child processes. `engine.json` only tells who holds it.
 */
import { open, readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type sqlite3 from 'sqlite3';
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';
import { PRIVATE_FILE, replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { processToken } from '../system/process-token.js';
import type { Home } from './home.js';

/** Two that start in the same moment step back from each other; one gets through within this. Milliseconds. */
const LOCK_TIMEOUT_MS = 250;
/** How long the first one may take to say who it is. Milliseconds. */
const NAME_TIMEOUT_MS = 1_000;
const NAME_POLL_MS = 20;

const infoSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Tells a process from a later one with the same pid; null where the system does not say. */
  process: v.nullable(v.string()),
  /** Wall-clock milliseconds. */
  startedAt: v.number(),
  controlSocket: v.string(),
  version: v.string(),
});

/** What a running engine says of itself in `engine.json`. */
export type EngineInfo = Readonly<v.InferOutput<typeof infoSchema>>;

export interface HomeLock {
  readonly info: EngineInfo;
  /** Removes `engine.json` and lets go. Can be called again. */
  release(): Promise<void>;
}

/** A connection that nobody refers to is collected, and its lock with it. */
const held = new Set<sqlite3.Database>();

/**
 * Takes the home folder for this process.
 * @throws EngineError `alreadyRunning`, naming the pid of the engine that has it; `homeUnusable` when the lock
 * cannot be used at all.
 */
export async function acquireHomeLock(
  home: Home,
  info: Pick<EngineInfo, 'startedAt' | 'controlSocket' | 'version'>,
): Promise<HomeLock> {
  const [token, database] = await Promise.all([processToken(process.pid), lock(home)]);
  try {
    const before = await readEngineInfo(home);
    if (before !== undefined && (await isAlive(before))) throw alreadyRunning(home, before);
    const full: EngineInfo = {
      pid: process.pid,
      process: token,
      ...info,
    };
    await replaceFile(home.engineFile, `${JSON.stringify(full)}\n`, false);
    return { info: full, release: () => release(home, database) };
  } catch (error) {
    await unlock(database);
    if (error instanceof EngineError) throw error;
    throw lockUnusable(home.engineFile, error);
  }
}

/** Who runs on this home folder, by its own word; undefined when nobody says so. It may be dead: ask its socket. */
export async function readEngineInfo(home: Home): Promise<EngineInfo | undefined> {
  try {
    const parsed = v.safeParse(infoSchema, JSON.parse(await readFile(home.engineFile, 'utf8')));
    return parsed.success ? parsed.output : undefined;
  } catch {
    // Absent, cut short by a power cut, or not ours: it decides nothing.
    return undefined;
  }
}

async function lock(home: Home): Promise<sqlite3.Database> {
  for (let lastTry = false; ; lastTry = true) {
    try {
      return await tryLock(home.lockFile);
    } catch (error) {
      if (errnoOf(error) !== 'SQLITE_BUSY') throw lockUnusable(home.lockFile, error);
      const info = await whoRuns(home);
      // Held, and nobody says so: an engine that was just ending.
      if (info !== undefined || lastTry) throw alreadyRunning(home, info);
    }
  }
}

async function tryLock(path: string): Promise<sqlite3.Database> {
  const [{ default: sqlite }] = await Promise.all([import('sqlite3'), createLockFile(path)]);
  const database = await connect(sqlite, path);
  held.add(database);
  try {
    await begin(database);
    return database;
  } catch (error) {
    await unlock(database);
    throw error;
  }
}

/** With `wx` an existing file is not opened: closing it again would drop the lock of another engine in here. */
async function createLockFile(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', PRIVATE_FILE);
    try {
      await file.chmod(PRIVATE_FILE);
    } finally {
      await file.close();
    }
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

/** The file stays empty and needs no journal: nothing is ever written in the transaction, and it never ends. */
function begin(database: sqlite3.Database): Promise<void> {
  database.configure('busyTimeout', LOCK_TIMEOUT_MS);
  return new Promise((resolve, reject) => {
    database.exec('PRAGMA journal_mode=OFF; BEGIN EXCLUSIVE', (error) => (error ? reject(error) : resolve()));
  });
}

async function release(home: Home, database: sqlite3.Database): Promise<void> {
  if (!held.has(database)) return;
  try {
    if ((await readEngineInfo(home))?.pid === process.pid) await rm(home.engineFile, { force: true });
  } finally {
    await unlock(database);
  }
}

function unlock(database: sqlite3.Database): Promise<void> {
  held.delete(database);
  return new Promise((resolve) => {
    // Closing ends the transaction. It can only fail for a connection that is closed already.
    database.close(() => resolve());
  });
}

/** The engine that has the lock writes its name right after it got it. */
async function whoRuns(home: Home): Promise<EngineInfo | undefined> {
  const limit = performance.now() + NAME_TIMEOUT_MS;
  for (;;) {
    const info = await readEngineInfo(home);
    if (info !== undefined && pidExists(info.pid)) return info;
    if (performance.now() > limit) return undefined;
    await delay(NAME_POLL_MS);
  }
}

/**
 * True only for the very process that wrote the file. It has lost its lock then: somebody deleted the lock file,
 * and the lock that was just taken is on another one.
 */
async function isAlive(info: EngineInfo): Promise<boolean> {
  if (info.pid === process.pid) return false;
  return info.process !== null && info.process === (await processToken(info.pid));
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}

function alreadyRunning(home: Home, info: EngineInfo | undefined): EngineError {
  const who = info === undefined ? 'it has not said its pid' : `pid ${info.pid}`;
  return new EngineError('alreadyRunning', `Another engine runs on the home folder ${home.dir} (${who}).`);
}

function lockUnusable(path: string, error: unknown): EngineError {
  const code = errnoOf(error);
  const damaged = code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT';
  const why = damaged ? 'somebody wrote something into it' : errnoText(error);
  return new EngineError('homeUnusable', `The lock ${path} cannot be used: ${why}.`, {
    cause: error,
    ...(damaged ? { remediation: `Delete ${path} while no engine runs on this home folder.` } : {}),
  });
}
