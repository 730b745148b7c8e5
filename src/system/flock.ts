/**
 * The advisory lock flock(2), which Codex CLI takes while it writes or deletes its account file. file-lock.ts says why
 * this is a lock of its own kind. Node cannot call flock. On Linux the command `flock` locks a descriptor that it
 * shares with this process: the lock belongs to the open file, so it stays here when the command has ended. macOS and
 * the BSDs lock while they open the file. On Windows, without the command, and on file systems without such locks,
 * there is nothing to take, and the caller runs without the lock. ACC-59
 */
import { spawn } from 'node:child_process';
import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { PRIVATE_FILE } from './atomic-file.js';
import { errnoOf } from './errno.js';
import type { AcquireLock } from './file-lock.js';

/** Flags of `open` on macOS and the BSDs; `node:fs` does not have O_EXLOCK. */
const O_RDWR = 0x2;
const O_NONBLOCK = 0x4;
const O_EXLOCK = 0x20;
const O_CREAT = 0x200;
const WITH_EXLOCK: ReadonlySet<string> = new Set(['darwin', 'freebsd', 'openbsd', 'netbsd']);
/** Between two attempts where the system does not wait for us, ms. */
const RETRY_DELAY = 25;

export const acquireFlock: AcquireLock = async (path, limitMs, signal) => {
  const file = WITH_EXLOCK.has(process.platform)
    ? await openLocked(path, limitMs, signal)
    : await openThenLock(path, limitMs, signal);
  // Closing the file releases the lock.
  return file === undefined ? undefined : { release: () => file.close() };
};

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
      if (code === 'ENOTSUP' || code === 'EOPNOTSUPP') return open(path, 'a', PRIVATE_FILE);
      if (code !== 'EAGAIN' && code !== 'EWOULDBLOCK') throw error;
    }
    if (performance.now() >= deadline) return undefined;
    await sleep(RETRY_DELAY, undefined, { signal });
  }
}

async function openThenLock(
  path: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<FileHandle | undefined> {
  const file = await open(path, 'a', PRIVATE_FILE);
  if (process.platform === 'win32') return file;
  // Not AbortSignal.any with AbortSignal.timeout: Node collects that timeout as garbage, and it never fires.
  const limit = new AbortController();
  const abort = (): void => limit.abort();
  const timer = setTimeout(abort, limitMs);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    if (await runFlock(file.fd, limit.signal)) return file;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
  await file.close();
  signal.throwIfAborted();
  return undefined;
}

/** False: `limit` came first. True also where no such lock can be taken. */
function runFlock(fd: number, limit: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn('flock', ['-x', '3'], {
      stdio: ['ignore', 'ignore', 'ignore', fd],
      signal: limit,
      killSignal: 'SIGKILL',
    });
    child.once('error', () => {
      // Either `limit` ended it, which `close` reports, or the command is not installed.
      if (!limit.aborted) resolve(true);
    });
    child.once('close', (code) => resolve(code !== null || !limit.aborted));
  });
}
