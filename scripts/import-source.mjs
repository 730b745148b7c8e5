// Imports TypeScript of this repository, for scripts: no build of the project is needed.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { bundledKeyvSqlite } from './keyv-sqlite.mjs';

/** The root directory of the repository. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The exports of a file. It is built inside node_modules, where the dependencies are found. */
export async function importSource(file) {
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const directory = await mkdtemp(join(cache, 'source-'));
  try {
    const outfile = join(directory, 'source.mjs');
    await build({
      entryPoints: [join(ROOT, file)],
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      plugins: [bundledKeyvSqlite],
      outfile,
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
