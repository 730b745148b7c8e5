/**
 * What the paths show of an edge beyond taking it once. Each is a place where a wrong implementation differs from the chart
 * although it takes the edge: a state that does not inherit an edge, a history that is not restored, guards in another order.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { edgeIds } from '../visualize/chart.js';
import { textOf } from './context-key.js';
import type { Move, Position } from './pure-machine.js';

export class Subtleties {
  readonly #edges: ReadonlyMap<string, AnyTransitionDefinition>;

  constructor(machine: AnyStateMachine) {
    this.#edges = new Map([...edgeIds(machine)].map(([edge, id]) => [id, edge]));
  }

  /** Their names; equal names are the same. */
  of(from: Position, move: Move): string[] {
    return [...this.#inherited(from, move), ...move.rivals];
  }

  /** A history state leads back to each state that was active when it was left, and a shallow one forgets what was in it. */
  restored({ left }: Position, { edges, position: { snapshot } }: Move): string[] {
    return edges.flatMap((edge) =>
      (this.#edges.get(edge)?.target ?? [])
        .filter(({ type }) => type === 'history')
        .flatMap(({ id: history, parent }) => {
          const forgotten = left?.[history] ?? [];
          const leaves = parent === undefined ? [] : leavesIn(parent, snapshot._nodes);
          return leaves.map(({ id }) => `${edge} restores ${id} after ${forgotten.join(', ')}`);
        }),
    );
  }

  /** What an edge without a target assigns is seen only where it changes something. */
  changes(from: Position, { edges: [edge, ...others], position }: Move): string[] {
    if (edge === undefined || others.length > 0) return [];
    const { target } = this.#edges.get(edge) ?? {};
    if (target !== undefined && target.length > 0) return [];
    return isSameContext(from.snapshot.context, position.snapshot.context)
      ? []
      : [`${edge} changes the context`];
  }

  /** An edge of a state around the active ones is taken from each of them. */
  #inherited({ snapshot }: Position, { edges: [edge] }: Move): string[] {
    const source = edge === undefined ? undefined : this.#edges.get(edge)?.source;
    if (source === undefined) return [];
    const leaves = leavesIn(source, snapshot._nodes).filter((leaf) => leaf !== source);
    return leaves.map(({ id }) => `${edge} from ${id}`);
  }
}

function leavesIn(node: AnyStateNode, active: readonly AnyStateNode[]): AnyStateNode[] {
  return active.filter(
    ({ id, type }) =>
      (type === 'atomic' || type === 'final') && (id === node.id || id.startsWith(`${node.id}.`)),
  );
}

function isSameContext(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  try {
    return textOf(one) === textOf(other);
  } catch {
    // It refers to itself: nothing is known about it.
    return true;
  }
}
