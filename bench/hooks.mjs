/** Builds two command lines from the sources: one unchanged, and one without the calls of a watcher. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundledKeyvSqlite } from '../scripts/keyv-sqlite.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** `deps.watcher?.actor(this.#actor)`: every call of a watcher in the engine. */
const CALL = /\b[\w.]*watcher\?\.\w+\((?:[^()]|\([^()]*\))*\)/g;

/** Returns the paths of both, and a function that removes them. */
export async function buildWithAndWithoutHooks() {
  // Inside node_modules, where the dependencies are found.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const directory = mkdtempSync(join(cache, 'bench-'));
  const remove = () => rmSync(directory, { recursive: true, force: true });
  process.on('exit', remove);
  copyFileSync(join(ROOT, 'dist/inspector.html'), join(directory, 'inspector.html'));
  const [hooked, bare] = [join(directory, 'hooked.mjs'), join(directory, 'bare.mjs')];
  await bundle(hooked, []);
  let removed = 0;
  const withoutHooks = {
    name: 'without-hooks',
    setup({ onLoad }) {
      onLoad({ filter: /[\\/]src[\\/]engine[\\/].*\.ts$/ }, ({ path }) => ({
        loader: 'ts',
        contents: readFileSync(path, 'utf8').replace(CALL, () => {
          removed += 1;
          return 'undefined';
        }),
      }));
    },
  };
  await bundle(bare, [withoutHooks]);
  if (removed === 0)
    throw new Error('no call of a watcher was found in the sources: correct the pattern in bench/hooks.mjs');
  return { hooked, bare, remove };
}

const bundle = (outfile, plugins) =>
  build({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    plugins: [...plugins, bundledKeyvSqlite],
    logLevel: 'error',
  });
