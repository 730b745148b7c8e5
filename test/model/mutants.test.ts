import { describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { chartDiff } from '../../src/visualize/diff.js';
import { mutantsOf, mutate } from './mutants.js';
import { judge } from './mutation-run.js';

describe('mutants', () => {
  it.each(Object.entries(CHARTS))('of %s differ from the chart', (_, machine) => {
    const original = toChart(machine);
    for (const mutant of mutantsOf(machine)) {
      const changes = chartDiff(original, toChart(mutate(machine, mutant)));
      expect(changes, mutant.words).not.toEqual([]);
    }
    expect(toChart(machine)).toEqual(original);
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
