import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { whyNotExecutable } from '../../src/system/find-program.js';
import { tmpFolder } from '../support/tmp.js';

it('finds a program on the PATH or by its path; a folder or a file that may not be run is none', async () => {
  const folder = await tmpFolder();
  const program = join(folder, 'server');
  await writeFile(program, '#!/bin/sh\n', { mode: 0o600 });
  await mkdir(join(folder, 'folder'));
  const env = { PATH: `/nowhere:${folder}` };
  expect(whyNotExecutable('server', env)).toBe('is not on the PATH');
  expect(whyNotExecutable(program, env)).toBe('is not a program that can be run');
  await chmod(program, 0o700);
  expect(whyNotExecutable('server', env)).toBeNull();
  expect(whyNotExecutable(program, {})).toBeNull();
  expect(whyNotExecutable('folder', env)).toBe('is not on the PATH');
  expect(whyNotExecutable('server', {})).toBe('is not on the PATH');
});
