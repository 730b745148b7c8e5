import type { Expected, Path, Step } from './types.js';

/** A system under test, played by a path. Whatever it throws fails the path at that step. */
export interface Driver {
  /** Makes a fresh system, in the state where every path begins. */
  start(path: Path): unknown;
  /** Makes the step happen: sends the event, lets the fake partner answer, moves the clock. */
  act(step: Step): unknown;
  /** Fails unless the system is seen to be where the chart is. Called after `start` and after each step. */
  check(expected: Expected, step: Step | null): unknown;
  /** Ends the system; also after a failure. */
  end?(): unknown;
}

export interface PathFailure {
  readonly path: Path;
  /** Index of the step; -1 for the start. */
  readonly at: number;
  readonly step: Step | null;
  readonly error: unknown;
  /** The steps up to there, in words. */
  readonly story: readonly string[];
}

export interface RunReport {
  readonly paths: number;
  readonly steps: number;
  /** Edges of the chart that were taken and checked. */
  readonly edges: ReadonlySet<string>;
  readonly failures: readonly PathFailure[];
}

/** Plays each path against a fresh system, one after the other. A path ends at its first failure; others go on. */
export async function runPaths(paths: readonly Path[], driver: Driver): Promise<RunReport> {
  const edges = new Set<string>();
  const failures: PathFailure[] = [];
  let steps = 0;
  for (const path of paths) {
    let at = -1;
    try {
      await driver.start(path);
      await driver.check(path.start, null);
      for (const step of path.steps) {
        at += 1;
        await driver.act(step);
        await driver.check(step.expected, step);
        for (const edge of step.edges) edges.add(edge);
        steps += 1;
      }
    } catch (error) {
      const story = path.steps.slice(0, at + 1).map(({ words }) => words);
      failures.push({ path, at, step: path.steps[at] ?? null, error, story });
    } finally {
      await driver.end?.();
    }
  }
  return { paths: paths.length, steps, edges, failures };
}

/** For an assertion's message: each failure with the way that led to it. */
export function failureWords({ failures }: RunReport): string {
  return failures
    .map(({ error, story, step }) => {
      const message = error instanceof Error ? error.message : String(error);
      const where =
        step === null ? 'at the start' : `after "${step.words}", to be in ${step.expected.states.at(-1)}`;
      return `${where}: ${message}\n  ${story.join('\n  ')}`;
    })
    .join('\n\n');
}
