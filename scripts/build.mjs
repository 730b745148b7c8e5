// Builds dist/. Two shapes: the library keeps its dependencies as imports (an embedder's own xstate must be
// the one the machines run on); the command line is one bundle split by command, so that a start loads little.
import { rm } from 'node:fs/promises';
import { build } from 'esbuild';

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  logLevel: 'warning',
  legalComments: 'none',
};

await rm('dist', { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    entryPoints: { index: 'src/index.ts', machines: 'machines/index.ts' },
    outdir: 'dist',
    splitting: true,
    chunkNames: 'lib-[hash]',
    packages: 'external',
    sourcemap: true,
  }),
  build({
    ...common,
    entryPoints: { cli: 'src/cli/main.ts' },
    outdir: 'dist',
    splitting: true,
    chunkNames: 'cli-[name]-[hash]',
    external: ['sqlite3'],
    minify: true,
    keepNames: true,
    banner: {
      js: "import { createRequire as __rcRequire } from 'node:module'; const require = __rcRequire(import.meta.url);",
    },
  }),
]);
