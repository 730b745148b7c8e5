import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** The command `flock` is not installed. */
export const noFlock = (): boolean => spawnSync('flock', ['--version']).error !== undefined;

/**
 * Starts a process that holds the flock lock of a file, as Codex CLI does. Without `-c`, whose shell is that of the user and may
 * run start files. Resolves with a function that releases it.
 */
export async function holdFlock(path: string): Promise<() => Promise<void>> {
  const child = spawn('flock', ['-x', path, '/bin/sh', '-c', 'echo held; read end'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.on('error', () => {});
  const closed = once(child, 'close');
  await Promise.race([once(child.stdout, 'data'), closed]);
  return async () => {
    child.stdin.end();
    await closed;
  };
}

/** Whether another process could take the lock now. */
export const flockIsFree = (path: string): boolean =>
  spawnSync('flock', ['-n', '-x', path, 'true']).status === 0;
