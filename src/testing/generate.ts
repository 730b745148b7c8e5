import type { AnyStateMachine } from 'xstate';
import { toChart } from '../visualize/chart.js';
import type { TypesOf } from './chart-types.js';
import { pathsOver, verdictName } from './cover.js';
import { type Explored, explore } from './explore.js';
import { checkOptions } from './options.js';
import type { Move } from './pure-machine.js';
import type { CoverageReport, Covered, Expected, Generated, GenerateOptions, Path, Step } from './types.js';
import type { Walk } from './walk.js';

const DEFAULT_STEPS = 40;

/**
 * Generates paths that together cover a chart. The guards and assignments of the chart decide where each event leads.
 * Outcomes of actors and the ends of delays are events, too, so charts may use `invoke` and `after`. Delays end in the order
 * of simulated time. No actor is started.
 *
 * @throws ChartError for an option that does not fit the chart, and when the chart cannot start, throws, or never comes to rest.
 * @throws PathLimitError when the chart has more situations than `limit`.
 * @example generatePaths(machine, { outcomes: { dial: [{ kind: 'open' }, { kind: 'refused' }] } })
 */
export function generatePaths<M extends AnyStateMachine>(
  machine: M,
  options: GenerateOptions<M> = {},
): Generated<TypesOf<M>> {
  checkOptions(machine, options);
  const explored = explore(machine, options);
  const walks = pathsOver(explored, {
    coverage: options.coverage ?? 'transitions',
    maxSteps: options.maxSteps ?? DEFAULT_STEPS,
    except: options.except ?? new Set(),
  });
  const moves = walks.flatMap(({ steps }) => steps.map(({ move }) => move));
  return {
    paths: walks.map(pathOf) as unknown as readonly Path<TypesOf<M>>[],
    startEdges: explored.startEdges,
    coverage: coverageOf(machine, explored, moves),
    explored: explored.places.length,
  };
}

function pathOf(walk: Walk): Path {
  const start = expectedAt(walk.start);
  const steps = walk.steps.map(({ act, move, elapsed }): Step => {
    const { kind, event, words, actor, value } = act;
    const found = {
      kind,
      event,
      words,
      actor,
      value,
      elapsed,
      edges: move.edges,
      expected: expectedAt(move),
    };
    return found as Step;
  });
  const last = steps.at(-1)?.expected.states.at(-1) ?? start.states.at(-1);
  return { name: `to ${last} in ${steps.length} steps`, start, steps };
}

function expectedAt({ position: { snapshot }, effects }: Move): Expected {
  return {
    // XState keeps them in the order of entry.
    states: [...snapshot._nodes].sort((a, b) => a.order - b.order).map(({ id }) => id),
    tags: [...snapshot.tags].sort(),
    value: snapshot.value,
    status: snapshot.status,
    snapshot,
    effects,
  };
}

function coverageOf(machine: AnyStateMachine, explored: Explored, moves: readonly Move[]): CoverageReport {
  const chart = toChart(machine);
  const states = new Set(explored.places[0]?.position.snapshot._nodes.map(({ id }) => id));
  const edges = new Set(explored.startEdges);
  const verdicts = new Set(explored.startVerdicts.map(verdictName));
  for (const move of moves) {
    for (const { id } of move.position.snapshot._nodes) states.add(id);
    for (const id of move.edges) edges.add(id);
    for (const verdict of move.verdicts) verdicts.add(verdictName(verdict));
  }
  // A state that is left immediately is covered, too.
  const parents = new Map(chart.states.map(({ id, parent }) => [id, parent]));
  for (const { source, id } of chart.edges) {
    if (!edges.has(id)) continue;
    for (let at: string | null = source; at !== null; at = parents.get(at) ?? null) states.add(at);
  }
  const guards = [...new Set(chart.edges.flatMap(({ guard }) => guard ?? []))];
  return {
    states: covered(
      // A history state is where a transition leads back to, not a state to be in.
      chart.states.filter(({ kind }) => kind !== 'history').map(({ id }) => id),
      states,
    ),
    transitions: covered(
      chart.edges.map(({ id }) => id),
      edges,
    ),
    guards: covered(
      guards.flatMap((guard) => [`${guard} holds`, `${guard} fails`]),
      verdicts,
    ),
  };
}

function covered(all: readonly string[], seen: ReadonlySet<string>): Covered {
  return { total: all.length, missing: all.filter((item) => !seen.has(item)) };
}

/** The coverage of several runs of the same chart together. */
export function mergeCoverage(reports: readonly CoverageReport[]): CoverageReport {
  const merged = (pick: (report: CoverageReport) => Covered): Covered => {
    const [first, ...others] = reports.map(pick);
    if (first === undefined) return { total: 0, missing: [] };
    return {
      total: first.total,
      missing: first.missing.filter((item) => others.every(({ missing }) => missing.includes(item))),
    };
  };
  return {
    states: merged(({ states }) => states),
    transitions: merged(({ transitions }) => transitions),
    guards: merged(({ guards }) => guards),
  };
}
