import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { chartHash } from '../../src/visualize/chart.js';
import { CLI, cleanEnv, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const HASH = chartHash(CHARTS.link);

it.each([
  ['svg', '<svg '],
  ['mermaid', '%% chart '],
  ['json', '{'],
  ['dot', '// chart '],
  ['html', '<!doctype html>'],
])('graph prints one chart as %s on stdout, with the hash of what it does', async (format, start) => {
  const { code, stdout, stderr } = await cli(['graph', 'link', '--format', format]);
  expect(code).toBe(0);
  // Mermaid has a file for each part of a chart.
  expect(stderr).toMatch(format === 'mermaid' ? /^This is the first of \d+ files\. With --out DIR / : /^$/);
  expect(stdout.startsWith(start)).toBe(true);
  expect(stdout).toContain(HASH);
});

it('graph --out writes every chart and prints the path of each file', { timeout: 180_000 }, async () => {
  const out = path.join(await tmpFolder(), 'new', 'directory');
  const { code, stdout } = await cli(['graph', '--out', out]);
  expect(code).toBe(0);
  const names = await readdir(out);
  for (const name of Object.keys(CHARTS)) expect(names).toContain(`${name}.svg`);
  expect(stdout.trim().split('\n').sort()).toEqual(names.map((name) => path.join(out, name)).sort());
});

it('graph alone writes every chart into a directory of its own', { timeout: 180_000 }, async () => {
  const cwd = await tmpFolder();
  const args = [CLI, 'graph', '--format', 'dot'];
  const printed = execFileSync(process.execPath, args, { cwd, env: cleanEnv(), encoding: 'utf8' });
  const names = await readdir(path.join(cwd, 'rc-engine-charts'));
  expect(printed.trim().split('\n').sort()).toEqual(names.map((name) => `rc-engine-charts/${name}`).sort());
  expect(names).toEqual(expect.arrayContaining(Object.keys(CHARTS).map((name) => `${name}.dot`)));
});

it('graph of a large chart prints the overview and names the parts', { timeout: 180_000 }, async () => {
  const { code, stdout, stderr } = await cli(['graph', 'remoteControl']);
  expect(code).toBe(0);
  expect(stdout.split('<svg').length).toBe(2);
  expect(stderr).toContain('remoteControl.active.svg');
});

it.each([
  [['graph', 'lnik'], 'Unknown machine "lnik"', 'Did you mean link?'],
  [['graph', 'link', '--format', 'jsno'], 'Unknown format "jsno"', 'Did you mean json?'],
  [['graph', '--diff', 'HEAD', '--check'], 'cannot be used together', 'Remove one'],
  [
    ['graph', '--diff', 'no-such-revision'],
    'This git repository has no revision "no-such-revision"',
    'a commit, branch or tag',
  ],
  [['graph', '--diff', '--upload-pack=x'], 'diff', ''],
  [['paths', 'remote'], 'Unknown machine "remote"', 'Choose one of: remoteControl'],
  [['paths', 'link', '--format', 'mrakdown'], 'Unknown format "mrakdown"', 'Did you mean markdown?'],
  [['paths', 'link', '--coverage', 'state'], 'Unknown coverage "state"', 'Did you mean states?'],
])('%s is a usage error with the next step', async (args, message, hint) => {
  const { code, stdout, stderr } = await cli(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
});

it('graph --out with a file, or a path below one, is a usage error, and nothing is overwritten', async () => {
  const directory = await tmpFolder();
  const file = path.join(directory, 'file');
  await writeFile(file, 'precious');
  for (const out of [file, path.join(file, 'below')]) {
    const { code, stderr } = await cli(['graph', 'link', '--out', out]);
    expect(code).toBe(2);
    expect(stderr).toContain(out);
  }
  expect(await readFile(file, 'utf8')).toBe('precious');
});

it('graph --diff describes what changed since a revision', async () => {
  const directory = await tmpFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@b', ...args], {
      cwd: directory,
      stdio: 'pipe',
    });
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [CLI, 'graph', ...args], { cwd: directory, env: cleanEnv() }).toString();
  git('init', '--quiet');
  await mkdir(path.join(directory, 'visualizations'));
  run('--format', 'json', '--out', 'visualizations');
  const file = path.join(directory, 'visualizations/link.json');
  const link = JSON.parse(await readFile(file, 'utf8'));
  delete link.states.up.states.liveness.states.wakeProbe.on.PONG;
  link.states.closing.after.closeTimeout = 'up';
  await writeFile(file, JSON.stringify(link));
  await writeFile(path.join(directory, 'visualizations/old.json'), '{"id":"old"}');
  git('add', '.');
  git('commit', '--quiet', '-m', 'x');

  const said = run('--diff', 'HEAD');
  expect(said).toContain(`→ ${HASH})\n`);
  expect(said).toContain('  new edge up.liveness.wakeProbe → up.liveness.open on PONG\n');
  expect(said).toContain('  closing on after closeTimeout: goes to closed instead of up\n');
  expect(said).toContain('  chart old removed\n');
  expect(said).not.toContain('pairing');
  expect(run('link', '--diff', 'HEAD', '--json')).toContain(`"after":"${HASH}"`);
  expect(run('pairing', '--diff', 'HEAD')).toBe('No statechart differs from HEAD.\n');
});

it('paths prints scenarios as text and as JSON', async () => {
  const markdown = await cli(['paths', 'link']);
  expect(markdown.code).toBe(0);
  expect(markdown.stdout).toMatch(
    /^# link: \d+ scenarios\n\nChart [0-9a-f]{12}\. States 14\/14, transitions 22\/22/,
  );
  const json = await cli(['paths', 'link', '--format', 'json', '--coverage', 'pairs']);
  const { coverage, paths } = JSON.parse(json.stdout);
  expect(coverage.transitions.missing).toEqual([]);
  expect(paths[0].steps[0]).toMatchObject({ kind: expect.any(String), words: expect.any(String) });
});
