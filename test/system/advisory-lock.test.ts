import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withAdvisoryLocks } from '../../src/system/advisory-lock.js';
import { flockIsFree, holdFlock, noFlock } from '../support/flock.js';
import { tmpFolder } from '../support/tmp.js';

const never = new AbortController().signal;
const LIMIT = 8_000;

async function twoLocks(): Promise<readonly [string, string]> {
  const folder = await tmpFolder();
  return [join(folder, 'auth.lock'), join(folder, 'auth.json.lock')];
}

describe.skipIf(process.platform !== 'linux' || noFlock())('the advisory locks of other programs', () => {
  it('ACC-59: are held while the task runs, and free when it has ended, well or not', async () => {
    const locks = await twoLocks();
    const free = (): boolean[] => locks.map(flockIsFree);
    expect(await withAdvisoryLocks(locks, LIMIT, never, async () => free())).toEqual({
      value: [false, false],
    });
    expect(free()).toEqual([true, true]);
    const fails = withAdvisoryLocks(locks, LIMIT, never, () => Promise.reject(new Error('no')));
    await expect(fails).rejects.toThrow('no');
    expect(free()).toEqual([true, true]);
  });

  it.each([0, 1])('ACC-59: the task waits while another process holds one of them (%i)', async (which) => {
    const locks = await twoLocks();
    const letGo = await holdFlock(locks[which] ?? '');
    let ran = false;
    const done = withAdvisoryLocks(locks, LIMIT, never, async () => {
      ran = true;
    });
    await holdFlock(join(locks[0], '../witness')).then((end) => end());
    expect(ran).toBe(false);
    await letGo();
    await done;
    expect(ran).toBe(true);
  });

  it('ACC-59: two tasks of one process exclude each other, too', async () => {
    const locks = await twoLocks();
    const order: string[] = [];
    const task = (name: string) => async (): Promise<void> => {
      order.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 30));
      order.push(`${name} ends`);
    };
    await Promise.all(['a', 'b'].map((name) => withAdvisoryLocks(locks, LIMIT, never, task(name))));
    const first = order[0]?.[0] ?? '';
    expect(order.map((step) => step[0])).toEqual([first, first, order[2]?.[0], order[2]?.[0]]);
  });

  it('ACC-59: a lock that is never let go ends the wait at the limit; the other one is free again', async () => {
    const locks = await twoLocks();
    const letGo = await holdFlock(locks[1]);
    const ran = await withAdvisoryLocks(locks, 100, never, async () => 'ran');
    expect([ran, flockIsFree(locks[0])]).toEqual([undefined, true]);
    await letGo();
  });

  it('an abort ends the wait', async () => {
    const locks = await twoLocks();
    const letGo = await holdFlock(locks[0]);
    const abort = new AbortController();
    const waits = withAdvisoryLocks(locks, LIMIT, abort.signal, async () => 'ran');
    abort.abort(new Error('enough'));
    await expect(waits).rejects.toThrow('enough');
    await letGo();
    expect(flockIsFree(locks[0])).toBe(true);
  });

  it('a system without the command runs the task without the locks', async () => {
    const locks = await twoLocks();
    const letGo = await holdFlock(locks[0]);
    const { PATH } = process.env;
    process.env.PATH = await tmpFolder();
    try {
      expect(await withAdvisoryLocks(locks, LIMIT, never, async () => 'ran')).toEqual({ value: 'ran' });
    } finally {
      process.env.PATH = PATH;
    }
    await letGo();
  });

  it('a lock file that cannot be made is an error of the system', async () => {
    const folder = await tmpFolder();
    const lost = withAdvisoryLocks([join(folder, 'none', 'auth.lock')], LIMIT, never, async () => 'ran');
    await expect(lost).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
