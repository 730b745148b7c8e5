/**
 * The advisory locks (`flock`) that the reference client takes while it writes or deletes its account file. Node has
 * no such call. On Linux the command `flock` takes the lock on a descriptor that it shares with this process: the lock
 * belongs to the open file, so it stays here when that command has ended. macOS and the BSDs take it while they open
 * the file. Elsewhere there is none to be had. ACC-59
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PRIVATE_FILE } from './atomic-file.js';
import { errnoOf } from './errno.js';

/** Of macOS and the BSDs, in `open`. */
const O_RDWR = 0x2;
const O_NONBLOCK = 0x4;
const O_EXLOCK = 0x20;
const O_CREAT = 0x200;
const WITH_EXLOCK: ReadonlySet<string> = new Set(['darwin', 'freebsd', 'openbsd', 'netbsd']);
/** Between two tries where the system does not wait for us, ms. */
const RETRY = 25;

/**
 * Runs `task` while this process holds the locks `paths`, taken in that order; whoever else takes them must keep it,
 * too. Undefined: they were not to be had within `limitMs`. Where the system, or the file system, has no such locks,
 * the task runs without. Rejects with the error of the system when a lock file cannot be made, and with the reason of
 * `signal`.
 */
export async function withAdvisoryLocks<T>(
  paths: readonly string[],
  limitMs: number,
  signal: AbortSignal,
  task: () => Promise<T>,
): Promise<{ readonly value: T } | undefined> {
  const held: FileHandle[] = [];
  const deadline = performance.now() + limitMs;
  try {
    for (const path of paths) {
      signal.throwIfAborted();
      const left = Math.max(0, deadline - performance.now());
      const file = WITH_EXLOCK.has(process.platform)
        ? await openLocked(path, left, signal)
        : await openThenLock(path, left, signal);
      if (file === undefined) return undefined;
      held.push(file);
    }
    return { value: await task() };
  } finally {
    // Closing lets go.
    for (const file of held.reverse()) await file.close();
  }
}

async function openLocked(
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    try {
      return await open(path, O_RDWR | O_CREAT | O_NONBLOCK | O_EXLOCK, PRIVATE_FILE);
    } catch (error) {
      const code = errnoOf(error);
      // A file system without locks: the file alone is as good as it gets.
      if (code === 'ENOTSUP' || code === 'EOPNOTSUPP') return open(path, 'a', PRIVATE_FILE);
      if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error;
    }
    if (performance.now() >= deadline) return undefined;
    await sleep(RETRY, undefined, { signal });
  }
}

async function openThenLock(
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  const file = await open(path, 'a', PRIVATE_FILE);
  if (process.platform === 'win32') return file;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(limitMs))]);
  if (await lockShared(file.fd, limit)) return file;
  await file.close();
  signal.throwIfAborted();
  return undefined;
}

/** False: not before `limit`. True as well where nobody can take such a lock. */
function lockShared(fd: number, limit: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('flock', ['-x', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      signal: limit,
      killSignal: 'SIGKILL',
    });
    child.once('error', () => {
      // It was ended here, or it is not installed.
      if (!limit.aborted) resolve(true);
    });
    child.once('close', (code) => resolve(code !== null || !limit.aborted));
  });
}
