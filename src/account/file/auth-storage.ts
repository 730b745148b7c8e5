/** Where the text of an auth.json is kept. ACC-57 */
import { readFile, realpath, rm } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Secret } from '../../protocol/secret.js';
import { withAdvisoryLocks } from '../../system/advisory-lock.js';
import { replaceFile } from '../../system/atomic-file.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { withFileLock } from '../../system/file-lock.js';
import { makeDirectory } from '../../system/make-directory.js';

export interface AuthStorage {
  /** Undefined: nothing is there. */
  read(): Promise<string | undefined>;
  /**
   * Puts `text` in place of what was there. `must`: it holds what cannot be had again, and is written even if another
   * program does not let go of its lock.
   */
  replace(text: string, must: boolean, signal: AbortSignal): Promise<void>;
  remove(signal: AbortSignal): Promise<void>;
  /**
   * Runs `task` while no other process with this program does the same. Rejects with a `LockFault` when another one
   * does for too long, or the lock cannot be used.
   */
  alone<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T>;
}

/** A lock beside the file cannot be used, or nobody lets go of it. */
export class LockError extends Error {
  readonly path: string;
  /** For people. */
  readonly why: string;

  constructor(path: string, why: string) {
    super(`${path}: ${why}`);
    this.name = 'LockFault';
    this.path = path;
    this.why = why;
  }
}

/** @param lockTimeout how long to wait for another process that holds a lock of the file, ms */
export function fileStorage(path: string, lockTimeout: number): AuthStorage {
  /** A link stays a link: the file that it names is replaced. */
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

  /** Under the locks that the reference client takes for the same. */
  async function change(file: string, signal: AbortSignal, task: () => Promise<void>): Promise<void> {
    const done = await withAdvisoryLocks(locksOf(file), lockTimeout, signal, task);
    if (done === undefined) throw heldTooLong(`${file}.lock`);
  }

  return {
    read: () => readIfThere(path),

    async replace(text, must, signal) {
      const file = await target();
      makeDirectory(dirname(file), 0o700);
      let written = false;
      const write = async (): Promise<void> => {
        written = true;
        await replaceFile(file, text, true);
      };
      try {
        await change(file, signal, write);
      } catch (error) {
        if (!must || written) throw error;
        await write();
      }
    },

    async remove(signal) {
      await change(await target(), signal, () => rm(path, { force: true }));
    },

    async alone(signal, task) {
      const file = await target();
      makeDirectory(dirname(file), 0o700);
      const lock = `${file}.engine-lock`;
      let inside = false;
      try {
        const done = await withFileLock(lock, lockTimeout, signal, () => {
          inside = true;
          return task();
        });
        if (done !== undefined) return done.value;
      } catch (error) {
        if (inside || signal.aborted) throw error;
        throw new LockError(lock, errnoText(error));
      }
      throw heldTooLong(lock);
    },
  };
}

/** Gone with the process. */
export interface MemoryStorage extends AuthStorage {
  readonly text: Secret | undefined;
}

export function memoryStorage(): MemoryStorage {
  let text: Secret | undefined;
  return {
    get text() {
      return text;
    },
    read: async () => text?.reveal(),
    replace: async (next) => {
      text = new Secret(next);
    },
    remove: async () => {
      text = undefined;
    },
    alone: (_signal, task) => task(),
  };
}

/** `auth.lock`, then `auth.json.lock`: the order of the reference. */
function locksOf(file: string): readonly string[] {
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
