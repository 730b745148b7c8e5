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
import type { TokenRenewalOutput } from '../token-renewal.js';

/** Every outcome that an actor of the engine reports. */
type AnyOutcome =
  | AuthOutcome
  | DialOutcome
  | EnrollOutcome
  | LinkOutput
  | LoadEnrollmentOutcome
  | PairOutcome
  | PairStatusOutcome
  | RecoveryOutcome
  | RefreshOutcome
  | StoreOutcome
  | TokenRenewalOutput;

type AnEvent = { readonly type: string };

/** The outcome in a done event; null for other events. */
export function outcomeOf(event: AnEvent): AnyOutcome | null {
  if (!('output' in event)) return null;
  const { output } = event;
  // The types of `provide()` make the host report one of the unions above.
  return typeof output === 'object' && output !== null && 'kind' in output ? (output as AnyOutcome) : null;
}

/** Makes a guard that holds when the actor reported one of these kinds. */
export const outcome =
  (...kinds: readonly AnyOutcome['kind'][]) =>
  ({ event }: { event: AnEvent }): boolean => {
    const got = outcomeOf(event);
    return got !== null && kinds.includes(got.kind);
  };

/** A guard that holds when the backend itself answered 404: it does not know the identity. RC-20 */
export const notFound = ({ event }: { event: AnEvent }): boolean => {
  const got = outcomeOf(event);
  return got?.kind === 'notFound' && 'byBackend' in got && got.byBackend;
};

/** The failure in an outcome; null when it has none. */
export function failureOf(got: AnyOutcome | null): Failure | null {
  return got !== null && 'failure' in got ? got.failure : null;
}
