/** What the adapters of the charts `engine` and `homeLock` report. */
import type { Failure } from './outcomes.js';

/** How one step of the start or the stop of an engine ended. */
export type StepOutcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly failure: Failure };

/** One attempt to take the lock of a home directory. */
export type LockAttemptOutcome =
  | { readonly kind: 'locked' }
  | { readonly kind: 'busy' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Who holds the lock. `unknown`: `engine.json` names no process that runs. */
export type HolderOutcome =
  | { readonly kind: 'named'; readonly failure: Failure }
  | { readonly kind: 'unknown' };

/** Whether the engine that `engine.json` still names runs without its lock. */
export type FormerHolderOutcome =
  | { readonly kind: 'gone' }
  | { readonly kind: 'alive'; readonly failure: Failure };

/** Whether this engine got the home. */
export type HomeLockOutcome =
  | { readonly kind: 'held' }
  | { readonly kind: 'refused'; readonly failure: Failure };

/** How the life of an engine ended. The failure is null after a call of `stop`. */
export interface EngineEnd {
  readonly failure: Failure | null;
}
