/**
 * Tests generated from statecharts: paths that cover a chart, and a runner that plays them against any system. Charts may
 * use `invoke` and `after`.
 *
 * ```ts
 * import { generatePaths, runPaths } from 'rc-engine/testing';
 * const { paths, coverage } = generatePaths(machine, { outcomes: { dial: [{ kind: 'open' }, { kind: 'refused' }] } });
 * const report = await runPaths(paths, { start, act, check, end });
 * ```
 */

export type { HistoryRecord } from '../recorder/format.js';
export { ChartError } from '../visualize/chart-error.js';
export { actorDriver } from './actor-driver.js';
export type { ChartTypes, OutcomesOf, TypesOf } from './chart-types.js';
export { type Effect, effectWords } from './effects.js';
export { generatePaths, mergeCoverage } from './generate.js';
export {
  type Replay,
  type ReplayDifference,
  type ReplayedStep,
  type ReplayOptions,
  replayHistory,
} from './replay.js';
export { type Driver, failureWords, type PathFailure, type RunReport, runPaths } from './run.js';
export {
  type Coverage,
  type CoverageReport,
  type Covered,
  type Expected,
  type Generated,
  type GenerateOptions,
  type Path,
  PathLimitError,
  type Step,
  type StepKind,
  type StepOf,
} from './types.js';
export { type Chapter, coverageWords, pathsJson, pathsMarkdown } from './words.js';
