import { describe, expect, it } from 'vitest';
import {
  type Check,
  type CheckRow,
  failed,
  ok,
  runChecks,
  summaryOf,
} from '../../../src/cli/doctor/check.js';
import { DoctorRows, isUnicode } from '../../../src/cli/doctor/rows.js';
import { Output } from '../../../src/cli/output/terminal.js';
import { EngineError } from '../../../src/protocol/errors.js';

const never = new AbortController().signal;

const check = (id: string, run: Check['run'], needs: readonly string[] = []): Check => ({
  ...{ id, group: 'G', title: id, needs, run },
});

async function rowsOf(checks: readonly Check[]): Promise<CheckRow[]> {
  const rows = [];
  for await (const row of runChecks(checks, never)) rows.push(row);
  return rows;
}

describe('the checks of doctor', () => {
  it('a check is skipped when its prerequisite failed, and names the first cause', async () => {
    const rows = await rowsOf([
      check('a', async () => failed('broken', 'repair it')),
      check('b', async () => ok('never seen'), ['a']),
      check('c', async () => ok('never seen'), ['b']),
      check('d', async () => ok('fine')),
    ]);
    expect(rows.map(({ id, state, skippedBecause }) => [id, state, skippedBecause])).toEqual([
      ['a', 'failed', null],
      ['b', 'skipped', 'a'],
      ['c', 'skipped', 'a'],
      ['d', 'ok', null],
    ]);
    expect(summaryOf(rows)).toEqual({ ok: 1, warnings: 0, failed: 1, skipped: 2 });
  });

  it('an error of ours is a failure with its next step; any other one does not end the run', async () => {
    const rows = await rowsOf([
      check('a', async () => {
        throw new EngineError('usage', 'It is wrong.', { remediation: 'Do this.' });
      }),
      check('b', async () => {
        throw new TypeError('x is undefined\nsecond line');
      }),
    ]);
    expect(rows).toMatchObject([
      { state: 'failed', message: 'It is wrong', remedy: 'Do this.' },
      { state: 'failed', message: 'this check failed unexpectedly: x is undefined' },
    ]);
  });

  it('nothing that is wrong stands without a next step', async () => {
    const rows = await rowsOf([
      check('a', async () => failed('broken', '')),
      check('b', async () => ({ state: 'warning', message: 'odd' })),
      check('c', async () => ok('fine')),
    ]);
    expect(rows.map(({ remedy }) => remedy?.includes('rc-engine logs'))).toEqual([true, true, undefined]);
  });

  it('an abort ends the run', async () => {
    const cancel = new AbortController();
    const rows = runChecks([check('a', async () => ok('')), check('b', async () => ok(''))], cancel.signal);
    await rows.next();
    cancel.abort();
    await expect(rows.next()).rejects.toThrow();
  });
});

describe('the rows of doctor', () => {
  function shown(rows: readonly Partial<CheckRow>[], unicode: boolean, columns = 60): string {
    let written = '';
    const stream = {
      columns,
      write: (part: string) => {
        written += part;
        return true;
      },
    };
    const output = new DoctorRows(new Output(() => stream as never), unicode);
    const base = { id: 'x', group: 'G', title: 'x', state: 'ok', message: '', skippedBecause: null } as const;
    for (const row of rows) output.add({ ...base, ...row });
    output.summary(summaryOf([]));
    return written;
  }

  it('are plain ASCII where the locale is not UTF-8', () => {
    const rows: Partial<CheckRow>[] = [
      { title: 'one', message: 'fine' },
      { title: 'two', state: 'failed', message: 'bad', remedy: 'do this' },
      { title: 'three', state: 'warning', message: 'poor', remedy: 'do that' },
      { title: 'four', state: 'skipped', message: 'not used' },
    ];
    expect(shown(rows, true)).toMatch(/✓ one .*✗ two .*→ do this.*⚠ three .*→ do that.*- four/s);
    const ascii = shown(rows, false);
    expect(ascii).toMatch(/^[\n\x20-\x7e]*$/);
    expect(ascii).toMatch(/ok +one .*FAIL two .*> do this.*WARN three .*> do that.*- +four/s);
  });

  it('are wrapped, not cut, and all rows that one failure made pointless are one line', () => {
    const message = 'word '.repeat(40).trim();
    const text = shown(
      [
        { title: 'one', state: 'failed', message, remedy: 'do this' },
        { title: 'two', state: 'skipped', skippedBecause: 'one' },
        { title: 'three', state: 'skipped', skippedBecause: 'one' },
      ],
      true,
    );
    expect(text.match(/word/g)).toHaveLength(40);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(60);
    expect(text).toContain('- not checked because of that: two, three');
  });

  it.each([
    [{ LANG: 'C.UTF-8' }, 'linux', true],
    [{ LANG: 'de_DE.utf8' }, 'linux', true],
    [{ LANG: 'C' }, 'linux', false],
    [{}, 'linux', false],
    [{ LC_ALL: 'C', LANG: 'C.UTF-8' }, 'linux', false],
    [{}, 'win32', true],
  ] as const)('locale %j on %s', (env, platform, expected) => {
    expect(isUnicode(env, platform)).toBe(expected);
  });
});
