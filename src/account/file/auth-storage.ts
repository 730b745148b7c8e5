/** Where the content of an auth.json is stored: in the file, or in memory. ACC-57 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Secret } from '../../protocol/secret.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { type AcquireLock, acquireFileLock, type FileLock, withLocks } from '../../system/file-lock.js';
import { acquireFlock } from '../../system/flock.js';
import { linkTarget } from '../../system/link-target.js';
import { makeDirectory } from '../../system/make-directory.js';
import { isNotReplaceable, type PreparedFile, prepareFile, removeFile } from '../../system/prepared-file.js';

export interface AuthStorage {
  /** Undefined: nothing is stored. */
  read(): Promise<string | undefined>;
  /** Proves that content can be written, and takes the space for `bytes`. ACC-113 */
  prepare(bytes: number): Promise<PreparedFile>;
  /**
   * Replaces the content. `irreplaceable`: it holds tokens that the issuer will not issue again, and is written even
   * if another program does not release its lock.
   * @param prepared What `prepare` returned; it is used up.
   */
  replace(
    content: string,
    irreplaceable: boolean,
    signal: AbortSignal,
    prepared?: PreparedFile,
  ): Promise<void>;
  remove(signal: AbortSignal): Promise<void>;
  /**
   * Runs `task` while no other engine does the same on this file. Rejects with a `LockError` when another engine holds
   * the lock for too long, or when the lock cannot be used.
   */
  runExclusive<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>;
  /** One attempt at the lock of `runExclusive`. Rejects with a `LockError` when the lock cannot be used. */
  tryLock(signal: AbortSignal): Promise<FileLock | BusyLock>;
}

/** Another engine holds the lock. */
export interface BusyLock {
  /** The error after a wait of the whole lock timeout. */
  readonly error: LockError;
}

/** A lock beside the file cannot be used, or another process holds it for too long. */
export class LockError extends Error {
  readonly path: string;
  /** For people. */
  readonly why: string;

  constructor(path: string, why: string) {
    super(`${path}: ${why}`);
    this.name = 'LockError';
    this.path = path;
    this.why = why;
  }
}

/** @param lockTimeout how long to wait for another process that holds a lock of the file, ms */
export function fileStorage(path: string, lockTimeout: number): AuthStorage {
  const heldTooLong = (lock: string): LockError =>
    new LockError(lock, `another process has held the lock for ${Math.round(lockTimeout / 1_000)} s`);

  /** Under the locks that Codex CLI takes to save and delete. */
  async function change(file: string, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
    let started = false;
    const once = (): Promise<void> => {
      started = true;
      return task();
    };
    try {
      const done = await withLocks(acquireFlock, codexLocksOf(file), lockTimeout, signal, once);
      if (done === undefined) throw heldTooLong(`${file}.lock`);
    } catch (error) {
      // No other program can make locks in this directory either. ACC-114
      if (started || !isUnwritable(error)) throw error;
      await task();
    }
  }

  /** The account file, in a directory that exists. */
  const lockable = (): string => {
    const file = linkTarget(path);
    makeDirectory(dirname(file), 0o700);
    return file;
  };

  const prepare = async (bytes: number): Promise<PreparedFile> => {
    return prepareFile(lockable(), bytes);
  };

  return {
    read: () => readIfThere(path),
    prepare,

    async replace(content, irreplaceable, signal, prepared) {
      let started = false;
      const write = async (): Promise<void> => {
        started = true;
        await (prepared ?? (await prepare(Buffer.byteLength(content)))).write(content);
      };
      try {
        await change(linkTarget(path), signal, write);
      } catch (error) {
        if (started) throw error;
        if (!irreplaceable) {
          await prepared?.discard();
          throw error;
        }
        await write();
      }
    },

    async remove(signal) {
      const file = linkTarget(path);
      await change(file, signal, () => removeFile(file));
    },

    async runExclusive(signal, task) {
      const file = lockable();
      let started = false;
      const once = (): ReturnType<typeof task> => {
        started = true;
        return task();
      };
      const take = (acquire: AcquireLock, lockFile: string) =>
        withLocks(acquire, [lockFile], lockTimeout, signal, once);
      try {
        const done = await take(acquireFileLock, lockOf(file)).catch((error: unknown) => {
          // The file itself is the lock where none can be made beside it: it is written in place. ACC-114
          if (started || !isUnwritable(error) || !existsSync(file)) throw error;
          return take(acquireFlock, file);
        });
        if (done !== undefined) return done.value;
      } catch (error) {
        if (started || signal.aborted) throw error;
        throw new LockError(lockOf(file), errnoText(error));
      }
      throw heldTooLong(lockOf(file));
    },

    async tryLock(signal) {
      const file = lockable();
      try {
        const lock = await acquireFileLock(lockOf(file), 0, signal).catch((error: unknown) => {
          if (!isUnwritable(error) || !existsSync(file)) throw error;
          return acquireFlock(file, FLOCK_ATTEMPT, signal);
        });
        return lock ?? { error: heldTooLong(lockOf(file)) };
      } catch (error) {
        if (signal.aborted) throw error;
        throw new LockError(lockOf(file), errnoText(error));
      }
    },
  };
}

/** The system waits this long in one attempt, ms: each attempt starts a process. */
const FLOCK_ATTEMPT = 500;
const lockOf = (file: string): string => `${file}.engine-lock`;

/** A lock file cannot be made in its directory. */
const isUnwritable = (error: unknown): boolean =>
  isNotReplaceable(error) || ['SQLITE_CANTOPEN', 'SQLITE_READONLY'].includes(errnoOf(error) ?? '');

/** Gone with the process. */
interface MemoryStorage extends AuthStorage {
  readonly content: Secret | undefined;
}

export function memoryStorage(): MemoryStorage {
  let content: Secret | undefined;
  return {
    get content() {
      return content;
    },
    read: async () => content?.reveal(),
    prepare: async () => ({
      write: async (next) => {
        content = new Secret(next);
      },
      discard: async () => {},
    }),
    replace: async (next) => {
      content = new Secret(next);
    },
    remove: async () => {
      content = undefined;
    },
    runExclusive: (_signal, task) => task(),
    tryLock: async () => ({ release: async () => {} }),
  };
}

/** `auth.lock`, then `auth.json.lock`, in the order of Codex CLI. */
function codexLocksOf(file: string): readonly string[] {
  const short = join(dirname(file), `${basename(file, extname(file))}.lock`);
  return [...new Set([short, `${file}.lock`])];
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Enough for the content with new tokens, bytes. */
export const roomFor = (content: string): number => Buffer.byteLength(content) * 2 + 8_192;
