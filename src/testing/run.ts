import type { ChartTypes } from './chart-types.js';
import { checkDriver } from './options.js';
import type { Expected, Path, Step } from './types.js';

/** Connects paths to a system under test. An error that a method throws fails the path at that step. */
export interface Driver<T extends ChartTypes = ChartTypes> {
  /** Creates a new system in the initial state of the path. */
  start(path: Path<T>): unknown;
  /** Performs the step: sends the event, makes a simulated partner respond, or moves the clock. */
  act(step: Step<T>): unknown;
  /** Throws unless the system is in the expected state. Called after `start` (with null) and after each step. */
  check(expected: Expected<T>, step: Step<T> | null): unknown;
  /** Stops the system; called after a failure, too. */
  end?(): unknown;
}

/** A path that failed, with the step and the error. */
export interface PathFailure {
  readonly path: Path;
  /** Index of the step that failed; -1 for the start. */
  readonly at: number;
  readonly step: Step | null;
  readonly error: unknown;
  /** The steps up to the failure, in words. */
  readonly story: readonly string[];
}

type Untyped = Pick<PathFailure, 'path' | 'step'>;

/** The result of `runPaths`. */
export interface RunReport {
  readonly paths: number;
  readonly steps: number;
  /** Ids of the edges that were taken and checked. */
  readonly edges: ReadonlySet<string>;
  readonly failures: readonly PathFailure[];
}

/**
 * Plays each path against a new system, one after the other. A path ends at its first failure, and the next one follows.
 *
 * @example const report = await runPaths(paths, { start, act, check, end });
 */
export async function runPaths<T extends ChartTypes = ChartTypes>(
  paths: readonly Path<T>[],
  driver: Driver<T>,
): Promise<RunReport> {
  checkDriver(paths, driver);
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
      // A report has no types of the machine.
      const { path: failed, step } = { path, step: path.steps[at] ?? null } as unknown as Untyped;
      failures.push({ path: failed, at, step, error, story });
    } finally {
      await driver.end?.();
    }
  }
  return { paths: paths.length, steps, edges, failures };
}

/** All failures as text for an assertion: each with its steps. Empty when there are none. */
export function failureWords({ failures }: RunReport): string {
  return failures
    .map(({ error, story, step }) => {
      const message = error instanceof Error ? error.message : String(error);
      const where =
        step === null ? 'at the start' : `after "${step.words}", expected ${step.expected.states.at(-1)}`;
      return `${where}: ${message}\n  ${story.join('\n  ')}`;
    })
    .join('\n\n');
}
