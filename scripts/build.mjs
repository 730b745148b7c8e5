// Builds dist/ in two forms. The library keeps its dependencies as imports, because the machines must run on the xstate
// of the program that embeds them. The command line is one script, which cli.js runs from V8's code cache, so that a
// start compiles nothing.
import { spawnSync } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { hubPage } from './hub-page.mjs';
import { inspectorPages } from './inspector-page.mjs';
import { bundledKeyvSqlite } from './keyv-sqlite.mjs';
import { noticesOf } from './notices.mjs';

/** Built here and then renamed to dist/, so that a start during the build finds either the old program or the new one. */
const OUT = `.dist-${process.pid}`;

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  legalComments: 'none',
};

/** The layout engine of the charts, one large file. dist/ holds it compressed, and it is loaded at first use. */
const ELK = 'elkjs/lib/elk.bundled.js';
const ELK_COPY = './elk.cjs';

/** Loads the TypeScript of users, a dependency of the package. */
const TYPESCRIPT_LOADER = 'jiti';

/** The client of NATS, which only a hub with a broker needs. dist/ holds it compressed. */
const NATS = 'src/hub/nats-client.ts';
const NATS_COPY = './nats.cjs';

/** Modules of Node, the layout engine, the client of NATS and the loader stay out of the script. They are required at first use. */
const outside = {
  name: 'outside',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/nats-client\.js$/ }, () => ({ path: NATS_COPY, namespace: 'outside' }));
    onResolve({ filter: /.*/ }, ({ path }) =>
      isBuiltin(path) || path === ELK || path === TYPESCRIPT_LOADER
        ? { path: path === ELK ? ELK_COPY : path, namespace: 'outside' }
        : undefined,
    );
    onLoad({ filter: /.*/, namespace: 'outside' }, ({ path }) => ({
      contents: `module.exports = requireOutside(${JSON.stringify(path)});`,
    }));
  },
};

/** Polyfills for older versions of Node; some are slow to load. */
const NOT_NEEDED = /[\\/]fetch-blob[\\/]streams\.cjs$/;
const withoutPolyfills = {
  name: 'without-polyfills',
  setup({ onLoad }) {
    onLoad({ filter: NOT_NEEDED }, () => ({ contents: '' }));
  },
};

const elkCopy = {
  name: 'elk-copy',
  setup({ onResolve }) {
    onResolve({ filter: /^elkjs\// }, () => ({ path: ELK_COPY, external: true }));
  },
};

const bundledPackages = {
  name: 'bundled-packages',
  setup({ onResolve }) {
    onResolve(
      {
        filter:
          /^(?:node-fetch|fetch-blob|formdata-polyfill|data-uri-to-buffer|prom-client|tdigest|bintrees|@opentelemetry\/api)(?:\/|$)/,
      },
      ({ path }) => ({
        path: fileURLToPath(import.meta.resolve(path)),
      }),
    );
  },
};

async function buildLibrary() {
  await build({
    ...common,
    entryPoints: {
      index: 'src/index.ts',
      machines: 'machines/registered.ts',
      testing: 'src/testing/index.ts',
      visualize: 'src/visualize/index.ts',
    },
    outdir: OUT,
    splitting: true,
    chunkNames: 'lib-[hash]',
    // The others stay imports. node-fetch would bring 9 MB of polyfills, and prom-client 4 MB that most engines never load.
    packages: 'external',
    plugins: [bundledKeyvSqlite, bundledPackages, withoutPolyfills, elkCopy],
  });
}

async function buildCommandLine() {
  const { outputFiles, metafile } = await build({
    ...common,
    entryPoints: ['src/cli/main.ts'],
    plugins: [outside, bundledKeyvSqlite, withoutPolyfills],
    define: { 'import.meta': 'scriptMeta' },
    // cli.js reads the script as Latin-1, one byte per character.
    charset: 'ascii',
    // Identifiers are not minified, because chart hashes depend on function names; keepNames would cost time at each closure.
    minifyWhitespace: true,
    minifySyntax: true,
    write: false,
    metafile: true,
  });
  const text = outputFiles[0].text.replace(/^#!.*\n/, '');
  if (/^(import|export)\b/m.test(text))
    throw new Error('The bundle of the command line is not a single script.');
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
    console.warn(`The code cache was not created, so dist/cli.js starts more slowly.\n${stderr}`);
  }
  return Object.keys(metafile.inputs);
}

async function buildNatsClient() {
  const { outputFiles, metafile } = await build({
    ...common,
    ...{ entryPoints: [NATS], format: 'cjs', minify: true, write: false, metafile: true },
  });
  return { text: outputFiles[0].text, inputs: Object.keys(metafile.inputs) };
}

try {
  await mkdir(OUT, { recursive: true });
  const [pages, inCommandLine, nats] = await Promise.all([
    Promise.all([inspectorPages(), hubPage()]).then((all) => all.flat()),
    buildCommandLine(),
    buildNatsClient(),
    buildLibrary(),
  ]);
  for (const { name, text } of pages) await writeFile(`${OUT}/${name}.br`, brotliCompressSync(text));
  const elk = fileURLToPath(import.meta.resolve(ELK));
  for (const copy of [ELK_COPY, NATS_COPY]) await copyFile('scripts/compressed-boot.cjs', `${OUT}/${copy}`);
  await writeFile(`${OUT}/${NATS_COPY}.br`, brotliCompressSync(nats.text));
  await writeFile(`${OUT}/${ELK_COPY}.br`, brotliCompressSync(await readFile(elk)));
  const inputs = [elk, ...nats.inputs, ...inCommandLine, ...pages.flatMap((page) => page.inputs)];
  await writeFile(`${OUT}/THIRD-PARTY-NOTICES.txt`, await noticesOf(inputs));
  const manual = spawnSync(process.execPath, [`${OUT}/cli.js`, 'completion', '--man'], { encoding: 'utf8' });
  if (manual.status !== 0) throw new Error(`The manual page was not made.\n${manual.stderr}`);
  await writeFile(`${OUT}/rc-engine.1`, manual.stdout);
  await rm('dist', { recursive: true, force: true });
  // Another build that ended at the same moment has produced the same files.
  await rename(OUT, 'dist').catch((error) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
} finally {
  await rm(OUT, { recursive: true, force: true });
}
