import { describe, expect, it } from 'vitest';
import { ClockWatch } from '../../src/net/clock-watch.js';

const MINUTE = 60_000;

/** A machine whose clock is `ahead` of the server, both of which advance. */
function world(ahead: number) {
  const state = { ahead, elapsed: 0, changes: [] as number[] };
  const server = (): number => 1_700_000_000_400 + state.elapsed;
  const watch = new ClockWatch(
    { now: () => server() + state.ahead, monotonic: () => 5_000 + state.elapsed },
    (difference) => state.changes.push(difference),
  );
  const request = ({ there = 10, back = 10, age = 0 } = {}): void => {
    const seen = watch.begin();
    state.elapsed += there;
    const date = new Date(server() - age * 1_000).toUTCString();
    state.elapsed += back;
    seen((name) => ({ date, ...(age > 0 ? { age: String(age) } : {}) })[name as 'date']);
  };
  return { state, watch, request };
}

describe('RC-135: the clock of this machine', () => {
  it.each([0, 500, -900, 59_000, -59_000])('%i ms off is no difference that matters', (ahead) => {
    const { watch, request, state } = world(ahead);
    request();
    expect(Math.abs(watch.difference ?? Number.NaN)).toBeLessThanOrEqual(Math.abs(ahead));
    expect(state.changes).toEqual([]);
  });

  it.each([3 * MINUTE, -3 * MINUTE, 400 * 24 * 60 * MINUTE])(
    '%i ms off is seen, and reported once',
    (ahead) => {
      const { watch, request, state } = world(ahead);
      request();
      request();
      expect(Math.abs((watch.difference ?? 0) - ahead)).toBeLessThan(1_500);
      expect(state.changes).toHaveLength(1);
    },
  );

  it.each([
    { there: 10, back: 5 * MINUTE },
    { there: 5 * MINUTE, back: 10 },
    { there: 4 * MINUTE, back: 4 * MINUTE },
    { age: 600 },
  ])('a response that took long, or comes from a cache, is no alarm: %j', (slow) => {
    const { watch, request, state } = world(0);
    request(slow);
    expect(watch.difference).toBe(0);
    expect(state.changes).toEqual([]);
  });

  it('a slow response hides no more of a difference than its time', () => {
    const { watch, request } = world(10 * MINUTE);
    request({ there: MINUTE, back: MINUTE });
    expect(watch.difference).toBeGreaterThan(7 * MINUTE);
  });

  it('follows a clock that is set: it is right at once, and the next response says so', () => {
    const { watch, request, state } = world(10 * MINUTE);
    request();
    state.ahead = 0;
    expect(watch.difference).toBe(0);
    request();
    expect(state.changes).toHaveLength(2);
  });

  it('after a sleep nothing is known until the next response', () => {
    const { watch, request } = world(0);
    request();
    watch.forget();
    expect(watch.difference).toBeNull();
    request();
    expect(watch.difference).toBe(0);
  });

  it.each([undefined, 'yesterday', ''])('a response with the date %j says nothing', (date) => {
    const { watch } = world(0);
    watch.begin()(() => date);
    expect(watch.difference).toBeNull();
  });
});
