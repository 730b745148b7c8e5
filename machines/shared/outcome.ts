import type {
  AuthOutcome,
  DialOutcome,
  EnrollOutcome,
  Failure,
  LoadEnrollmentOutcome,
  PairOutcome,
  PairStatusOutcome,
  RecoveryOutcome,
  RefreshOutcome,
  StoreOutcome,
} from '../../src/protocol/outcomes.js';
import type { LinkOutput } from '../link.js';

/** Everything an invoked actor of ours can report. */
export type AnyOutcome =
  | AuthOutcome
  | DialOutcome
  | EnrollOutcome
  | LinkOutput
  | LoadEnrollmentOutcome
  | PairOutcome
  | PairStatusOutcome
  | RecoveryOutcome
  | RefreshOutcome
  | StoreOutcome;

type AnEvent = { readonly type: string };

/** The outcome that a done event carries; null for other events. */
export function outcomeOf(event: AnEvent): AnyOutcome | null {
  if (!('output' in event)) return null;
  const { output } = event;
  // All actors of our charts report one of the unions above: only their host could break that, and it is typed.
  return typeof output === 'object' && output !== null && 'kind' in output ? (output as AnyOutcome) : null;
}

/** A guard: the actor reported one of these kinds. */
export const outcome =
  (...kinds: readonly AnyOutcome['kind'][]) =>
  ({ event }: { event: AnEvent }): boolean => {
    const got = outcomeOf(event);
    return got !== null && kinds.includes(got.kind);
  };

/** The failure inside an outcome, if it has one. */
export function failureOf(got: AnyOutcome | null): Failure | null {
  return got !== null && 'failure' in got ? got.failure : null;
}
