import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EnrollmentKey } from '../../../src/protocol/outcomes.js';
import { openEnrollmentStore } from '../../../src/remote-control/store/enrollment-store.js';
import { type Child, start } from '../../support/children.js';
import { tmpFolder } from '../../support/tmp.js';

const key: EnrollmentKey = { socketUrl: 'wss://chatgpt.com/x', accountId: 'acct', clientName: null };

async function load(path: string) {
  const store = openEnrollmentStore(`sqlite:${path}`, { now: Date.now });
  const outcome = await store.load(key);
  await store.close();
  return outcome;
}

describe('several processes on one enrollment store', () => {
  it('RC-22: two processes that change one record 200 times each lose no change', async () => {
    const path = join(await tmpFolder(), 's.sqlite');
    const children = await Promise.all([1, 2].map(() => start(['count', path, '200'])));
    for (const child of children) expect(await child.line()).toBe('ready');
    for (const child of children) child.go();
    for (const child of children) expect(await child.line(30_000)).toBe('done');
    expect(await load(path)).toMatchObject({ kind: 'found', enrollment: { serverName: '400' } });
  }, 60_000);

  it('RC-6: six processes that create the database at once all use the same one', async () => {
    const dir = await tmpFolder();
    const children = await Promise.all(
      Array.from({ length: 6 }, () => start(['count', `${dir}/s.sqlite`, '5'])),
    );
    for (const child of children) expect(await child.line()).toBe('ready');
    for (const child of children) child.go();
    for (const child of children) expect(await child.line(20_000)).toBe('done');
    await Promise.all(children.map((child) => child.ended));
    expect(await load(`${dir}/s.sqlite`)).toMatchObject({ enrollment: { serverName: '30' } });
    expect(await readdir(dir)).toEqual(['s.sqlite']);
  }, 40_000);
});

describe('kill -9', () => {
  it('RC-6: after a writer was killed at any time, the store opens and contains each save that was reported done', async () => {
    let path = '';
    let reported = 0;
    let reportedInAll = 0;
    for (let round = 0; round < 30; round += 1) {
      if (round % 6 === 0) {
        path = join(await tmpFolder(), 's.sqlite');
        reported = 0;
      }
      const child = await start(['saveForEver', `sqlite:${path}`, String(reported + 1)]);
      expect(await child.line()).toBe('ready');
      await pause(Math.random() * 40);
      await child.kill();
      reported = lastNumber(child) ?? reported;
      reportedInAll += reported;
      const outcome = await load(path);
      if (outcome.kind !== 'found')
        expect({ outcome, reported }).toMatchObject({ outcome: { kind: 'none' }, reported: 0 });
      else expect(Number(outcome.enrollment.serverName)).toBeGreaterThanOrEqual(reported);
    }
    expect(reportedInAll).toBeGreaterThan(0);
  }, 120_000);
});

/** The time of the kill is random; nothing waits for an event. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function lastNumber(child: Child): number | undefined {
  return child.taken().findLast((line) => typeof line === 'number') as number | undefined;
}
