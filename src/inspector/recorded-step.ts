/** A step of an actor on its way into the timeline. */
import type { ChartNames } from './projection.js';
import type { EndStatus, Entry, EntryFailure } from './timeline.js';

/** Identical steps within this time become one entry with a count, ms. */
const COALESCE_WINDOW = 100;

/** The last recorded state of a running actor. */
export interface TrackedActor {
  readonly id: number;
  /** Who sent the events that it has not processed yet, oldest first. */
  senders: (number | undefined)[];
  /** Who sent the event of its current step. */
  sender: number | undefined;
  /** The last failure that was recorded. */
  failure: unknown;
  readonly names: ChartNames | undefined;
  edges: readonly string[];
  active: readonly string[];
  since: number;
  reason: string | null;
  last: Entry | undefined;
}

export interface Step {
  readonly event: string;
  readonly active: readonly string[];
  readonly edges: readonly string[];
  readonly reason: string | null;
  readonly failure?: EntryFailure | undefined;
  readonly status?: EndStatus | undefined;
  /** The id of the decision. */
  readonly decision?: string | undefined;
  /** The step is unrelated to the state before, so no duration is computed. */
  readonly independent?: true;
}

/** An entry that has no place in the timeline yet. */
export interface Draft {
  readonly tracked: TrackedActor;
  readonly entry: Omit<Entry, 'seq'>;
}

/** An identical step right after this one, which changed no state. */
export function repeats(last: Entry, next: Omit<Entry, 'seq'>): boolean {
  return (
    (next.kind === 'step' || next.kind === 'ignored') &&
    sameItems(last.active, next.active) &&
    next.time - last.time < COALESCE_WINDOW &&
    last.event === next.event &&
    last.kind === next.kind &&
    last.reason === next.reason &&
    last.from === next.from &&
    next.failure === undefined &&
    sameItems(last.edges, next.edges)
  );
}

export function sameItems(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
