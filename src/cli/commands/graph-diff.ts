import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { createMachine } from 'xstate';
import { EngineError } from '../../protocol/errors.js';
import { chartDiff } from '../../visualize/diff.js';
import type { Charts } from '../../visualize/exports.js';
import { chartHash } from '../../visualize/hash.js';
import { type Chart, walk } from '../../visualize/walk.js';
import { EXIT, printJson } from '../output/output.js';

interface Version {
  readonly chart: Chart;
  readonly hash: string;
}

const run = promisify(execFile);

/** Compares with the `visualizations/*.json` of another revision, in the repository of the current folder. */
export async function graphDiff(charts: Charts, revision: string, json: boolean): Promise<number> {
  const commit = await commitOf(revision);
  const names = await exportedAt(commit);
  const wanted = new Set([...Object.keys(charts), ...(Object.keys(charts).length > 1 ? names : [])]);
  let changed = 0;
  for (const name of wanted) {
    const machine = charts[name];
    const after = machine === undefined ? undefined : { chart: walk(machine), hash: chartHash(machine) };
    const before = names.includes(name) ? await versionAt(commit, name) : undefined;
    const changes = changesBetween(name, before, after);
    if (changes.length === 0) continue;
    changed += 1;
    const hashes = { before: before?.hash ?? null, after: after?.hash ?? null };
    if (json) printJson({ type: 'chart', name, ...hashes, changes });
    else {
      process.stdout.write(`${name} (${hashes.before ?? 'none'} → ${hashes.after ?? 'none'})\n`);
      for (const change of changes) process.stdout.write(`  ${change}\n`);
    }
  }
  if (changed === 0 && !json) process.stdout.write(`No chart differs from ${revision}.\n`);
  return EXIT.ok;
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
    const inside = await git('rev-parse', '--git-dir').then(
      () => true,
      () => false,
    );
    throw new EngineError(
      'usage',
      inside
        ? `There is no revision ${JSON.stringify(revision)} here.`
        : 'This folder is in no git repository.',
      { cause: error, remediation: 'Run it in a clone of the project, with a commit, branch or tag of it.' },
    );
  }
}

async function exportedAt(commit: string): Promise<string[]> {
  const top = (await git('rev-parse', '--show-toplevel')).trim();
  const files = await git('-C', top, 'ls-tree', '--name-only', commit, 'visualizations/');
  return files.split('\n').flatMap((file) => /^visualizations\/(\w+)\.json$/.exec(file)?.[1] ?? []);
}

async function versionAt(commit: string, name: string): Promise<Version> {
  const text = await git('show', `${commit}:visualizations/${name}.json`);
  try {
    const machine = createMachine(JSON.parse(text));
    return { chart: walk(machine), hash: chartHash(machine) };
  } catch (error) {
    throw new EngineError(
      'usage',
      `visualizations/${name}.json of ${commit.slice(0, 12)} is no exported chart.`,
      {
        cause: error,
      },
    );
  }
}

async function git(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('git', [...args], { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}
