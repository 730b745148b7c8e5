/**
 * Where a chart was when it left a state with a shallow history. The history does not restore that, so only a path that leaves
 * from there and comes back shows that it does not.
 */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { nodesOf } from '../visualize/chart.js';
import type { Position } from './pure-machine.js';

/** Ids of the innermost states that were left, by the id of the history state. */
export type Left = Readonly<Record<string, readonly string[]>>;

export class ShallowHistory {
  readonly #histories: readonly { readonly id: string; readonly parent: AnyStateNode }[];

  constructor(machine: AnyStateMachine) {
    this.#histories = nodesOf(machine.root).flatMap(({ id, type, history, parent }) =>
      type === 'history' && history !== 'deep' && parent !== undefined ? [{ id, parent }] : [],
    );
  }

  /** What a step leaves, and what earlier ones have left. */
  after(before: Position, { snapshot }: Position): Left {
    const left = { ...before.left };
    const active = new Set(snapshot._nodes.map(({ id }) => id));
    for (const { id, parent } of this.#histories) {
      const leaves = before.snapshot._nodes.filter(
        (node) => node.type === 'atomic' && node.id.startsWith(`${parent.id}.`),
      );
      // A child of the parent itself is what a shallow history restores, too.
      const inner = leaves.filter((leaf) => leaf.parent !== parent).map((leaf) => leaf.id);
      if (leaves.length > 0 && !active.has(parent.id)) left[id] = inner.sort();
    }
    return left;
  }
}
