import type { Reason } from '../src/protocol/reasons.js';

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

/** The action that makes one: `because` of every chart. */
export const because = (reason: Reason) => ({ type: 'because', params: { reason } }) as const;

/** What stands in `setup()` for an actor or action that the host must provide. */
export const notProvided = (name: string) => () => {
  throw new Error(`not provided: ${name}`);
};
