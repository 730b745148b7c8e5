/** How long the charts wait before they try again. */
import type { Env, Timing } from '../../src/protocol/timing.js';

export interface Pause {
  readonly ms: number;
  /** Monotonic ms at which it ends. */
  readonly until: number;
}

/** The longest delay that a timer accepts, ms. Node fires longer ones after 1 ms. */
export const MAX_PAUSE = 2 ** 31 - 1;

/** A random number between two bounds, evenly distributed. */
export function between(env: Env, min: number, max: number): number {
  return Math.round(min + env.random() * (max - min));
}

/** A pause that starts now. */
export function pauseFor(env: Env, ms: number): Pause {
  return { ms, until: env.monotonic() + ms };
}

/** Exponential backoff with jitter: between half and all of min(base × 2ⁿ, cap), where n is the attempt. RC-25 */
export function backoffPause(env: Env, timing: Timing, attempt: number): Pause {
  const all = Math.min(timing.backoffBase * 2 ** Math.min(attempt, 30), timing.backoffCap);
  return pauseFor(env, between(env, all / 2, all));
}

/** The Retry-After of the backend plus a random part, so that clients do not all return at the same time. RC-25 */
export function retryAfterPause(env: Env, timing: Timing, retryAfterAt: number): Pause {
  return pauseFor(env, Math.max(retryAfterAt - env.now(), 0) + between(env, 0, timing.retryAfterSpread));
}
