// Imports TypeScript of this repository, for scripts: no build of the project is needed.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** The folder of the repository. */
export const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

/** What a file exports. */
export const importSource = (file) => imported({ entryPoints: [join(ROOT, file)] });

/** Names from several files, as `{ file: [names] }`. */
export function importNames(names) {
  const lines = Object.entries(names).map(
    ([file, from]) => `export { ${from.join(', ')} } from './${file}';`,
  );
  return imported({ stdin: { contents: lines.join('\n'), resolveDir: ROOT, loader: 'ts' } });
}

/** Built beside node_modules, where packages are found. */
async function imported(source) {
  const cache = join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'source-'));
  try {
    const outfile = join(folder, 'source.mjs');
    await build({
      ...source,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outfile,
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
