// One script with a chart, its hand-written tests and its laws. It can be evaluated again for each mutant in milliseconds.
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../import-source.mjs';

/** The files with the tests of a chart, by kind: `app-server.test.ts` and its parts, such as `app-server.clients.test.ts`. */
export function testsOf(chart) {
  const name = chart.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const found = (folder) =>
    readdirSync(join(ROOT, folder))
      .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.test.ts'))
      .map((file) => `${folder}/${file}`);
  return { hand: found('test/machines'), laws: found('test/model/laws') };
}

/** A file of machines/ with a fault; undefined when the sources have changed too much. */
export async function withFault({ file, at, before, after }) {
  const text = await readFile(join(ROOT, 'machines', file), 'utf8');
  const from = text.indexOf(at);
  const place = from === -1 ? -1 : text.indexOf(before, from);
  return place === -1 ? undefined : `${text.slice(0, place)}${after}${text.slice(place + before.length)}`;
}

/** Gives one file another text. */
const replacing = (file, contents) => ({
  name: 'fault',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) =>
      path === join(ROOT, 'machines', file) ? { contents, loader: 'ts' } : undefined,
    );
  },
});

/**
 * CommonJS text whose exports are those of judge.ts, and the functions `hand` and `laws`, which register the tests. `fault` is a
 * file of machines/ with another text.
 */
export async function bundleOf(chart, fault) {
  const loaders = Object.entries(testsOf(chart)).map(
    ([kind, files]) =>
      `export const ${kind} = () => { ${files.map((file) => `require('./${file}');`).join(' ')} };`,
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
    plugins: fault === undefined ? [] : [replacing(fault.file, fault.contents)],
    define: { 'import.meta.url': '""', 'import.meta.dirname': '""' },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].text;
}
