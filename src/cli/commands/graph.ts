import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errnoText } from '../../system/errno.js';
import { makeDirectory } from '../../system/make-directory.js';
import type { Charts, ExportedFile } from '../../visualize/exports.js';
import { EXIT, oneOf, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { block, stderr, stdout, text } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

/** Where all statecharts go without --out: they are too many for stdout. */
const ALL_DIRECTORY = 'rc-engine-charts';

export const graph = defineCommand({
  name: 'graph',
  description: 'Export the statecharts as pictures or data, or show what changed in them',
  positionals: {
    machine: { type: 'string', description: 'Name of a statechart [default: all]', completes: 'charts' },
  },
  options: {
    format: {
      type: 'string',
      values: ['svg', 'mermaid', 'json', 'dot', 'scxml', 'plantuml', 'html'],
      description: 'Format of the export',
      default: 'svg',
    },
    out: {
      type: 'string',
      description: 'Directory to write to',
      default: `stdout for one statechart, ./${ALL_DIRECTORY} for all`,
    },
    diff: { type: 'string', description: 'Describe what changed since this git revision' },
    ...JSON_OPTION,
  },
  examples: [
    ['graph', 'Write all statecharts as SVG'],
    ['graph link', 'Print one statechart as SVG'],
    ['graph --format html --out charts', 'Write all statecharts as web pages'],
    ['graph --diff HEAD~1', 'Describe what changed since the previous commit'],
  ],
  run: async ({ machine, format = 'svg', out, diff, json = false }) => {
    const charts = await selectCharts(machine);
    if (diff !== undefined) {
      if (out !== undefined)
        throw usageError('--diff and --out cannot be used together.', 'Remove one of the two.');
      await printDiff(charts, diff, json);
      return EXIT.ok;
    }
    const all = machine === undefined && format !== 'html';
    const directory = out ?? (all ? ALL_DIRECTORY : undefined);
    const { exportCharts } = await import('../../visualize/exports.js');
    if (directory === undefined) {
      printFirst(await withProgress('Drawing', () => exportCharts(charts, format)));
      return EXIT.ok;
    }
    // A wrong directory is reported before the work, not after it.
    await openDirectory(directory);
    const parts: Charts[] =
      format === 'html' ? [charts] : Object.entries(charts).map(([name, chart]) => ({ [name]: chart }));
    for (const [index, part] of parts.entries()) {
      const step =
        parts.length === 1
          ? 'Drawing'
          : `Drawing ${Object.keys(part).join()} (${index + 1} of ${parts.length})`;
      await writeFiles(await withProgress(step, () => exportCharts(part, format)), directory, json);
    }
    return EXIT.ok;
  },
});

/** Says on a terminal what takes a while. */
async function withProgress<T>(step: string, work: () => Promise<T>): Promise<T> {
  if (!stderr.overwrites) return work();
  stderr.overwrite(text`${`${step} …`}`);
  try {
    return await work();
  } finally {
    stderr.overwrite(text``);
    stderr.writeSequence('\r');
  }
}

async function selectCharts(machine: string | undefined): Promise<Charts> {
  const { CHARTS } = await import('../../engine/charts.js');
  if (machine === undefined) return CHARTS;
  const charts: Charts = CHARTS;
  const name = oneOf('machine', machine, Object.keys(charts));
  const chart = charts[name];
  return chart === undefined ? {} : { [name]: chart };
}

async function printDiff(charts: Charts, revision: string, json: boolean): Promise<void> {
  const { changedCharts } = await import('../graph-diff.js');
  const changed = await changedCharts(charts, revision);
  for (const { name, before, after, changes } of changed) {
    if (json) printJson({ type: 'chart', name, before, after, changes });
    else {
      stdout.print(`${name} (${before ?? 'none'} → ${after ?? 'none'})`);
      for (const change of changes) stdout.print(`  ${change}`);
    }
  }
  if (changed.length === 0 && !json) stdout.print(`No statechart differs from ${revision}.`);
}

function printFirst([first, ...parts]: readonly ExportedFile[]): void {
  if (first === undefined) return;
  stdout.write(block(first.text));
  if (parts.length === 0) return;
  const names = parts.map(({ name }) => name).join(', ');
  stderr.print(`This is the overview. With --out DIR you also get ${names}.`);
}

async function writeFiles(files: readonly ExportedFile[], out: string, json: boolean): Promise<void> {
  for (const { name, text } of files) {
    const file = path.join(out, name);
    await writeFile(file, text).catch((error: unknown) => {
      throw usageError(
        `The file ${file} cannot be written: ${errnoText(error)}.`,
        'Choose another --out DIR.',
        error,
      );
    });
    if (json) printJson({ type: 'file', path: file });
    else stdout.print(file);
  }
}

async function openDirectory(out: string): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw usageError(`${out} of --out is a file.`, 'Name a directory.');
  }
  try {
    makeDirectory(out);
  } catch (error) {
    throw usageError(
      `The directory ${out} of --out cannot be created: ${errnoText(error)}.`,
      'Choose another --out DIR.',
      error,
    );
  }
}
