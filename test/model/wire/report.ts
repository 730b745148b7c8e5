/** What paths over the wire cover, and why the rest has none. */
import { type CoverageReport, coverageWords } from '../../../src/testing/index.js';

/** Transitions, by their ids, that no path over the wire takes; and why. */
export type Exceptions = readonly (readonly [RegExp, string])[];

export interface WireCoverage {
  /** Transitions without path that no exception names. */
  readonly unexplained: readonly string[];
  /** Exceptions that name nothing, or what has a path after all. */
  readonly idle: readonly string[];
}

/** Prints the coverage, with each exception and how many transitions it is the reason of. */
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
    idle: exceptions
      .filter(([pattern]) => !missing.some((id) => reasonOf(id)?.[0] === pattern))
      .map(([, why]) => why),
  };
}
