// Runs the command blocks of the documents that need a clone (test/docs), and test/e2e/package-install.test.ts: the packed package, installed with npm and with pnpm, on each version of Node and
// with the oldest and the newest TypeScript that it supports. They are installed in a temporary directory (600 MB).
import { spawnSync } from 'node:child_process';
import { withPackages } from './temporary-packages.mjs';

/** On Windows npm and npx are batch files, which only a shell runs. */
const shell = process.platform === 'win32';
const system = `${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
const PACKAGES = [
  ...[20, 22, 24, 26].map((major) => `node${major}@npm:node-${system}@${major}`),
  'typescript-oldest@npm:typescript@5.2.2',
  'typescript-newest@npm:typescript@7',
  'pnpm@10',
];

await withPackages(PACKAGES, 'the tests of the installed package', (modules) => {
  const { status } = spawnSync('npm', ['run', '--silent', 'prepack'], { stdio: 'inherit', shell });
  if (status !== 0) return 1;
  const env = { ...process.env, RC_ENGINE_TEST_TOOLS: modules };
  const args = ['vitest', 'run', 'test/e2e/package-install.test.ts', 'test/docs/clone-commands.test.ts'];
  return spawnSync('npx', args, { stdio: 'inherit', env, shell }).status ?? 1;
});
