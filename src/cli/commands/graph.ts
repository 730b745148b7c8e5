import { stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CHARTS } from '../../engine/charts.js';
import { EngineError } from '../../protocol/errors.js';
import { errnoText } from '../../system/errno.js';
import { makeDirectory } from '../../system/make-directory.js';
import { type Charts, type ExportedFile, exportCharts, FORMATS } from '../../visualize/exports.js';
import { EXIT, printJson } from '../output/output.js';
import { graphDiff } from './graph-diff.js';
import { oneOf } from './paths.js';

interface GraphArgs {
  readonly machine?: string | undefined;
  readonly format?: string | undefined;
  readonly out?: string | undefined;
  readonly diff?: string | undefined;
  readonly json?: boolean | undefined;
}

/** `rc-engine graph [machine]`: the charts as pictures and data, or what changed in them. */
export async function graph(args: GraphArgs): Promise<number> {
  const charts = chosen(args.machine);
  if (args.diff !== undefined) return graphDiff(charts, args.diff, args.json === true);
  const format = oneOf('format', args.format ?? 'svg', FORMATS);
  // A wrong folder is told before the work, not after it.
  if (args.out !== undefined) await folder(args.out);
  else if (args.machine === undefined && format !== 'html') {
    throw new EngineError('usage', `There are ${Object.keys(charts).length} charts; stdout takes one.`, {
      remediation: `Name one (${Object.keys(charts).join(', ')}), or give --out DIR.`,
    });
  }
  const files = await exportCharts(charts, format);
  if (args.out === undefined) await toStdout(files);
  else await toFolder(files, args.out, args.json === true);
  return EXIT.ok;
}

function chosen(machine: string | undefined): Charts {
  if (machine === undefined) return CHARTS;
  const name = oneOf('machine', machine, Object.keys(CHARTS) as (keyof typeof CHARTS)[]);
  return { [name]: CHARTS[name] };
}

async function toStdout([first, ...parts]: readonly ExportedFile[]): Promise<void> {
  if (first === undefined) return;
  process.stdout.write(first.text);
  if (parts.length === 0) return;
  const names = parts.map(({ name }) => name).join(', ');
  process.stderr.write(`This is the overview. --out DIR also writes ${names}.\n`);
}

async function toFolder(files: readonly ExportedFile[], out: string, json: boolean): Promise<void> {
  for (const { name, text } of files) {
    const file = path.join(out, name);
    await writeFile(file, text).catch((error: unknown) => {
      throw new EngineError('usage', `The file ${file} cannot be written: ${errnoText(error)}.`, {
        cause: error,
      });
    });
    if (json) printJson({ type: 'file', path: file });
    else process.stdout.write(`${file}\n`);
  }
}

async function folder(out: string): Promise<void> {
  const found = await stat(out).catch(() => undefined);
  if (found !== undefined && !found.isDirectory()) {
    throw new EngineError('usage', `${out} is a file; --out takes a folder.`);
  }
  try {
    makeDirectory(out);
  } catch (error) {
    throw new EngineError('usage', `The folder ${out} cannot be made: ${errnoText(error)}.`, {
      cause: error,
    });
  }
}
