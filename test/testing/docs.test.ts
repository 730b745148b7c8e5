import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');

it('the example of docs/testing.md prints the output shown there', async () => {
  const text = await readFile(path.join(ROOT, 'docs/testing.md'), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const output = /prints\n\n```\n([\s\S]*?)```/.exec(text)?.[1];
  const directory = await tmpFolder();
  await mkdir(path.join(directory, 'node_modules'));
  await symlink(ROOT, path.join(directory, 'node_modules/rc-engine'));
  await symlink(path.join(ROOT, 'node_modules/xstate'), path.join(directory, 'node_modules/xstate'));
  await writeFile(path.join(directory, 'example.mjs'), code);
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(directory, 'example.mjs')]);
  expect(stdout).toBe(output);
});
