/** Bundles the code under test into functions, whose parameters are the globals of a simulated process. */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { GLOBALS, type Scripts } from './compile.js';

/** A change of the code under test: the first text is replaced by the second one. */
export interface Patch {
  /** Below the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** @param root the repository, with a slash at the end */
export async function bundle(root: string, patches: readonly Patch[] = []): Promise<Scripts> {
  const used = new Set<Patch>();
  const [engine, peer] = await Promise.all(
    ['engine', 'peer'].map((name) => bundleOne(root, `test/simulation/guests/${name}.ts`, patches, used)),
  );
  const missed = patches.filter((patch) => !used.has(patch));
  if (missed.length > 0)
    throw new Error(`not part of the simulation: ${missed.map(({ file }) => file).join(', ')}`);
  return { engine: engine ?? '', peer: peer ?? '' };
}

async function bundleOne(
  root: string,
  entry: string,
  patches: readonly Patch[],
  used: Set<Patch>,
): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${root}${entry}`],
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    write: false,
    logLevel: 'error',
    define: { 'import.meta.url': '"file:///rc-engine.js"' },
    external: ['bufferutil', 'utf-8-validate'],
    plugins: [resolving(root), patching(patches, used)],
  });
  return `(function (require, module, exports, ${GLOBALS.join(', ')}) {${outputFiles[0]?.text ?? ''}\n})`;
}

/** As scripts/keyv-sqlite.mjs and scripts/build.mjs do in the build. */
const resolving = (root: string): Plugin => ({
  name: 'resolving',
  setup({ onLoad, onResolve }) {
    const keyv = fileURLToPath(import.meta.resolve('@keyv/sqlite'));
    onResolve({ filter: /^@keyv\/sqlite$/ }, () => ({ path: keyv }));
    onResolve({ filter: /^sqlite3$/ }, () => ({ path: `${root}src/system/sqlite/sqlite3.ts` }));
    onLoad({ filter: /[\\/]fetch-blob[\\/]streams\.cjs$/ }, () => ({ contents: '' }));
  },
});

const patching = (patches: readonly Patch[], used: Set<Patch>): Plugin => ({
  name: 'patching',
  setup({ onLoad }) {
    if (patches.length === 0) return;
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const place = path.replaceAll('\\', '/');
      const mine = patches.filter(({ file }) => place.endsWith(`/${file}`));
      if (mine.length === 0) return undefined;
      let contents = await readFile(path, 'utf8');
      for (const patch of mine) {
        if (!contents.includes(patch.find)) throw new Error(`${patch.file} does not contain: ${patch.find}`);
        contents = contents.replace(patch.find, () => patch.replace);
        used.add(patch);
      }
      return { contents, loader: 'ts' };
    });
  },
});
