// One script with a chart, its hand-written tests and its laws. It can be evaluated again for each mutant in milliseconds.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../import-source.mjs';

/** The files with the tests of a chart, by kind. */
export function testsOf(chart) {
  const file = `${chart.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.test.ts`;
  const found = (path) => (existsSync(join(ROOT, path)) ? path : undefined);
  return { hand: found(`test/machines/${file}`), laws: found(`test/model/laws/${file}`) };
}

/** CommonJS text whose exports are those of judge.ts, and the functions `hand` and `laws`, which register the tests. */
export async function bundleOf(chart) {
  const loaders = Object.entries(testsOf(chart)).map(
    ([kind, file]) =>
      `export const ${kind} = () => ${file === undefined ? 'undefined' : `require('./${file}')`};`,
  );
  const { outputFiles } = await build({
    stdin: {
      contents: [`export * from './test/model/mutation/judge.ts';`, ...loaders].join('\n'),
      resolveDir: ROOT,
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'cjs',
    packages: 'external',
    define: { 'import.meta.url': '""', 'import.meta.dirname': '""' },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].text;
}
