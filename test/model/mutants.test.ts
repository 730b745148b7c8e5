import { describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { chartDiff } from '../../src/visualize/diff.js';
import { walk } from '../../src/visualize/walk.js';
import { mutantsOf, mutate } from './mutants.js';
import { judge } from './mutation-run.js';

describe('mutants', () => {
  it.each(Object.entries(CHARTS))('of %s differ from the chart', (_, machine) => {
    const original = walk(machine);
    for (const mutant of mutantsOf(machine)) {
      const changes = chartDiff(original, walk(mutate(machine, mutant)));
      expect(changes, mutant.words).not.toEqual([]);
    }
    expect(walk(machine)).toEqual(original);
  });

  it.each(['virtualClient', 'pairing', 'link', 'authRecovery'])(
    'of %s: the generated paths detect at least 90 %',
    async (name) => {
      let all = 0;
      let killed = 0;
      for await (const verdict of judge(name)) {
        all += 1;
        if (verdict.killed) killed += 1;
      }
      expect(killed / all).toBeGreaterThanOrEqual(0.9);
    },
  );
});
