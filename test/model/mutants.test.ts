/** The tool that measures the tests of the charts, and a sample of its mutants. `npm run mutants` judges all. */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { EQUIVALENT } from './mutation/equivalent.js';
import { FAULTS } from './mutation/faults.js';
import { Paths } from './mutation/judge.js';
import { mutate } from './mutation/mutants.js';

const MACHINES = path.resolve(import.meta.dirname, '../../machines');
const SCRIPT = path.resolve(import.meta.dirname, '../../scripts/mutate-charts.mjs');
/** A new sample each day; RC_TEST_SEED repeats one. */
const SEED = process.env.RC_TEST_SEED ?? new Date().toISOString().slice(0, 10).replaceAll('-', '');

function mutants(...args: readonly string[]): Promise<{ code: number | null; out: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [SCRIPT, ...args]);
    let out = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        out += text;
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out }));
  });
}

describe('mutants', () => {
  it.each(['link', 'pairing', 'controllerLink', 'appServer'] as const)(
    'of %s have different ids, and leave the chart as it is',
    async (name) => {
      const machine = CHARTS[name];
      const original = toChart(machine);
      const all = await new Paths(name).mutants();
      expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
      expect(all.filter(({ operator }) => operator === 'drop')).toHaveLength(original.edges.length);
      expect(all.map(({ operator }) => operator)).toEqual(
        expect.arrayContaining(['retarget', 'negate', 'action', 'tag', 'delay', 'reason']),
      );
      for (const mutant of all) expect(mutate(machine, mutant).id).toBe(machine.id);
      expect(toChart(machine)).toEqual(original);
    },
  );

  it('a sample of each chart: at least 95 % are noticed', { timeout: 300_000 }, async () => {
    const { code, out } = await mutants('--sample', '4', '--seed', SEED);
    expect(code, out).toBe(0);
    for (const name of Object.keys(CHARTS))
      expect(out).toMatch(new RegExp(`^${name}: .* of [1-4] mutants`, 'm'));
  });

  it('faults are put into sources that exist: a changed chart may make a few of them obsolete, not many', async () => {
    const found = await Promise.all(
      FAULTS.map(async ({ file, at, before }) => {
        const text = await readFile(path.join(MACHINES, file), 'utf8');
        const from = text.indexOf(at);
        return from >= 0 && text.includes(before, from);
      }),
    );
    expect(found.filter(Boolean).length).toBeGreaterThanOrEqual(40);
  });

  it('refuses what it does not know', async () => {
    expect(await mutants('nonsense')).toMatchObject({ code: 64 });
    expect(await mutants('--sample', '0')).toMatchObject({ code: 64 });
    expect((await mutants('--nonsense')).out).toContain('scripts/mutate-charts.mjs');
  });

  it('each one that does the same as its chart has a reason', () => {
    for (const [name, reasons] of Object.entries(EQUIVALENT)) {
      expect(Object.keys(CHARTS)).toContain(name);
      for (const reason of Object.values(reasons)) expect(reason.length).toBeGreaterThan(20);
    }
  });
});
