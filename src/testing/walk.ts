/** A path while it is executed: the exact situation after each step. */

import type { Act } from './acts.js';
import type { Spot } from './cover.js';
import { type Explored, type Leg, perform } from './explore.js';
import type { Move, Position } from './pure-machine.js';

interface WalkStep {
  readonly act: Act;
  readonly move: Move;
  /** Simulated time that passes, ms. */
  readonly elapsed: number;
}

export class Walk {
  readonly #explored: Explored;
  readonly start: Move;
  readonly steps: WalkStep[] = [];
  /** The place of the last situation, and the edge that was taken last. */
  spot: Spot = { place: 0, last: '' };

  constructor(explored: Explored) {
    this.#explored = explored;
    this.start = explored.pure.start();
  }

  /** Follows the legs, or stays where it is and returns what was different. */
  follow(legs: readonly Leg[]): string | null {
    const steps: WalkStep[] = [];
    let { place, last } = this.spot;
    let position = this.steps.at(-1)?.move.position ?? this.start.position;
    for (const leg of legs) {
      const act = this.#explored.actsAt(position).find(({ id }) => id === leg.act.id);
      const move = act === undefined ? undefined : perform(this.#explored.pure, position, act);
      if (act === undefined || move === undefined || move.edges.join() !== leg.edges.join()) {
        return difference(position, leg, move);
      }
      steps.push({ act, move, elapsed: move.position.now - position.now });
      position = move.position;
      place = leg.to;
      last = leg.edges.at(-1) ?? last;
    }
    this.steps.push(...steps);
    this.spot = { place, last };
    return null;
  }
}

function difference({ snapshot }: Position, leg: Leg, move: Move | undefined): string {
  const edges = (list: readonly string[]) => list.join(', ') || 'no edge';
  const now = move === undefined ? 'it is not possible' : `it takes ${edges(move.edges)}`;
  const { machine, value } = snapshot as { machine: { id: string }; value: unknown };
  return (
    `The chart ${machine.id} in ${JSON.stringify(value)} does not always do the same on "${leg.act.words}": a guard reads ` +
    `something that \`key\` leaves out. Add it to \`key\`. (Now ${now}, before ${edges(leg.edges)}.)`
  );
}
