/** Scenarios of charts of files: generated with the options that a module of the user gives. */
import path from 'node:path';
import { generatePaths } from '../../testing/generate.js';
import type { Coverage, GenerateOptions } from '../../testing/types.js';
import { PathLimitError } from '../../testing/types.js';
import { pathsJson, pathsMarkdown, scenarioTexts } from '../../testing/words.js';
import { chartHash } from '../../visualize/chart.js';
import { ChartError } from '../../visualize/chart-error.js';
import { suggest, usageError } from '../errors.js';
import { stdoutToStderr } from '../output/terminal.js';
import { loadExports } from './user-code.js';
import type { Versions } from './versions.js';

type AnyMachine = NonNullable<Versions['after']>;

/** How the paths of each chart are generated. */
export interface ScenarioOptions {
  readonly coverage: Coverage;
  /** Input of every machine that has none of its own; undefined: none is given. */
  readonly input?: unknown;
  /** The options of a module, by the name of the chart. */
  readonly byChart: Readonly<Record<string, GenerateOptions<AnyMachine>>>;
}

/**
 * The default export of a module, or all its exports: an object with the options of `generatePaths` for each chart.
 * @throws EngineError `usage`
 */
export async function readOptions(
  file: string,
  charts: readonly string[],
): Promise<ScenarioOptions['byChart']> {
  const exported = await loadExports(path.resolve(file), file);
  const { default: given = exported } = exported;
  if (typeof given !== 'object' || given === null)
    throw usageError(`${file} of --options exports no object.`, 'Export default { CHART: { outcomes: … } }.');
  for (const [name, options] of Object.entries(given)) {
    if (!charts.includes(name)) {
      throw usageError(
        `${file} of --options has options for ${JSON.stringify(name)}, which is none of the charts.`,
        suggest(name, charts),
      );
    }
    if (typeof options !== 'object' || options === null)
      throw usageError(`The options of ${name} in ${file} are no object.`, `Write ${name}: { outcomes: … }.`);
  }
  return given as ScenarioOptions['byChart'];
}

/** @throws EngineError `usage` */
export function inputOf(json: string | undefined): { readonly input?: unknown } {
  if (json === undefined) return {};
  try {
    return { input: JSON.parse(json) };
  } catch (error) {
    throw usageError(
      `--input is not JSON: ${error instanceof Error ? error.message : error}.`,
      `For example: --input '{"userId":"1"}'`,
      error,
    );
  }
}

type Book = Parameters<typeof pathsMarkdown>[2];

/** @throws EngineError `usage` with what the chart lacks */
async function bookOf(name: string, machine: AnyMachine, options: ScenarioOptions): Promise<Book> {
  const { coverage, byChart, input } = options;
  try {
    const own = { ...(input === undefined ? {} : { input }), ...byChart[name], coverage };
    // Guards and assignments of the chart run here.
    const generated = await stdoutToStderr(() => generatePaths(machine, own as GenerateOptions<AnyMachine>));
    return { variants: [{ variant: { name: '' }, generated }], coverage: generated.coverage };
  } catch (error) {
    if (!(error instanceof ChartError) && !(error instanceof PathLimitError)) throw error;
    const needsInput = /cannot start/.test(error.message) && input === undefined;
    throw usageError(
      /[.!?]$/.test(error.message) ? error.message : `${error.message}.`,
      needsInput
        ? `If it needs input, give it: --input '{…}', or \`input\` in a file of --options.`
        : 'Give what it needs in a file of --options; docs/charts-for-your-project.md has an example.',
      error,
    );
  }
}

/** The scenarios of a chart as text. @throws EngineError `usage` */
export async function scenariosOf(
  name: string,
  machine: AnyMachine,
  format: 'markdown' | 'json',
  options: ScenarioOptions,
): Promise<string> {
  const print = format === 'json' ? pathsJson : pathsMarkdown;
  return print(name, chartHash(machine), await bookOf(name, machine, options));
}

/** What differs between the scenarios of two versions of a chart. */
export interface ScenarioChanges {
  readonly name: string;
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Scenarios are the same if their steps and states are. @throws EngineError `usage` */
export async function changedScenarios(
  { name, before, after }: Versions,
  options: ScenarioOptions,
): Promise<ScenarioChanges> {
  const textsOf = async (machine: AnyMachine | undefined) =>
    machine === undefined ? [] : scenarioTexts(machine.id, await bookOf(name, machine, options));
  const [was, is] = [await textsOf(before), await textsOf(after)];
  return {
    name,
    added: is.filter((text) => !was.includes(text)),
    removed: was.filter((text) => !is.includes(text)),
  };
}
