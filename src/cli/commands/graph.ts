import type { Charts, ExportedFile, Format } from '../../visualize/exports.js';
import { differences, openDirectory, printDifferences, writeFiles } from '../charts/files-out.js';
import { withProgress } from '../charts/progress.js';
import { type Selection, selectCharts } from '../charts/selection.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { block, stderr, stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

/** Where several statecharts go without --out: they are too many for stdout. */
const ALL_DIRECTORY = 'rc-engine-charts';

/** `FORMATS` of src/visualize/exports.ts, which would load the layout at the start of every command. */
const FORMATS = [
  'svg',
  'mermaid',
  'json',
  'dot',
  'scxml',
  'plantuml',
  'html',
] as const satisfies readonly Format[];

export const graph = defineCommand({
  name: 'graph',
  description: 'Export statecharts as pictures or data, check the exports, or show what changed',
  positionals: {
    charts: {
      type: 'list',
      description:
        'Files, directories or patterns that export machines of XState 5, or names of the charts of rc-engine [default: all of these]',
      completes: 'chartsOrFiles',
    },
  },
  options: {
    format: {
      type: 'string',
      values: FORMATS,
      description: 'Format of the export; several as svg,mermaid',
      separator: ',',
      default: 'svg',
    },
    out: {
      type: 'string',
      description: 'Directory to write to',
      default: `stdout for one statechart, ./${ALL_DIRECTORY} for several`,
    },
    check: {
      type: 'boolean',
      description: 'Write nothing; list what in --out does not match the charts, with exit code 1',
    },
    diff: {
      type: 'string',
      description: 'Describe what changed since this git revision; with --out also in pictures',
    },
    ...JSON_OPTION,
  },
  notes:
    'Files are run to read the machines that they export: TypeScript, ES modules and CommonJS alike. Run it only on code\n' +
    'that you trust. What the files print goes to stderr. A directory is searched for *.machine.ts and the like.',
  examples: [
    ['graph', 'Write all statecharts of rc-engine as SVG'],
    ['graph link', 'Print one statechart as SVG'],
    ['graph src/checkout.machine.ts --format mermaid', 'Print a chart of your own'],
    ['graph "src/**/*.machine.ts" --format svg,dot --out charts', 'Write the charts of your project'],
    ['graph src --out charts --check', 'Fail when the exported charts are out of date'],
    ['graph src --diff main --out changes', 'Show what a branch changes, in words and pictures'],
  ],
  run: async ({ charts: words = [], format = 'svg', out, check = false, diff, json = false }) => {
    if (diff !== undefined && check)
      throw usageError('--diff and --check cannot be used together.', 'Remove one of the two.');
    const formats = [...new Set(format.split(',').map((one) => one.trim()))] as Format[];
    const selection = await selectCharts(words);
    if (diff !== undefined) return showDiff(selection, { revision: diff, out, json });
    if (check) return checkFiles(selection, { formats, out: out ?? ALL_DIRECTORY, json });
    const isSeveral = Object.keys(selection.charts).length > 1 && formats.some((one) => one !== 'html');
    const directory = out ?? (isSeveral || formats.length > 1 ? ALL_DIRECTORY : undefined);
    if (directory === undefined) {
      for await (const files of drawn(selection.charts, formats)) printFirst(files);
      return EXIT.ok;
    }
    await openDirectory(directory);
    for await (const files of drawn(selection.charts, formats)) await writeFiles(files, directory, json);
    return EXIT.ok;
  },
});

interface Where {
  readonly formats: readonly Format[];
  readonly out: string;
  readonly json: boolean;
}

/** The files of each chart in each format, as soon as they are drawn. A page of HTML holds all charts. */
async function* drawn(charts: Charts, formats: Where['formats']): AsyncGenerator<readonly ExportedFile[]> {
  const { exportCharts } = await import('../../visualize/toolkit.js');
  const one = Object.entries(charts).map(([name, chart]): Charts => ({ [name]: chart }));
  const parts = formats.flatMap((format) =>
    (format === 'html' ? [charts] : one).map((part) => ({ part, format })),
  );
  for (const [index, { part, format }] of parts.entries()) {
    const step =
      parts.length === 1
        ? 'Drawing'
        : `Drawing ${Object.keys(part).join(', ')} (${index + 1} of ${parts.length})`;
    yield await withProgress(step, () => exportCharts(part, format));
  }
}

async function checkFiles({ charts, isWhole }: Selection, { formats, out, json }: Where): Promise<number> {
  const files: ExportedFile[] = [];
  for await (const some of drawn(charts, formats)) files.push(...some);
  if (!printDifferences(await differences(files, out, isWhole), json)) {
    if (!json) stdout.print(`${files.length} files in ${out} match their charts.`);
    return EXIT.ok;
  }
  stderr.print('rc-engine: the exported charts are out of date.', '  Run the same command without --check.');
  return EXIT.failed;
}

interface DiffOptions {
  readonly revision: string;
  readonly out: string | undefined;
  readonly json: boolean;
}

async function showDiff(selection: Selection, { revision, out, json }: DiffOptions): Promise<number> {
  const { changedCharts, diffFiles } = await import('../charts/graph-diff.js');
  if (out !== undefined) await openDirectory(out);
  const changed = changedCharts(await selection.versionsSince(revision));
  for (const { name, hashes, changes } of changed) {
    if (json) printJson({ type: 'chart', name, ...hashes, changes });
    else {
      stdout.print(`${name} (${hashes.before ?? 'none'} → ${hashes.after ?? 'none'})`);
      for (const change of changes) stdout.print(`  ${change}`);
    }
  }
  if (changed.length === 0 && !json) stdout.print(`No statechart differs from ${revision}.`);
  if (out !== undefined) {
    const files = await withProgress('Drawing', () => diffFiles(changed, revision));
    await writeFiles(files, out, json);
  }
  return EXIT.ok;
}

function printFirst([first, ...parts]: readonly ExportedFile[]): void {
  if (first === undefined) return;
  stdout.write(block(first.text));
  if (parts.length === 0) return;
  const names = parts.map(({ name }) => name).join(', ');
  stderr.print(`This is the first of ${parts.length + 1} files. With --out DIR you also get ${names}.`);
}
