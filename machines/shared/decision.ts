import type { Reason } from '../../src/protocol/reasons.js';

/** The action that makes one: `because` of every chart. */
export const setReason = (reason: Reason) => ({ type: 'because', params: { reason } }) as const;

/** What stands in `setup()` for an actor or action that the host must provide. */
export const notProvided = (name: string) => () => {
  throw new Error(`not provided: ${name}`);
};
