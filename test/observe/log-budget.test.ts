import { describe, expect, it } from 'vitest';
import { LogBudget } from '../../src/observe/log-budget.js';

describe('RC-73: a log budget', () => {
  it('lets a number of bytes through per window, says once that it is used up, and counts the rest', () => {
    const said: string[] = [];
    const budget = new LogBudget({
      bytes: 100,
      window: 1_000,
      onUsedUp: () => said.push('used up'),
      onLeftOut: (count) => said.push(`${count} left out`),
    });
    const at = 5_000;
    expect([60, 40].map((bytes) => budget.take(bytes, at))).toEqual([true, true]);
    // A short line after a long one that did not fit is left out too: the log must not pretend to be complete.
    expect([60, 1, 1].map((bytes) => budget.take(bytes, at + 500))).toEqual([false, false, false]);
    expect(said).toEqual(['used up']);
    expect(budget.take(60, at + 1_000)).toBe(true);
    expect(said).toEqual(['used up', '3 left out']);
    expect(budget.take(60, at + 1_100)).toBe(false);
    budget.flush();
    budget.flush();
    expect(said).toEqual(['used up', '3 left out', 'used up', '1 left out']);
  });
});
