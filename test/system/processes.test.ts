import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { whyNotExecutable } from '../../src/system/processes.js';
import { tmpFolder } from '../support/tmp.js';

it('finds a program on the PATH or by its path, but no directory and no file that is not executable', async () => {
  const folder = await tmpFolder();
  const program = join(folder, 'server');
  await writeFile(program, '#!/bin/sh\n', { mode: 0o600 });
  await mkdir(join(folder, 'directory'));
  const env = { PATH: `/nowhere:${folder}` };
  expect(whyNotExecutable('server', env)).toBe('is not on the PATH');
  expect(whyNotExecutable(program, env)).toBe('is not an executable program');
  await chmod(program, 0o700);
  expect(whyNotExecutable('server', env)).toBeNull();
  expect(whyNotExecutable(program, {})).toBeNull();
  expect(whyNotExecutable('directory', env)).toBe('is not on the PATH');
  expect(whyNotExecutable('server', {})).toBe('is not on the PATH');
});
