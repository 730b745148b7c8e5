import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Why locks of other programs cannot be tried here; undefined: they can. */
export const noFlock = (): boolean => spawnSync('flock', ['--version']).error !== undefined;

/** Another process that holds the advisory lock of a file, as the reference client does, until it is let go. */
export async function holdFlock(path: string): Promise<() => Promise<void>> {
  const child = spawn('flock', ['-x', path, '-c', 'echo held; read end'], {
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

/** Another process could take the lock now. */
export const flockIsFree = (path: string): boolean =>
  spawnSync('flock', ['-n', '-x', path, '-c', 'true']).status === 0;
