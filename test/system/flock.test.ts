import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { withLocks } from '../../src/system/file-lock.js';
import { acquireFlock } from '../../src/system/flock.js';
import { flockIsFree, holdFlock, noFlock } from '../support/flock.js';
import { tmpFolder } from '../support/tmp.js';

const never = new AbortController().signal;
const LIMIT = 8_000;

async function twoLocks(): Promise<readonly [string, string]> {
  const directory = await tmpFolder();
  return [join(directory, 'auth.lock'), join(directory, 'auth.json.lock')];
}

const run = <T>(locks: readonly string[], task: () => Promise<T>, limitMs = LIMIT) =>
  withLocks(acquireFlock, locks, limitMs, never, task);

describe.skipIf(process.platform !== 'linux' || noFlock())('flock, as other programs see it', () => {
  it('ACC-59: both locks are held while the task runs, and free afterwards', async () => {
    const locks = await twoLocks();
    const free = (): boolean[] => locks.map(flockIsFree);
    expect(await run(locks, async () => free())).toEqual({ value: [false, false] });
    expect(free()).toEqual([true, true]);
  });

  it.each([0, 1])('ACC-59: the task waits while another program holds lock %i', async (which) => {
    const locks = await twoLocks();
    const release = await holdFlock(locks[which] ?? '');
    let ran = false;
    const done = run(locks, async () => {
      ran = true;
    });
    await holdFlock(join(locks[0], '../witness')).then((end) => end());
    expect(ran).toBe(false);
    await release();
    await done;
    expect(ran).toBe(true);
  });

  it('ACC-59: a lock that another program never releases ends the wait, and the first lock is free again', async () => {
    const locks = await twoLocks();
    const release = await holdFlock(locks[1]);
    expect([await run(locks, async () => 'ran', 100), flockIsFree(locks[0])]).toEqual([undefined, true]);
    await release();
  });

  it('ACC-59: the limit of the wait holds when garbage is collected meanwhile', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const locks = await twoLocks();
    const release = await holdFlock(locks[0]);
    const collecting = setInterval(collect, 20);
    expect(await run(locks, async () => 'ran', 300)).toBeUndefined();
    clearInterval(collecting);
    await release();
  });

  it('ACC-59: without the command `flock` the task runs without the locks', async () => {
    const locks = await twoLocks();
    const release = await holdFlock(locks[0]);
    const { PATH } = process.env;
    process.env.PATH = await tmpFolder();
    try {
      expect(await run(locks, async () => 'ran')).toEqual({ value: 'ran' });
    } finally {
      process.env.PATH = PATH;
    }
    await release();
  });
});
