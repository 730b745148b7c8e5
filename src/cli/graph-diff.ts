import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createMachine } from 'xstate';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { type Chart, chartHash, toChart } from '../visualize/chart.js';
import { chartDiff } from '../visualize/diff.js';
import type { Charts } from '../visualize/exports.js';
import { usageError } from './errors.js';

const REVISION_STEP = 'Run it in a clone of rc-engine, with a commit, branch or tag of that clone.';

interface Version {
  readonly chart: Chart;
  readonly hash: string;
}

/** How one chart differs between a revision and this program. */
interface ChangedChart {
  readonly name: string;
  /** Hashes; null where the chart does not exist. */
  readonly before: string | null;
  readonly after: string | null;
  readonly changes: readonly string[];
}

const run = promisify(execFile);

/** Compares with `visualizations/*.json` of another revision, in the git repository of the current directory. */
export async function changedCharts(charts: Charts, revision: string): Promise<ChangedChart[]> {
  const commit = await commitOf(revision);
  const exported = await chartsExportedAt(commit);
  // Removed charts are reported only when all charts are compared.
  const names = new Set([...Object.keys(charts), ...(Object.keys(charts).length > 1 ? exported : [])]);
  const changed: ChangedChart[] = [];
  for (const name of names) {
    const machine = charts[name];
    const after = machine === undefined ? undefined : { chart: toChart(machine), hash: chartHash(machine) };
    const before = exported.includes(name) ? await versionAt(commit, name) : undefined;
    const changes = changesBetween(name, before, after);
    if (changes.length > 0) {
      changed.push({ name, before: before?.hash ?? null, after: after?.hash ?? null, changes });
    }
  }
  return changed;
}

function changesBetween(name: string, before: Version | undefined, after: Version | undefined): string[] {
  if (before === undefined) return after === undefined ? [] : [`new chart ${name}`];
  if (after === undefined) return [`chart ${name} removed`];
  return chartDiff(before.chart, after.chart);
}

async function commitOf(revision: string): Promise<string> {
  try {
    return (await git('rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`)).trim();
  } catch (error) {
    const inRepository = await git('rev-parse', '--git-dir').then(
      () => true,
      () => false,
    );
    throw usageError(
      inRepository
        ? `This git repository has no revision ${JSON.stringify(revision)}.`
        : 'The current directory is not in a git repository.',
      REVISION_STEP,
      error,
    );
  }
}

async function chartsExportedAt(commit: string): Promise<string[]> {
  const top = (await git('rev-parse', '--show-toplevel')).trim();
  const files = await git('-C', top, 'ls-tree', '--name-only', commit, 'visualizations/');
  return files.split('\n').flatMap((file) => /^visualizations\/(\w+)\.json$/.exec(file)?.[1] ?? []);
}

async function versionAt(commit: string, name: string): Promise<Version> {
  const text = await git('show', `${commit}:visualizations/${name}.json`);
  try {
    const exported = JSON.parse(withoutByteOrderMark(text)) as {
      readonly meta?: { readonly chartHash?: string };
    };
    const machine = createMachine(exported as never);
    // The export has no bodies, so it cannot give the hash.
    return { chart: toChart(machine), hash: exported.meta?.chartHash ?? chartHash(machine) };
  } catch (error) {
    throw usageError(
      `visualizations/${name}.json of ${commit.slice(0, 12)} is not an exported chart.`,
      REVISION_STEP,
      error,
    );
  }
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
