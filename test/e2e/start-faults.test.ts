/** What the operating system refuses during a start is one clear line, never the raw text of a system call. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CliProcess, type CliResult } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { unixOnly } from '../support/unix-only.js';

const FAILING_CALLS = join(import.meta.dirname, '../fixtures/failing-calls.cjs');
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** One line that says what and where, and one with the next step. */
function expectClear({ stderr, stdout }: CliResult): void {
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(stderr).not.toMatch(/\bE[A-Z]+: |\bat (?:async )?\w+ \(/);
  expect(stderr).toMatch(/^rc-engine: [^\n]+\n {2}\S[^\n]+/m);
  expect(stdout).not.toContain('"code":"internal"');
}

/** Starts an engine; one that runs is stopped again. */
async function start(args: readonly string[], env: NodeJS.ProcessEnv = {}, options = {}): Promise<CliResult> {
  const engine = new CliProcess(['start', '--json', ...args], env, options);
  await engine.line(({ type }) => type === 'listening', 'a listener', 20_000).catch(() => {});
  return engine.stop('SIGTERM');
}

const LOCAL = ['--no-remote-control', '--home'];

unixOnly(describe, 'limits and links of Unix')('RC-194: a start that the system refuses', () => {
  const mounted: string[] = [];
  afterEach(() => {
    for (const place of mounted.splice(0)) execFileSync('umount', [place]);
  });

  async function tmpfs(options: string): Promise<string> {
    const place = await tmpFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', place]);
    mounted.push(place);
    return place;
  }

  it.each([
    [
      'a name that is too long',
      `${'x'.repeat(300)}/home`,
      /the name is too long.*\n {2}Choose a shorter path/,
    ],
    [
      'a path that is too long',
      '0123456789/'.repeat(400),
      /the name is too long.*\n {2}Choose a shorter path/,
    ],
    ['a link that leads to itself', 'circle/home', /symbolic links.*\n {2}Correct the symbolic link/],
    ['a file where a directory must be', 'file/home', /a part of the path is a file.*\n {2}Make sure/],
  ])('in a home with %s', async (_, path, said) => {
    const place = await tmpFolder();
    await symlink(join(place, 'circle'), join(place, 'circle'));
    await writeFile(join(place, 'file'), '');
    const result = await start([...LOCAL, join(place, path)]);
    expectClear(result);
    expect([result.code, result.stderr]).toEqual([1, expect.stringMatching(said)]);
  });

  it.each(['/nonexistent', '/dev/null'])('without a directory for temporary files: %s', async (TMPDIR) => {
    const result = await start(['--base-url', 'embedded'], { TMPDIR });
    expectClear(result);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/temporary home directory.*\n {2}Name a home directory with --home/);
  });

  it.each([20, 25, 30, 47])('with %i open files', async (limit) => {
    const options = { before: `ulimit -n ${limit}` };
    const result = await start([...LOCAL, join(await tmpFolder(), 'home')], {}, options);
    expectClear(result);
    expect(result.code).toBe(1);
    expect(result.stderr).toMatch(/open files.*\n {2}Raise the limit/);
  });

  it.runIf(isRoot && process.platform === 'linux').each([
    ['full', 'size=16k,nr_inodes=3', /the disk is full.*\n {2}Free some space/],
    ['read-only', 'ro', /read-only.*\n {2}Mount its file system writable/],
  ])('on a disk that is %s', async (_, options, said) => {
    const result = await start([...LOCAL, join(await tmpfs(options), 'home')]);
    expectClear(result);
    expect([result.code, result.stderr]).toEqual([1, expect.stringMatching(said)]);
  });

  it('at its end in a home that nobody may change: it says which file stays, and ends well', async () => {
    const place = await tmpFolder();
    const home = join(place, 'home');
    await mkdir(home, { mode: 0o700 });
    // Permissions do not apply to root.
    if (isRoot) for (const one of [place, home]) await chown(one, NOBODY, NOBODY);
    const engine = new CliProcess(
      ['start', '--json', ...LOCAL, home],
      {},
      isRoot ? { uid: NOBODY, gid: NOBODY } : {},
    );
    await engine.line(({ type }) => type === 'listening', 'a listener');
    await chmod(home, 0o500);
    const { code, stderr } = await engine.stop('SIGTERM');
    await chmod(home, 0o700);
    expect(code).toBe(0);
    expect(stderr).toMatch(/"level":"warn".*engine\.json could not be removed: permission denied/);
  });

  const ERRORS = ['EACCES', 'EMFILE', 'ENOSPC', 'EROFS', 'EIO', 'ENOENT', 'ENAMETOOLONG', 'ENOTDIR'];

  it('at any of its system calls: it runs all the same, or ends with a clear line', {
    timeout: 180_000,
  }, async () => {
    const folder = await tmpFolder();
    const run = async (number: number) => {
      const place = join(folder, `${number}`);
      await mkdir(place);
      const log = join(place, 'calls.log');
      const home = join(place, 'the-home');
      const result = await start([...LOCAL, home], {
        NODE_OPTIONS: `--require ${FAILING_CALLS}`,
        ...{ CALL_NUMBER: String(number), CALL_ERROR: ERRORS[number % ERRORS.length] },
        ...{ CALL_LOG: log, CALL_PLACE: 'the-home' },
      });
      const calls = await readFile(log, 'utf8').catch(() => '');
      return { ...result, calls: calls.trim().split('\n') };
    };
    const { code, calls } = await run(0);
    expect(code).toBe(0);
    expect(calls.length).toBeGreaterThan(30);
    const check = async (number: number) => {
      const result = await run(number);
      const where = `${result.calls.join()} with ${ERRORS[number % ERRORS.length]}`;
      expect([0, 1, 2], `${where}\n${result.stderr}`).toContain(result.code);
      expect(`${result.stdout}\n${result.stderr}`, where).not.toContain('raw text');
      if (result.code !== 0) expectClear(result);
    };
    for (let number = 1; number <= calls.length; number += 3) {
      const some = [number, number + 1, number + 2].filter((one) => one <= calls.length);
      await Promise.all(some.map(check));
    }
  });
});
