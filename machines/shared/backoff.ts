import type { Env, Timing } from '../../src/protocol/timing.js';

/** A pause: how long, and the wall-clock ms at which it ends. */
export interface Pause {
  readonly ms: number;
  readonly until: number;
}

/** Longest delay a timer takes; Node fires longer ones after 1 ms. */
export const MAX_PAUSE = 2 ** 31 - 1;

/** Evenly between two bounds. */
export function between(env: Env, min: number, max: number): number {
  return Math.round(min + env.random() * (max - min));
}

/** The n-th pause of the reconnect ladder: half to all of min(base × 2ⁿ, cap). RC-25 */
export function backoffPause(env: Env, timing: Timing, rung: number): Pause {
  const all = Math.min(timing.backoffBase * 2 ** Math.min(rung, 30), timing.backoffCap);
  const ms = between(env, all / 2, all);
  return { ms, until: env.now() + ms };
}

/** Never earlier than the backend said, and spread out so that clients do not come back all at once. RC-25 */
export function retryAfterPause(env: Env, timing: Timing, retryAfterAt: number): Pause {
  const until = Math.max(retryAfterAt, env.now()) + between(env, 0, timing.retryAfterSpread);
  return { ms: until - env.now(), until };
}
