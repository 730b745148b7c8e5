import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acquireFileLock, withLocks } from '../../src/system/file-lock.js';
import { acquireFlock } from '../../src/system/flock.js';
import { start } from '../support/children.js';
import { noFlock } from '../support/flock.js';
import { tmpFolder } from '../support/tmp.js';

const never = new AbortController().signal;
const LIMIT = 8_000;

const KINDS = [
  ['sqlite', acquireFileLock],
  ['flock', acquireFlock],
] as const;

describe.each(KINDS)('a lock between processes (%s)', (kind, acquire) => {
  const skipped = kind === 'flock' && (process.platform !== 'linux' || noFlock());

  async function setup() {
    const path = join(await tmpFolder(), 'some.lock');
    const run = <T>(task: () => Promise<T>, limitMs = LIMIT, signal = never) =>
      withLocks(acquire, [path], limitMs, signal, task);
    const isFree = async (): Promise<boolean> => (await run(async () => {}, 200)) !== undefined;
    const holder = async () => {
      const child = await start(['holdLock', kind, path]);
      expect(await child.line()).toBe('held');
      return child;
    };
    return { path, run, isFree, holder };
  }

  it.skipIf(skipped)('ACC-59: is released when the task has ended, also when it failed', async () => {
    const { run, isFree } = await setup();
    expect(await run(isFree)).toEqual({ value: false });
    expect(await isFree()).toBe(true);
    await expect(run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await isFree()).toBe(true);
  });

  it.skipIf(skipped)('ACC-59: the task waits until another process has released it', async () => {
    const { run, isFree, holder } = await setup();
    const child = await holder();
    expect(await isFree()).toBe(false);
    let ran = false;
    const done = run(async () => {
      ran = true;
    });
    expect(ran).toBe(false);
    await child.finish();
    await done;
    expect(ran).toBe(true);
  });

  it.skipIf(skipped)('ACC-59: kill -9 of the holder releases it', async () => {
    const { isFree, holder } = await setup();
    for (let round = 0; round < 3; round += 1) {
      const child = await holder();
      expect(await isFree()).toBe(false);
      await child.kill();
      expect(await isFree()).toBe(true);
    }
  });

  it.skipIf(skipped)('ACC-59: two tasks of one process exclude each other', async () => {
    const { run } = await setup();
    const order: string[] = [];
    const task = (name: string) => async (): Promise<void> => {
      order.push(name);
      await new Promise((resolve) => setTimeout(resolve, 30));
      order.push(name);
    };
    await Promise.all(['a', 'b'].map((name) => run(task(name))));
    expect(order[0]).toBe(order[1]);
    expect(order[2]).toBe(order[3]);
  });

  it.skipIf(skipped)('an abort ends the wait with its reason', async () => {
    const { run, holder } = await setup();
    const child = await holder();
    const abort = new AbortController();
    const waiting = run(async () => 'ran', LIMIT, abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await child.finish();
  });

  it.skipIf(skipped)('its file stays empty and private (0600)', async () => {
    const { path, run } = await setup();
    await run(async () => {});
    const { size, mode } = await stat(path);
    expect([size, mode & 0o777]).toEqual([0, 0o600]);
  });

  it('a lock file that cannot be made is the error of the system', async () => {
    const path = join(await tmpFolder(), 'none', 'some.lock');
    await expect(withLocks(acquire, [path], LIMIT, never, async () => 'ran')).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });
});
