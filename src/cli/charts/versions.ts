/** Each chart in two versions: that of a git revision, and that of today. */
import { type AnyStateMachine, createMachine } from 'xstate';
import { withoutByteOrderMark } from '../../protocol/byte-order-mark.js';
import type { Charts } from '../../visualize/exports.js';
import { usageError } from '../errors.js';
import { chartsOfFiles, type FileChart } from './charts-of-files.js';
import { findFilesIn } from './find-files.js';
import { checkOut, commitOf, git } from './revision.js';

/** A chart that does not exist in one of the versions is undefined there. */
export interface Versions {
  readonly name: string;
  readonly before: AnyStateMachine | undefined;
  readonly after: AnyStateMachine | undefined;
  /** The hash of the older version, where it is an export without the bodies that the hash covers. */
  readonly hashBefore?: string;
}

/**
 * The charts of files, and those that the same words led to at the revision. A chart is the same one in the same file and
 * export, or else under the same name. The code of the revision runs here, too.
 * @throws EngineError `usage`
 */
export async function versionsOfFiles(
  words: readonly string[],
  now: readonly FileChart[],
  revision: string,
): Promise<Versions[]> {
  const { commit, directory, remove } = await checkOut(revision);
  try {
    const files = findFilesIn(directory, words);
    const then = files.length === 0 ? [] : await chartsThen(files, commit);
    const left = new Set(then);
    const take = (isSame: (one: FileChart) => boolean): FileChart | undefined => {
      const found = [...left].find(isSame);
      if (found !== undefined) left.delete(found);
      return found;
    };
    const first = now.map((after) => ({
      after,
      before: take(({ file, exportName }) => file === after.file && exportName === after.exportName),
    }));
    const pairs = first.map(({ after, before }): Versions => {
      const known = before ?? take(({ name }) => name === after.name);
      return { name: after.name, before: known?.machine, after: after.machine };
    });
    return [...pairs, ...[...left].map(({ name, machine }) => ({ name, before: machine, after: undefined }))];
  } finally {
    remove();
  }
}

async function chartsThen(files: Parameters<typeof chartsOfFiles>[0], commit: string): Promise<FileChart[]> {
  try {
    return await chartsOfFiles(files, { mayBeEmpty: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `The charts of ${commit} cannot be loaded: ${reason}`,
      'Compare with a revision that can be loaded, with the packages that are installed now.',
      error,
    );
  }
}

const REVISION_STEP = 'Run it in a clone of rc-engine, with a commit, branch or tag of that clone.';

/**
 * The engine's own charts, and `visualizations/*.json` of another revision, in the git repository of the current directory.
 * @throws EngineError `usage`
 */
export async function versionsOfOwnCharts(charts: Charts, revision: string): Promise<Versions[]> {
  const commit = await commitOf(revision, REVISION_STEP);
  const exported = await chartsExportedAt(commit);
  // Removed charts are reported only when all charts are compared.
  const names = new Set([...Object.keys(charts), ...(Object.keys(charts).length > 1 ? exported : [])]);
  const versions: Versions[] = [];
  for (const name of names) {
    const before: Exported = exported.includes(name) ? await chartAt(commit, name) : {};
    const { machine, hashBefore } = before;
    versions.push({
      ...{ name, before: machine, after: charts[name] },
      ...(hashBefore === undefined ? {} : { hashBefore }),
    });
  }
  return versions;
}

async function chartsExportedAt(commit: string): Promise<string[]> {
  const top = (await git(['rev-parse', '--show-toplevel'])).trim();
  const files = await git(['-C', top, 'ls-tree', '--name-only', commit, 'visualizations/']);
  return files.split('\n').flatMap((file) => /^visualizations\/(\w+)\.json$/.exec(file)?.[1] ?? []);
}

interface Exported {
  readonly machine?: AnyStateMachine;
  readonly hashBefore?: string;
}

async function chartAt(commit: string, name: string): Promise<Exported> {
  const text = await git(['show', `${commit}:visualizations/${name}.json`]);
  try {
    const exported = JSON.parse(withoutByteOrderMark(text)) as {
      readonly meta?: { readonly chartHash?: string };
    };
    const machine = createMachine(exported as never);
    const hash = exported.meta?.chartHash;
    return { machine, ...(hash === undefined ? {} : { hashBefore: hash }) };
  } catch (error) {
    throw usageError(
      `visualizations/${name}.json of ${commit.slice(0, 12)} is not an exported chart.`,
      REVISION_STEP,
      error,
    );
  }
}
