/** Two command lines from the sources: one as it is, and one in which nothing calls a watcher, as if there had never been an inspector. */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** `deps.watcher?.actor(this.#actor)`, wherever the engine tells a watcher something. */
const CALL = /\b[\w.]*watcher\?\.\w+\((?:[^()]|\([^()]*\))*\)/g;

/** Answers the paths of both, and what removes them. */
export async function buildWithAndWithoutHooks() {
  // Beside node_modules, where packages are found.
  const cache = join(ROOT, 'node_modules/.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bench-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  copyFileSync(join(ROOT, 'dist/inspector.html'), join(folder, 'inspector.html'));
  const [hooked, bare] = [join(folder, 'hooked.mjs'), join(folder, 'bare.mjs')];
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
    throw new Error('the engine has no hooks for a watcher any more: this row measures nothing');
  return { hooked, bare, remove };
}

const bundle = (outfile, plugins) =>
  build({
    entryPoints: [join(ROOT, 'src/cli/main.ts')],
    outfile,
    plugins,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
