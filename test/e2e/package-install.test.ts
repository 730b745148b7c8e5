/**
 * The package as npm packs it, in a project of its own: with npm and pnpm, with each version of Node, and with the oldest
 * and the newest TypeScript. `node scripts/test-package.mjs` installs these tools and runs this file.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, lstat, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { tmpFolder } from '../support/tmp.js';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const TOOLS = process.env.RC_ENGINE_TEST_TOOLS ?? '';
const MB = 1_000_000;
const NODES = [20, 22, 24, 26];
/** Alone on an idle machine, installing takes 5 s and a start 1 s. */
const INSTALL_LIMIT = 20_000;
const START_LIMIT = 30_000;

const binOf = (major: number): string => join(TOOLS, `node${major}`, 'bin');
const nodeOf = (major: number): string => join(binOf(major), 'node');

/** What npm and vitest set for this process. The registry and other settings of npm stay. */
const NOT_PASSED_ON =
  /^(?:npm_(?!config_)|npm_config_(?:local_prefix|prefix|global_prefix)$|RC_ENGINE_|NODE_(?:OPTIONS|ENV|V8_COVERAGE)$|VITEST)/i;

/** npm finds its global settings from the place of Node, so those of this Node are passed on. */
const npmSettings: Record<string, string> = {};

/** With one version of Node first on the path. */
function environment(major: number): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env };
  env.PATH = `${binOf(major)}${delimiter}${process.env.PATH}`;
  for (const name of Object.keys(env)) if (NOT_PASSED_ON.test(name)) delete env[name];
  Object.assign(env, npmSettings);
  return env;
}

describe.skipIf(TOOLS === '')('the packed package', { timeout: 300_000 }, () => {
  let tarball: string;
  /** A project that installed it with npm. */
  let project: string;

  beforeAll(async () => {
    for (const name of ['registry', 'globalconfig'])
      npmSettings[`npm_config_${name}`] = (await run('npm', ['config', 'get', name])).stdout.trim();
    const place = await tmpFolder();
    // scripts/test-package.mjs has built it.
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', place], { cwd: ROOT });
    tarball = join(place, (await readdir(place))[0]!);
    project = await npmProject([]);
  }, 300_000);

  async function newProject(): Promise<string> {
    const dir = await tmpFolder();
    await writeFile(join(dir, 'package.json'), '{"name":"project","private":true,"type":"module"}');
    return dir;
  }

  async function npmProject(options: readonly string[], packages: readonly string[] = []): Promise<string> {
    const dir = await newProject();
    const args = ['install', '--no-audit', '--no-fund', ...options, tarball, ...packages];
    await run('npm', args, { cwd: dir, env: environment(20) });
    return dir;
  }

  it('installs in 20 s, takes less than 40 MB, and has no install script', async () => {
    // The packages are in npm's cache by now.
    const started = performance.now();
    const dir = await npmProject(['--prefer-offline']);
    expect(performance.now() - started).toBeLessThan(INSTALL_LIMIT);
    expect(await sizeOf(join(dir, 'node_modules'))).toBeLessThan(40 * MB);
    const lock = await readFile(join(dir, 'package-lock.json'), 'utf8');
    expect(lock).not.toContain('hasInstallScript');
  });

  it.each(NODES)('npx rc-engine start connects with Node %i, without a warning', async (major) => {
    const engine = await connected(project, 'npx', ['--no', 'rc-engine'], major);
    expect(engine.stderr).not.toMatch(/warning/i);
  });

  it('connects when pnpm installed it and scripts are blocked', async () => {
    const dir = await newProject();
    const pnpm = join(TOOLS, 'pnpm/bin/pnpm.cjs');
    const args = [pnpm, 'add', '--ignore-scripts', '--store-dir', await tmpFolder(), tarball];
    await run(nodeOf(22), args, { cwd: dir, env: environment(22) });
    for (const major of [20, 26]) await connected(dir, join(dir, 'node_modules/.bin/rc-engine'), [], major);
  });

  it('without its optional packages it needs the SQLite of Node, and says so', async () => {
    const dir = await npmProject(['--omit=optional']);
    await connected(dir, 'npx', ['--no', 'rc-engine'], 24);
    const cli = join(dir, 'node_modules/rc-engine/dist/cli.js');
    const home = join(await tmpFolder(), 'home');
    const start = run(nodeOf(20), [cli, 'start', '--base-url', 'embedded', '--home', home], {
      env: environment(20),
    });
    await expect(start).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/SQLite cannot be loaded: .*\n.*optional packages.*Node 24\.15/),
    });
  });

  it.each(['oldest', 'newest'])('compiles with the %s TypeScript, without skipLibCheck', async (age) => {
    const dir = await npmProject(['--prefer-offline'], ['@types/node@20']);
    await cp(join(ROOT, 'test/e2e/consumer.ts.txt'), join(dir, 'consumer.ts'));
    await cp(join(ROOT, 'test/e2e/toolkit-consumer.ts.txt'), join(dir, 'testing.ts'));
    const compilerOptions = {
      module: 'nodenext',
      moduleResolution: 'nodenext',
      target: 'es2022',
      lib: ['es2022'],
      types: ['node'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    };
    const files = ['consumer.ts', 'testing.ts'];
    await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const tsc = join(TOOLS, `typescript-${age}/bin/tsc`);
    const { stdout } = await run(nodeOf(22), [tsc, '-p', dir]).catch((error: unknown) =>
      typeof error === 'object' && error !== null && 'stdout' in error
        ? { stdout: String(error.stdout) }
        : Promise.reject(error),
    );
    expect(stdout).toBe('');
  });
});

/** Starts the engine with the embedded backend until it is connected, and stops it. */
async function connected(
  dir: string,
  command: string,
  args: readonly string[],
  major: number,
): Promise<{ readonly stderr: string }> {
  const home = join(await tmpFolder(), 'home');
  const child = spawn(command, [...args, 'start', '--json', '--base-url', 'embedded', '--home', home], {
    cwd: dir,
    env: environment(major),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    return await untilConnected(child);
  } finally {
    // npx, its shell and the engine.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGTERM');
    await ended;
  }
}

function untilConnected(child: ChildProcess): Promise<{ stderr: string }> {
  let stdout = '';
  let stderr = '';
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`${why}\n${stdout}\n${stderr}`));
    const timer = setTimeout(() => fail(`not connected after ${START_LIMIT} ms`), START_LIMIT);
    child.stderr?.on('data', (chunk) => {
      stderr += String(chunk);
    });
    child.stdout?.on('data', (chunk) => {
      stdout += String(chunk);
      if (!stdout.includes('"status":"connected"')) return;
      clearTimeout(timer);
      resolve({ stderr });
    });
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      fail(`ended with exit code ${code}`);
    });
  });
}

/** Bytes on disk. */
async function sizeOf(path: string): Promise<number> {
  const info = await lstat(path);
  if (!info.isDirectory()) return info.blocks * 512;
  const inside = await Promise.all((await readdir(path)).map((name) => sizeOf(join(path, name))));
  return inside.reduce((sum, size) => sum + size, 0);
}
