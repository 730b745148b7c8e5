/** The lint rule that leaves one way to stdout and stderr. RC-55 */
import { spawnSync } from 'node:child_process';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.join(import.meta.dirname, '../..');
const BIOME = path.join(ROOT, 'node_modules/.bin/biome');
const LINES = [
  `process.stdout.write('x');`,
  `process.stderr.write('x');`,
  `const { stdout } = process;`,
  `const name = 'stdout' as const;`,
  `process[name].write('x');`,
  `console.log('x', stdout);`,
];

/** A small project with the lint rules of this one. Returns the lines that they refuse, counted from 1. */
async function refusedLines(file: string): Promise<number[]> {
  const folder = await tmpFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['biome.json', 'scripts/no-raw-output.grit']) {
    await cp(path.join(ROOT, name), path.join(folder, name));
  }
  await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
  await writeFile(path.join(folder, file), `${LINES.join('\n')}\n`);
  const args = ['lint', '--vcs-enabled=false', '--max-diagnostics=none', '--colors=off', file];
  const { stdout, stderr } = spawnSync(BIOME, args, { cwd: folder, encoding: 'utf8' });
  const found = `${stdout}${stderr}`.matchAll(/:(\d+):\d+ (?:plugin|lint\/suspicious\/noConsole)/g);
  return [...new Set([...found].map(([, line]) => Number(line)))].sort();
}

it('RC-55: the linter refuses each way around the writer, but in the writer', async () => {
  expect(await refusedLines('src/cli/commands/other.ts')).toEqual([1, 2, 3, 5, 6]);
  expect(await refusedLines('src/cli/output/terminal.ts')).toEqual([6]);
});
