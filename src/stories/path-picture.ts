/** The part of a chart that a story goes through, as a chart of its own for the pictures of src/visualize. */
import type { AnyStateMachine } from 'xstate';
import { type Chart, chartHash, toChart } from '../visualize/chart.js';
import type { LayoutRecord } from '../visualize/layout-records.js';
import { type Svg, svgsOf } from '../visualize/svg.js';
import type { Moved } from './moments.js';

export interface ChartPath {
  /** The chart when the story begins; undefined: it starts in the story. */
  readonly before: Moved | undefined;
  /** What it does then. */
  readonly moves: readonly Moved[];
}

export function pathChart(
  machine: AnyStateMachine,
  before: Moved | undefined,
  moves: readonly Moved[],
): Chart {
  const chart = toChart(machine);
  const parents = new Map(chart.states.map(({ id, parent }) => [id, parent]));
  const taken = new Set(moves.flatMap(({ edges }) => edges));
  const edges = chart.edges.filter(({ id, targets }) => taken.has(id) && targets.length > 0);
  const first = (before ?? moves[0])?.states ?? [];
  const visited = new Set<string>();
  const visit = (id: string): void => {
    visited.add(id);
    const parent = parents.get(id) ?? null;
    if (parent !== null && !visited.has(parent)) visit(parent);
  };
  // In a parallel chart a region in which nothing happens says nothing.
  const moved = new Set(moves.slice(before === undefined ? 1 : 0).flatMap(({ states }) => states));
  const still = first.filter((id) => moves.every(({ states }) => states.includes(id)));
  for (const id of [...first, ...moved]) if (first.length === 1 || !still.includes(id)) visit(id);
  for (const { source, targets } of edges) for (const id of [source, ...targets]) visit(id);
  const targeted = new Set(edges.flatMap(({ targets }) => targets));
  const [root] = chart.states;
  return {
    ...chart,
    states: chart.states
      .filter(({ id }) => visited.has(id))
      // Only where the story goes and why: the pictures of the charts show all that a state does.
      .map((state) => ({
        ...state,
        ...{ tags: [], entry: [], exit: [], invokes: [] },
        initial:
          state.id === root?.id && state.kind === 'compound'
            ? (first[0] ?? state.initial)
            : targeted.has(state.id) && state.initial !== null && visited.has(state.initial)
              ? state.initial
              : null,
      })),
    edges: edges.map((edge) => ({ ...edge, actions: [], spine: true })),
  };
}

/**
 * @param record The layout that an earlier search found.
 * @returns null when the story does not move the chart.
 */
export async function pathSvg(
  machine: AnyStateMachine,
  { before, moves }: ChartPath,
  record: LayoutRecord | undefined,
): Promise<Svg | null> {
  if (moves.every(({ edges }) => edges.length === 0)) return null;
  const chart = pathChart(machine, before, moves);
  const records = record === undefined ? {} : { [chart.id]: record };
  const [svg] = await svgsOf(chart, chartHash(machine), { records });
  return svg ?? null;
}
