import type { Reason } from './reasons.js';

/**
 * Why a statechart is where it is. Each transition that a person could ask "why?" about makes a new one;
 * the host writes each to the audit ring and the log.
 */
export interface Decision {
  readonly reason: Reason;
  /** One line that holds no secret. */
  readonly detail: string | null;
  /** Wall-clock ms. */
  readonly at: number;
}
