/**
 * What the paths show of an edge beyond taking it once. Each is a place where a wrong implementation differs from the chart
 * although it takes the edge: a state that does not inherit an edge, a history that is not restored, guards in another order.
 */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition, EventObject } from 'xstate';
import { edgeIds } from '../visualize/chart.js';
import { textOf } from './context-key.js';
import type { Move, Position } from './pure-machine.js';

/** Actions of XState that can change the context. */
const ASSIGNING = ['xstate.assign', 'xstate.enqueueActions'];

export class Subtleties {
  readonly #edges: ReadonlyMap<string, AnyTransitionDefinition>;
  readonly #actions: Readonly<Record<string, unknown>>;

  constructor(machine: AnyStateMachine) {
    this.#actions = machine.implementations.actions;
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

  /** What a step shows of its first edge, beyond that it is taken. */
  shows(from: Position, move: Move, event: EventObject): string[] {
    const [edge] = move.edges;
    const definition = edge === undefined ? undefined : this.#edges.get(edge);
    if (edge === undefined || definition === undefined) return [];
    return [
      ...this.#changes(definition, from, move),
      ...this.#queues(definition, move),
      ...keeps(definition, from, move),
      // Another wildcard may match only some of the events.
      ...(definition.eventType.endsWith('*') ? [`by ${event.type}`] : []),
    ].map((what) => `${edge} ${what}`);
  }

  /** What an edge assigns is seen only where it changes something. */
  #changes(
    { target, actions }: AnyTransitionDefinition,
    from: Position,
    { edges, position }: Move,
  ): string[] {
    const isInternal = target === undefined || target.length === 0;
    const assigns = isInternal ? edges.length === 1 : this.#uses(actions, ASSIGNING);
    return assigns && !isSameContext(from.snapshot.context, position.snapshot.context)
      ? ['changes the context']
      : [];
  }

  /** An edge with `enqueueActions` can do something else each time. */
  #queues({ actions }: AnyTransitionDefinition, { effects }: Move): string[] {
    if (!this.#uses(actions, ['xstate.enqueueActions'])) return [];
    return [`does ${effects.map(({ kind, name }) => `${kind} ${name}`).join(', ') || 'nothing'}`];
  }

  #uses(actions: readonly unknown[], types: readonly string[]): boolean {
    return actions.some((action) => {
      const name = typeof action === 'string' ? action : typeOf(action);
      return types.includes(name) || types.includes(typeOf(this.#actions[name]));
    });
  }

  /** An edge of a state around the active ones is taken from each of them. */
  #inherited({ snapshot }: Position, { edges: [edge] }: Move): string[] {
    const source = edge === undefined ? undefined : this.#edges.get(edge)?.source;
    if (source === undefined) return [];
    const leaves = leavesIn(source, snapshot._nodes).filter((leaf) => leaf !== source);
    return leaves.map(({ id }) => `${edge} from ${id}`);
  }
}

/** A state inside the source that stays as it is. An edge that enters its region again would lose it. */
function keeps({ source }: AnyTransitionDefinition, from: Position, { position }: Move): string[] {
  const after = new Set(position.snapshot._nodes);
  return leavesIn(source, from.snapshot._nodes)
    .filter((leaf) => leaf !== source && after.has(leaf) && !isFirst(leaf))
    .map(({ id }) => `keeps ${id}`);
}

/** A state that is active after its parent was entered. */
const isFirst = ({ parent, key }: AnyStateNode): boolean =>
  parent === undefined || parent.type === 'parallel' || parent.config.initial === key;

const typeOf = (action: unknown): string =>
  (typeof action === 'object' || typeof action === 'function') &&
  action !== null &&
  'type' in action &&
  typeof action.type === 'string'
    ? action.type
    : '';

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
