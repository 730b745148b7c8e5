/** The coverage of paths over the wire, with a reason for each exception. */
import type { AnyStateMachine } from 'xstate';
import {
  type CoverageReport,
  coverageWords,
  type Generated,
  type GenerateOptions,
  generatePaths,
  mergeCoverage,
} from '../../../src/testing/index.js';
import { toChart } from '../../../src/visualize/chart.js';

/** Transitions, by their ids, that no path over the wire takes, each with its reason. */
export type Exceptions = readonly (readonly [RegExp, string])[];

interface WireCoverage {
  /** Transitions without a path and without an exception. */
  readonly unexplained: readonly string[];
  /** Exceptions that match no transition without a path. */
  readonly unused: readonly string[];
}

/** Prints the coverage, and for each exception its number of transitions. */
export function reportCoverage(name: string, coverage: CoverageReport, exceptions: Exceptions): WireCoverage {
  const { missing } = coverage.transitions;
  const reasonOf = (id: string) => exceptions.find(([pattern]) => pattern.test(id));
  const lines = exceptions.map(([pattern, why]) => {
    const count = missing.filter((id) => reasonOf(id)?.[0] === pattern).length;
    return `  ${count} not played: ${why}`;
  });
  console.log([`${name} over the wire: ${coverageWords(coverage).split(';')[0]}`, ...lines].join('\n'));
  return {
    unexplained: missing.filter((id) => reasonOf(id) === undefined),
    unused: exceptions
      .filter(([pattern]) => !missing.some((id) => reasonOf(id)?.[0] === pattern))
      .map(([, why]) => why),
  };
}

interface WireRun<S> {
  readonly start: S;
  readonly generated: Generated;
}

/** Paths for each start of a chart. Paths of a later start cover only what the earlier ones do not. */
export function generateRuns<M extends AnyStateMachine, S>(
  machine: M,
  starts: readonly S[],
  optionsOf: (start: S) => GenerateOptions<M>,
): { readonly runs: readonly WireRun<S>[]; readonly coverage: CoverageReport } {
  const { edges, states } = toChart(machine);
  const all = edges.flatMap(({ id, guard }) => [
    id,
    `${guard} holds`,
    `${guard} fails`,
    `${id} changes the context`,
  ]);
  // Some need two events at the same moment, which no test can send to a real engine. The charts alone are tested with them.
  const kept = edges.flatMap(({ id }) => states.map((state) => `${id} keeps ${state.id}`));
  const runs: WireRun<S>[] = [];
  for (const start of starts) {
    const before = mergeCoverage(runs.map(({ generated }) => generated.coverage));
    const missing = new Set([...before.transitions.missing, ...before.guards.missing]);
    const except = new Set([...kept, ...(runs.length === 0 ? [] : all.filter((id) => !missing.has(id)))]);
    runs.push({ start, generated: generatePaths(machine, { ...optionsOf(start), except }) });
  }
  return { runs, coverage: mergeCoverage(runs.map(({ generated }) => generated.coverage)) };
}
