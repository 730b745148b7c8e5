/** What happens in the world of a seed: work and faults, each at its time. The list is a function of the seed alone. */
import { FAULTS } from './faults/index.js';
import type { Site } from './site.js';
import { WORK } from './work.js';
import type { Random } from './world/random.js';

/** A kind of step. `plan` draws its parameters from the seed; the result acts on the world. */
export interface StepKind {
  readonly name: string;
  /** How often it is chosen beside the others. */
  readonly weight: number;
  plan(random: Random): PlannedAct;
}

export interface PlannedAct {
  /** For the trace and for people. */
  readonly text: string;
  readonly act: (site: Site) => void;
}

export interface Step extends PlannedAct {
  /** Its place in the list of the seed; it stays the same when other steps are left out. */
  readonly index: number;
  /** Simulated ms. */
  readonly at: number;
  readonly kind: 'work' | 'fault';
}

const FIRST = 400;
/** Longest time between two faults, ms. */
const FAULT_GAP = 30_000;
const WORK_GAP = 6_000;

export function stepsOf(random: Random): { readonly steps: readonly Step[]; readonly end: number } {
  const faults = random.int(1, 10);
  const end = FIRST + random.int(12_000, 60_000);
  const steps: Omit<Step, 'index'>[] = [];
  const draw = (kind: Step['kind'], kinds: readonly StepKind[], at: number): void => {
    const chosen = random.weighted(kinds.map((one) => [one.weight, one] as const));
    steps.push({ ...chosen.plan(random), at, kind });
  };
  let at = random.chance(0.5) ? FIRST : 8_000;
  for (let count = 0; count < faults; count += 1) {
    // Faults often come together: the second one finds the engine busy with the first.
    at += random.chance(0.4) ? random.int(0, 1_500) : random.int(0, FAULT_GAP);
    if (at < end) draw('fault', FAULTS, at);
  }
  for (let time = 2_000; time < end; time += random.int(100, WORK_GAP)) draw('work', WORK, time);
  steps.sort((one, other) => one.at - other.at);
  return { steps: steps.map((step, index) => ({ ...step, index })), end };
}
