import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoffPause, retryAfterPause } from '../../machines/shared/backoff.js';
import { statePath } from '../../src/protocol/decision.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';

const env = (random: number, now = 1_000_000) => ({
  now: () => now,
  monotonic: () => now,
  random: () => random,
});
const randomValue = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('pauses', () => {
  it('RC-25: the n-th pause is between half and all of min(1 s × 2ⁿ, 30 s)', () => {
    fc.assert(
      fc.property(fc.nat(10_000), randomValue, (attempt, random) => {
        const all = Math.min(1_000 * 2 ** attempt, 30_000);
        const { ms, until } = backoffPause(env(random), DEFAULT_TIMING, attempt);
        expect(ms).toBeGreaterThanOrEqual(all / 2);
        expect(ms).toBeLessThanOrEqual(all);
        expect(until).toBe(1_000_000 + ms);
      }),
    );
  });

  it('RC-25: a Retry-After is honored with up to 30 s more, and never ends early', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1_000_000, max: 1e12 }), randomValue, (ahead, random) => {
        const at = 1_000_000 + ahead;
        const { ms, until } = retryAfterPause(env(random), DEFAULT_TIMING, at);
        expect(until).toBeGreaterThanOrEqual(at);
        expect(until - Math.max(at, 1_000_000)).toBeLessThanOrEqual(30_000);
        expect(ms).toBe(until - 1_000_000);
        expect(ms).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});

describe('the path of a state', () => {
  it.each([
    ['idle', 'idle'],
    [{ active: { backingOff: 'failed' } }, 'active.backingOff.failed'],
    [{ up: { liveness: 'open', life: 'young' } }, 'up.(liveness.open | life.young)'],
    [undefined, ''],
  ])('%o is %s', (value, path) => {
    expect(statePath(value)).toBe(path);
  });
});
