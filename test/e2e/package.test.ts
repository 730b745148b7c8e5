/** The package as its users install it: its exports, their types, and that both work. */
import { execFile } from 'node:child_process';
import { cp, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { CLI } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const run = promisify(execFile);
const ROOT = resolve(import.meta.dirname, '../..');
const TSC = join(ROOT, 'node_modules/typescript/bin/tsc');

async function tsc(cwd: string, args: readonly string[]): Promise<void> {
  await run(process.execPath, [TSC, ...args], { cwd, maxBuffer: 16 * 1024 * 1024 }).catch(
    (error: unknown) => {
      const { stdout } = error as { stdout?: string };
      throw new Error(`tsc ${args.join(' ')} failed:\n${stdout ?? String(error)}`);
    },
  );
}

it('type-checks for a consumer, also without skipLibCheck and @types/ws, and runs', {
  timeout: 240_000,
}, async () => {
  const dir = await tmpFolder();
  const installed = join(dir, 'node_modules/rc-engine');
  await mkdir(installed, { recursive: true });
  await cp(join(ROOT, 'package.json'), join(installed, 'package.json'));
  await cp(dirname(CLI), join(installed, 'dist'), { recursive: true });
  await tsc(ROOT, ['-p', 'tsconfig.build.json', '--outDir', join(installed, 'dist/types')]);
  // The dependencies, where npm would install them.
  const { dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<'dependencies' | 'optionalDependencies' | 'peerDependencies', Record<string, string>>;
  // The machines run on the xstate of the program that embeds them.
  expect(Object.keys(peerDependencies)).toEqual(['xstate']);
  expect(Object.keys(dependencies)).not.toContain('xstate');
  const names = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies });
  for (const name of [...names, '@types/node', 'undici-types']) {
    await mkdir(dirname(join(dir, 'node_modules', name)), { recursive: true });
    await symlink(join(ROOT, 'node_modules', name), join(dir, 'node_modules', name)).catch(() => {});
  }
  await cp(join(ROOT, 'test/e2e/consumer.ts.txt'), join(dir, 'consumer.ts'));
  await writeFile(join(dir, 'package.json'), '{"type":"module"}');
  const compilerOptions = {
    module: 'nodenext',
    moduleResolution: 'nodenext',
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    strict: true,
    exactOptionalPropertyTypes: true,
    // As most projects have it: some dependencies have no declarations.
    skipLibCheck: true,
    outDir: 'out',
  };
  await writeFile(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }));
  await tsc(dir, ['-p', 'tsconfig.json']);
  // Without skipLibCheck the declarations must need no package that the consumer has not installed, such as @types/ws.
  // The declarations of XState do not compile with exactOptionalPropertyTypes.
  const strict = { ...compilerOptions, skipLibCheck: false, exactOptionalPropertyTypes: false };
  const tsconfig = { compilerOptions: strict, files: ['consumer.ts', 'testing.ts'] };
  await cp(join(ROOT, 'test/e2e/toolkit-consumer.ts.txt'), join(dir, 'testing.ts'));
  await writeFile(join(dir, 'tsconfig.strict.json'), JSON.stringify(tsconfig));
  await tsc(dir, ['-p', 'tsconfig.strict.json']);
  const { stdout } = await run(process.execPath, [join(dir, 'out/consumer.js'), join(dir, 'home')], {
    env: { PATH: process.env.PATH, HOME: dir },
  });
  const toolkit = await run(process.execPath, [join(dir, 'out/testing.js')], { cwd: dir });
  expect(toolkit.stdout).toBe(
    'light.svg light.dot changed\nStates 4/4, transitions 3/3, guards both ways 0/0.\n0 failures\n',
  );
  expect(JSON.parse(stdout)).toEqual({
    status: 'disabled',
    environmentId: null,
    state: 'idle',
    dials: 0,
    code: 'usage',
    chart: 'active.loadingAuth.reading',
    secret: '<redacted>',
  });
});

it.skipIf(process.platform === 'win32')(
  'a build leaves the command executable, so that npm link survives it',
  async () => {
    expect((await stat(CLI)).mode & 0o111).toBe(0o111);
  },
);

it('includes the licences of the packages whose code is in it', async () => {
  const text = await readFile(join(dirname(CLI), 'THIRD-PARTY-NOTICES.txt'), 'utf8');
  const notices = text.split(`\n\n${'-'.repeat(80)}\n\n`);
  for (const name of ['ws', 'xstate', 'yargs', '@statelyai/inspect', '@keyv/sqlite', 'node-fetch']) {
    const notice = notices.find((one) => one.startsWith(`${name} `));
    expect(notice, name).toMatch(/MIT|Permission is hereby granted/);
  }
  expect(notices.find((one) => one.startsWith('elkjs '))).toMatch(/Eclipse Public License|EPL-2\.0/);
  // Our own stand-in for it is no third party, and binaries bring their own licence.
  expect(notices.filter((one) => /^(?:sqlite3|@libsql\/\S+) /.test(one))).toEqual([]);
});

it('installs without a package that runs a script, but for esbuild, whose binary is a package', async () => {
  const lock: {
    packages: Record<string, { hasInstallScript?: boolean; optional?: boolean; dev?: boolean }>;
  } = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8'));
  const packages = Object.entries(lock.packages);
  const withScript = packages.filter(([, { hasInstallScript }]) => hasInstallScript).map(([name]) => name);
  expect(withScript.filter((name) => name !== 'node_modules/fsevents')).toEqual(['node_modules/esbuild']);
  // The binaries of SQLite are all of one version, whose functions src/system/sqlite/libsql.ts calls.
  const { optionalDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(new Set(Object.values(optionalDependencies))).toEqual(new Set(['0.5.29']));
});
