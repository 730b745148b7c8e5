/** What the charts share to record why they are in their state. */
import type { Decision } from '../../src/protocol/decision.js';
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { Env } from '../../src/protocol/timing.js';

interface Context {
  readonly env: Env;
}

/** The reference to the action `setReason`, which every chart has. */
export const setReason = (reason: Reason) => ({ type: 'setReason', params: { reason } }) as const;

/** The assignment of a new decision. */
export const decide = (
  { env }: Context,
  reason: Reason,
  detail: string | null = null,
): { decision: Decision } => ({ decision: { reason, detail, at: env.now() } });

/** The assignment of a new decision for a failure, which becomes the last failure. */
export const decideFailure = (context: Context, reported: Failure) => ({
  ...decide(context, reported.reason, reported.message),
  lastFailure: reported,
});

/** The failure behind an `onError` event: the actor rejected, which only a bug can cause. */
export function actorFailure(
  { env }: Context,
  event: { readonly type: string },
  what = 'An adapter failed unexpectedly',
): Failure {
  const error = 'error' in event ? event.error : undefined;
  const message = error instanceof Error ? error.message : 'no message';
  return failure('engineFault', `${what}: ${message}`, env.now());
}

/** Placeholder in `setup()` for an actor or action that the host must provide. */
export const notProvided = (name: string) => () => {
  throw new Error(`not provided: ${name}`);
};
