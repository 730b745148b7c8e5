import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const made: string[] = [];

/** A new empty directory (its real path). It is removed with its content at the end of the test file. */
export async function tmpFolder(): Promise<string> {
  const dir = await mkdtemp(join(await realpath(tmpdir()), 'rc-engine-test-'));
  made.push(dir);
  return dir;
}

afterAll(async () => {
  await Promise.all(made.splice(0).map((dir) => rm(dir, { recursive: true, force: true, maxRetries: 3 })));
});
