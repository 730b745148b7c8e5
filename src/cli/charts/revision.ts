/** Another version of the working directory, out of git, beside the installed packages of this one. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { isAlive } from '../engine-end.js';
import { usageError } from '../errors.js';

const run = promisify(execFile);
const PREFIX = 'rc-engine-diff-';

export interface Revision {
  /** The first 12 digits of its commit. */
  readonly commit: string;
  /** What the working directory was then. */
  readonly directory: string;
  remove(): void;
}

/**
 * Writes the files of a revision into a temporary directory, with links to the `node_modules` of the working copy. The
 * repository does not change: the files come through an index of their own. Dependencies are those of today.
 * @throws EngineError `usage`
 */
export async function checkOut(revision: string): Promise<Revision> {
  const commit = await commitOf(revision, 'Name a commit, branch or tag, for example main or HEAD~1.');
  const top = realpathSync((await git(['rev-parse', '--show-toplevel'])).trim());
  removeForgotten();
  const place = mkdtempSync(path.join(tmpdir(), `${PREFIX}${process.pid}-`));
  const remove = () => rmSync(place, { recursive: true, force: true });
  try {
    const tree = path.join(place, 'tree');
    mkdirSync(tree);
    const env = { ...process.env, GIT_INDEX_FILE: path.join(place, 'index') };
    await git(['-C', top, 'read-tree', commit], env);
    // Large files of LFS are no charts, and would be downloaded.
    const plain = [
      '-c',
      'filter.lfs.smudge=',
      '-c',
      'filter.lfs.process=',
      '-c',
      'filter.lfs.required=false',
    ];
    await git(['-C', top, ...plain, 'checkout-index', '--all', '--force', `--prefix=${tree}/`], env);
    linkPackages(top, tree);
    const directory = path.join(tree, path.relative(top, realpathSync(process.cwd())));
    mkdirSync(directory, { recursive: true });
    return { commit: commit.slice(0, 12), directory, remove };
  } catch (error) {
    remove();
    throw usageError(
      `The files of ${revision} cannot be written to ${tmpdir()}: ${messageOf(error)}`,
      'Make room there, or set TMPDIR to another directory.',
      error,
    );
  }
}

/** @throws EngineError `usage` */
export async function commitOf(revision: string, nextStep: string): Promise<string> {
  try {
    return (
      await git(['rev-parse', '--verify', '--quiet', '--end-of-options', `${revision}^{commit}`])
    ).trim();
  } catch (error) {
    const inRepository = await git(['rev-parse', '--git-dir']).then(
      () => true,
      () => false,
    );
    throw usageError(
      inRepository
        ? `This git repository has no revision ${JSON.stringify(revision)}.`
        : 'The current directory is not in a git repository.',
      nextStep,
      error,
    );
  }
}

export async function git(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string> {
  const { stdout } = await run('git', [...args], { maxBuffer: 64 * 1024 * 1024, env: env ?? process.env });
  return stdout;
}

const messageOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split('\n').slice(-2).join(' ').trim();

/** A `node_modules` for each directory of the tree that has one today, and for the repository as a whole. */
function linkPackages(top: string, tree: string): void {
  const link = (from: string, to: string) => {
    if (existsSync(from) && !existsSync(to)) symlinkSync(realpathSync(from), to, 'junction');
  };
  const visit = (directory: string, depth: number): void => {
    link(path.join(top, directory, 'node_modules'), path.join(tree, directory, 'node_modules'));
    if (depth === 0) return;
    for (const entry of readdirSync(path.join(tree, directory), { withFileTypes: true })) {
      if (entry.isDirectory() && entry.name !== 'node_modules')
        visit(path.join(directory, entry.name), depth - 1);
    }
  };
  visit('', 3);
  for (let above = path.dirname(top); above !== path.dirname(above); above = path.dirname(above)) {
    const packages = path.join(above, 'node_modules');
    if (!existsSync(packages)) continue;
    link(packages, path.join(tree, '..', 'node_modules'));
    return;
  }
}

/** What a process left behind that Ctrl-C or a crash ended. */
function removeForgotten(): void {
  for (const name of readdirSync(tmpdir())) {
    const [, pid] = name.startsWith(PREFIX) ? (/^rc-engine-diff-(\d+)-/.exec(name) ?? []) : [];
    if (pid === undefined || isAlive(Number(pid))) continue;
    try {
      rmSync(path.join(tmpdir(), name), { recursive: true, force: true });
    } catch {
      // It is another user's.
    }
  }
}
