/** Where the content of an auth.json is stored: in the file, or in memory. ACC-57 */
import { readFile, realpath, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Secret } from '../../protocol/secret.js';
import { replaceFile } from '../../system/atomic-file.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { acquireFileLock, withLocks } from '../../system/file-lock.js';
import { acquireFlock } from '../../system/flock.js';
import { makeDirectory } from '../../system/make-directory.js';

export interface AuthStorage {
  /** Undefined: nothing is stored. */
  read(): Promise<string | undefined>;
  /**
   * Replaces the content. `irreplaceable`: it holds tokens that the issuer will not issue again, and is written even
   * if another program does not release its lock.
   */
  replace(content: string, irreplaceable: boolean, signal: AbortSignal): Promise<void>;
  remove(signal: AbortSignal): Promise<void>;
  /**
   * Runs `task` while no other engine does the same on this file. Rejects with a `LockError` when another engine holds
   * the lock for too long, or when the lock cannot be used.
   */
  runExclusive<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>;
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
  /** A symbolic link stays one: the file behind it is replaced. */
  const target = async (): Promise<string> => {
    try {
      return await realpath(path);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return path;
      throw error;
    }
  };

  const heldTooLong = (lock: string): LockError =>
    new LockError(lock, `another process has held the lock for ${Math.round(lockTimeout / 1_000)} s`);

  /** Under the locks that Codex CLI takes to save and delete. */
  async function change(file: string, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
    const done = await withLocks(acquireFlock, codexLocksOf(file), lockTimeout, signal, task);
    if (done === undefined) throw heldTooLong(`${file}.lock`);
  }

  return {
    read: () => readIfThere(path),

    async replace(content, irreplaceable, signal) {
      const file = await target();
      makeDirectory(dirname(file), 0o700);
      let started = false;
      const write = async (): Promise<void> => {
        started = true;
        await replaceFile(file, content, true);
      };
      try {
        await change(file, signal, write);
      } catch (error) {
        if (!irreplaceable || started) throw error;
        await write();
      }
    },

    async remove(signal) {
      await change(await target(), signal, () => rm(path, { force: true }));
    },

    async runExclusive(signal, task) {
      const file = await target();
      makeDirectory(dirname(file), 0o700);
      const lock = `${file}.engine-lock`;
      let started = false;
      try {
        const done = await withLocks(acquireFileLock, [lock], lockTimeout, signal, () => {
          started = true;
          return task();
        });
        if (done !== undefined) return done.value;
      } catch (error) {
        if (started || signal.aborted) throw error;
        throw new LockError(lock, errnoText(error));
      }
      throw heldTooLong(lock);
    },
  };
}

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
    replace: async (next) => {
      content = new Secret(next);
    },
    remove: async () => {
      content = undefined;
    },
    runExclusive: (_signal, task) => task(),
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
