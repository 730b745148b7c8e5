/** Writes files, or compares them with those that are there. */
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { errnoText } from '../../system/errno.js';
import { makeDirectory } from '../../system/make-directory.js';
import { usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';

export interface OutFile {
  readonly name: string;
  readonly text: string;
}

/** Creates the directory of --out. A wrong one is reported before the work, not after it. @throws EngineError `usage` */
export async function openDirectory(out: string): Promise<void> {
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

/** Writes each file and prints its path. @throws EngineError `usage` */
export async function writeFiles(files: readonly OutFile[], out: string, json: boolean): Promise<void> {
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

/** What a file says about itself when this program made it. */
const MADE_BY_US =
  /data-hash="|^%% chart |^\/\/ chart |"chartHash": "|<code>chart |^# .* scenarios\n\nChart |"hash": "/m;

export interface Difference {
  readonly path: string;
  readonly problem: 'missing' | 'different' | 'stale';
  readonly words: string;
}

/**
 * How the directory differs from the files that would be written.
 * @param whole Files of the same kinds that belong to no chart count, too.
 */
export async function differences(
  files: readonly OutFile[],
  out: string,
  whole: boolean,
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const { name, text } of files) {
    const file = path.join(out, name);
    const known = await readFile(file, 'utf8').catch(() => undefined);
    if (known === undefined) found.push({ path: file, problem: 'missing', words: `${file} is missing.` });
    else if (known.replaceAll('\r\n', '\n') !== text) {
      const at = firstDifference(known.replaceAll('\r\n', '\n'), text);
      found.push({
        path: file,
        problem: 'different',
        words: `${file} does not match its chart; the first difference is in line ${at}.`,
      });
    }
  }
  if (!whole) return found;
  const wanted = new Set(files.map(({ name }) => name));
  const kinds = new Set(files.map(({ name }) => path.extname(name)));
  for (const name of await readdir(out).catch(() => [])) {
    if (wanted.has(name) || !kinds.has(path.extname(name))) continue;
    const file = path.join(out, name);
    const text = await readFile(file, 'utf8').catch(() => '');
    if (MADE_BY_US.test(text))
      found.push({ path: file, problem: 'stale', words: `${file} belongs to no chart.` });
  }
  return found;
}

/** Prints the differences. @returns whether there are any */
export function printDifferences(found: readonly Difference[], json: boolean): boolean {
  for (const { path: file, problem, words } of found) {
    if (json) printJson({ type: 'difference', path: file, problem });
    else stdout.print(words);
  }
  return found.length > 0;
}

function firstDifference(known: string, wanted: string): number {
  const lines = wanted.split('\n');
  const at = known.split('\n').findIndex((line, index) => line !== lines[index]);
  return at === -1 ? known.split('\n').length : at + 1;
}
