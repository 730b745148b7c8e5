import { execFile } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { tmpFolder } from '../support/tmp.js';

const ROOT = path.resolve(import.meta.dirname, '../..');

it('the example of docs/testing.md prints what stands there', async () => {
  const text = await readFile(path.join(ROOT, 'docs/testing.md'), 'utf8');
  const code = /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? '';
  const output = /prints\n\n```\n([\s\S]*?)```/.exec(text)?.[1];
  const folder = await tmpFolder();
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(ROOT, path.join(folder, 'node_modules/rc-engine'));
  await symlink(path.join(ROOT, 'node_modules/xstate'), path.join(folder, 'node_modules/xstate'));
  await writeFile(path.join(folder, 'example.mjs'), code);
  const { stdout } = await promisify(execFile)(process.execPath, [path.join(folder, 'example.mjs')]);
  expect(stdout).toBe(output);
});
