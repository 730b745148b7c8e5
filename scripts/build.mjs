// Builds dist/. Two shapes: the library keeps its dependencies as imports (an embedder's own xstate must be
// the one the machines run on); the command line is one script, started by cli.js from V8's code cache, so
// that a start compiles nothing.
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { inspectorPages } from './inspector-page.mjs';
import { noticesOf } from './notices.mjs';

/** Made aside and put in place whole: whoever starts the program meanwhile finds the old one or the new one. */
const OUT = `.dist-${process.pid}`;

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  legalComments: 'none',
};

/** Modules of Node, native ones and the large layout engine stay outside; they are required when first needed. */
const outside = {
  name: 'outside',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) || path === 'sqlite3' || path.startsWith('elkjs/')
        ? { path, namespace: 'outside' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'outside' }, ({ path }) => ({
      contents: `module.exports = requireOutside(${JSON.stringify(path)});`,
    }));
  },
};

/** What packages bring along for older versions of Node, some of it slow to load. */
const NOT_NEEDED = /[\\/]fetch-blob[\\/]streams\.cjs$/;
const withoutPolyfills = {
  name: 'without-polyfills',
  setup({ onLoad }) {
    onLoad({ filter: NOT_NEEDED }, () => ({ contents: '' }));
  },
};

async function buildLibrary() {
  await build({
    ...common,
    entryPoints: { index: 'src/index.ts', machines: 'machines/index.ts', testing: 'src/testing/index.ts' },
    outdir: OUT,
    splitting: true,
    chunkNames: 'lib-[hash]',
    packages: 'external',
    sourcemap: true,
  });
}

async function buildCommandLine() {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: ['src/cli/main.ts'],
    plugins: [outside, withoutPolyfills],
    define: { 'import.meta': 'scriptMeta' },
    // One byte for each character, as it is read.
    charset: 'ascii',
    // Names stay: the hash of a chart is made of them. What keeps names otherwise costs time at each closure.
    minifyWhitespace: true,
    minifySyntax: true,
    write: false,
    metafile: true,
  });
  const text = outputFiles[0].text.replace(/^#!.*\n/, '');
  if (/^(import|export)\b/m.test(text)) throw new Error('the bundle of the command line is no single script');
  await writeFile(
    `${OUT}/cli-script.cjs`,
    `(async function (require, requireOutside, scriptMeta) {${text}\n})`,
  );
  await copyFile('scripts/cli-boot.js', `${OUT}/cli.js`);
  // `npm link` sets this bit only once: without it the next build breaks the linked command.
  await chmod(`${OUT}/cli.js`, 0o755);
  const maker = fileURLToPath(new URL('code-cache.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [maker, OUT], { encoding: 'utf8' });
  if (status !== 0) {
    console.warn(`No code cache was made, so that dist/cli.js starts more slowly.\n${stderr}`);
  }
  return Object.keys(metafile.inputs);
}

try {
  await mkdir(OUT, { recursive: true });
  const [pages, inCommandLine] = await Promise.all([inspectorPages(), buildCommandLine(), buildLibrary()]);
  for (const { name, text } of pages) await writeFile(`${OUT}/${name}`, text);
  const inputs = [...inCommandLine, ...pages.flatMap((page) => page.inputs)];
  await writeFile(`${OUT}/THIRD-PARTY-NOTICES.txt`, await noticesOf(inputs));
  await rm('dist', { recursive: true, force: true });
  // Another build that ends at the same moment has made the same.
  await rename(OUT, 'dist').catch((error) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
} finally {
  await rm(OUT, { recursive: true, force: true });
}
