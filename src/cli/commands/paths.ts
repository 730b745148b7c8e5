import type { Coverage } from '../../testing/types.js';
import { differences, openDirectory, printDifferences, writeFiles } from '../charts/files-out.js';
import { withProgress } from '../charts/progress.js';
import type { ScenarioOptions } from '../charts/scenarios.js';
import { type Selection, selectCharts } from '../charts/selection.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { block, stderr, stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

export const paths = defineCommand({
  name: 'paths',
  description: 'Print test scenarios generated from statecharts, check them, or show what changed',
  positionals: {
    charts: {
      type: 'list',
      description:
        'Files, directories or patterns that export machines of XState 5, or names of the charts of rc-engine [default: all of these]',
      completes: 'chartsOrFiles',
    },
  },
  options: {
    coverage: {
      type: 'string',
      values: ['transitions', 'states', 'thorough', 'pairs'],
      description: 'What the scenarios cover',
      default: 'transitions',
    },
    format: {
      type: 'string',
      values: ['markdown', 'json'],
      description: 'Format of the scenarios',
      default: 'markdown',
    },
    options: {
      type: 'string',
      description: 'Module that exports the outcomes, events and input of each chart of a file',
      completes: 'files',
    },
    input: { type: 'string', description: 'Input of the machines of files as JSON' },
    out: { type: 'string', description: 'Directory to write a file for each chart to', default: 'stdout' },
    check: {
      type: 'boolean',
      description: 'Write nothing; list what in --out does not match the charts, with exit code 1',
    },
    diff: {
      type: 'string',
      description: 'Print the scenarios that are new or gone since this git revision (charts of files)',
    },
    ...JSON_OPTION,
  },
  notes:
    'Files are run to read the machines that they export, and so are their guards and assignments; actions and actors\n' +
    'are not. Run it only on code that you trust.',
  examples: [
    ['paths link --coverage states', 'Scenarios that reach every state of one statechart'],
    ['paths src/checkout.machine.ts --options src/checkout.paths.ts', 'Scenarios of a chart of your own'],
    ['paths src --out scenarios --check', 'Fail when the written scenarios are out of date'],
  ],
  run: async ({ charts: words = [], coverage = 'transitions', format = 'markdown', ...more }) => {
    const { options, input, out, check = false, diff, json = false } = more;
    if (diff !== undefined && (check || out !== undefined))
      throw usageError(
        `--diff and --${check ? 'check' : 'out'} cannot be used together.`,
        'Remove one of the two.',
      );
    if (check && out === undefined)
      throw usageError('--check needs --out.', 'Name the directory with the scenarios: --out DIR');
    const selection = await selectCharts(words);
    if (selection.ofFiles === undefined && (options ?? input ?? diff) !== undefined) {
      const flag = options !== undefined ? 'options' : input !== undefined ? 'input' : 'diff';
      throw usageError(`--${flag} is for charts of files.`, `Name a file, or remove --${flag}.`);
    }
    const { inputOf, readOptions } = await import('../charts/scenarios.js');
    const settings: ScenarioOptions = {
      coverage,
      ...inputOf(input),
      byChart: options === undefined ? {} : await readOptions(options, Object.keys(selection.charts)),
    };
    if (diff !== undefined) return printDiff(selection, diff, settings, json);
    const files = out === undefined || check ? [] : [out];
    for (const directory of files) await openDirectory(directory);
    const texts = await textsOf(selection, format, settings);
    if (out === undefined) {
      for (const { text } of texts) stdout.write(block(text));
      return EXIT.ok;
    }
    if (!check) {
      await writeFiles(texts, out, json);
      return EXIT.ok;
    }
    if (!printDifferences(await differences(texts, out, selection.isWhole), json)) {
      if (!json) stdout.print(`${texts.length} files in ${out} match their charts.`);
      return EXIT.ok;
    }
    stderr.print('rc-engine: the scenarios are out of date.', '  Run the same command without --check.');
    return EXIT.failed;
  },
});

/** A file for each chart. */
async function textsOf(
  { charts, ofFiles }: Selection,
  format: 'markdown' | 'json',
  settings: ScenarioOptions,
): Promise<{ readonly name: string; readonly text: string }[]> {
  const texts: { readonly name: string; readonly text: string }[] = [];
  for (const [name, machine] of Object.entries(charts)) {
    const text = await withProgress(`Exploring ${name}`, async () => {
      if (ofFiles === undefined) return ownScenarios(name, format, settings.coverage);
      const { scenariosOf } = await import('../charts/scenarios.js');
      return scenariosOf(name, machine, format, settings);
    });
    const { safeFileName } = await import('../../visualize/toolkit.js');
    texts.push({ name: safeFileName(`${name}.scenarios.${format === 'json' ? 'json' : 'md'}`), text });
  }
  return texts;
}

async function ownScenarios(name: string, format: 'markdown' | 'json', coverage: Coverage): Promise<string> {
  const { MODELS, pathsOfChart } = await import('../../testing/charts/index.js');
  const { pathsJson, pathsMarkdown } = await import('../../testing/words.js');
  const { chartHash } = await import('../../visualize/chart.js');
  const model = MODELS[name];
  if (model === undefined) return '';
  const print = format === 'json' ? pathsJson : pathsMarkdown;
  return print(name, chartHash(model.machine), pathsOfChart(model, coverage));
}

async function printDiff(
  selection: Selection,
  revision: string,
  settings: ScenarioOptions,
  json: boolean,
): Promise<number> {
  const { changedScenarios } = await import('../charts/scenarios.js');
  let differ = false;
  for (const versions of await selection.versionsSince(revision)) {
    const { name, added, removed } = await changedScenarios(versions, settings);
    if (added.length + removed.length === 0) continue;
    differ = true;
    if (json) printJson({ type: 'chart', name, added, removed });
    else {
      stdout.print(`# ${name}: ${added.length} new scenarios, ${removed.length} gone`, '');
      for (const text of added) stdout.write(block(`## New: ${text}\n\n`));
      for (const text of removed) stdout.write(block(`## Gone: ${text}\n\n`));
    }
  }
  if (!differ && !json) stdout.print(`No scenario differs from ${revision}.`);
  return EXIT.ok;
}
