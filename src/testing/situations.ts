/** Decides which situations are the same, and which ones the search continues from. */
import type { AnyStateMachine, AnyStateNode } from 'xstate';
import { contextKey } from './context-key.js';
import type { Position } from './pure-machine.js';
import type { GenerateOptions } from './types.js';

export class Novelty<M extends AnyStateMachine> {
  readonly #options: GenerateOptions<M>;
  readonly #seen = new Set<string>();

  constructor(options: GenerateOptions<M>) {
    this.#options = options;
  }

  /** A key of several aspects leaves out how they belong together. */
  isExact({ snapshot }: Position): boolean {
    return this.#options.key === undefined || typeof this.#options.key(snapshot as never) === 'string';
  }

  keyOf(position: Position): string {
    return JSON.stringify([placeOf(position), this.#aspects(position)]);
  }

  /**
   * True when an aspect is new in one of the active states, or two of the active states are new together. States of
   * parallel regions multiply, but a region rarely depends on all others, so not every combination is explored.
   */
  isNew(position: Position): boolean {
    const before = this.#seen.size;
    const aspects = [
      JSON.stringify(race(position)),
      position.snapshot.status,
      JSON.stringify([remembered(position), position.left ?? {}]),
      JSON.stringify(position.ended ?? []),
      ...this.#aspects(position),
    ];
    const leaves = position.snapshot._nodes.filter(({ type }) => type === 'atomic' || type === 'final');
    for (const { id } of leaves) {
      for (const [index, aspect] of aspects.entries()) this.#seen.add(`${id} ${index} ${aspect}`);
      for (const other of leaves) this.#seen.add(`${id} and ${other.id}`);
    }
    return this.#seen.size > before;
  }

  #aspects({ snapshot }: Position): readonly string[] {
    const key = this.#options.key === undefined ? contextKey(snapshot) : this.#options.key(snapshot as never);
    return typeof key === 'string' ? [key] : key;
  }
}

function placeOf(position: Position): unknown {
  return [
    position.snapshot.status,
    position.snapshot.value,
    race(position),
    remembered(position),
    position.left ?? {},
    position.ended ?? [],
  ];
}

/** The states that the history states of the chart lead back to. */
function remembered({ snapshot }: Position): unknown {
  const { historyValue } = snapshot as { historyValue?: Readonly<Record<string, readonly AnyStateNode[]>> };
  return Object.entries(historyValue ?? {}).map(([id, nodes]) => [
    id,
    ...nodes.map((node) => node.id).sort(),
  ]);
}

/** The order of the running delays, and how far apart they end. */
function race({ timers, now }: Position): unknown {
  const [first] = timers;
  if (first === undefined || timers.length === 1) return timers.map(({ id }) => id);
  return [first.due - now, timers.map(({ id, due }) => [id, due - first.due])];
}

const MAX_EQUAL_DELAYS = 2;

/** A chart that starts a delay without an id at each event would have more of them without end. */
export function isCrowded({ timers }: Position): boolean {
  const counts = new Map<string, number>();
  for (const { event } of timers) counts.set(event.type, (counts.get(event.type) ?? 0) + 1);
  return [...counts.values()].some((count) => count > MAX_EQUAL_DELAYS);
}
