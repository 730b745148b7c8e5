// The hashes of the sources of the charts, for machines/shared/source-hashes.ts. A source is the file of a chart with
// everything that it imports and uses, without types, comments, descriptions and marks for pictures. So a changed body
// changes the hash, and neither the bundler's settings nor the version of Node do.
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { importSource, ROOT } from './import-source.mjs';

export const SOURCE_HASHES = 'machines/shared/source-hashes.ts';
const INDEX = 'machines/index.ts';
/** Members of a definition that only pictures use. */
const SHOWN = new Set(['description', 'meta']);

/** The text of machines/shared/source-hashes.ts. */
export async function sourceHashes() {
  const machines = await importSource(INDEX);
  const rows = [];
  for (const { name, file } of await exportsOf(INDEX)) {
    const { id, config } = machines[name] ?? {};
    if (typeof id === 'string' && config !== undefined) rows.push([id, await hashOf(name, file)]);
  }
  const lines = rows.sort(([a], [b]) => (a < b ? -1 : 1)).map(([id, hash]) => `  ${id}: '${hash}',`);
  return [
    '/** Written by `npm run charts`: the hash of the sources of each chart, by its id. */',
    'export const SOURCE_HASHES: Readonly<Record<string, string>> = {',
    ...lines,
    '};',
    '',
  ].join('\n');
}

/** Writes the file if it differs; true if it did. With `isCheck` nothing is written. */
export async function updateSourceHashes(isCheck) {
  const path = join(ROOT, SOURCE_HASHES);
  const wanted = await sourceHashes();
  if ((await readFile(path, 'utf8').catch(() => undefined)) === wanted) return false;
  if (!isCheck) await writeFile(path, wanted);
  return true;
}

/** Names with the files that they are exported from. */
async function exportsOf(index) {
  const text = await readFile(join(ROOT, index), 'utf8');
  return [...text.matchAll(/export\s*\{([^}]*)\}\s*from\s*'([^']+)\.js'/g)].flatMap(([, names, from]) =>
    names.split(',').map((name) => ({ name: name.trim(), file: join(dirname(index), `${from}.ts`) })),
  );
}

async function hashOf(name, file) {
  const { outputFiles } = await build({
    stdin: { contents: `export { ${name} } from './${file}';`, resolveDir: ROOT, loader: 'ts' },
    bundle: true,
    format: 'esm',
    target: 'esnext',
    platform: 'neutral',
    packages: 'external',
    legalComments: 'none',
    write: false,
    logLevel: 'warning',
  });
  return createHash('sha256').update(withoutWords(outputFiles[0].text)).digest('hex').slice(0, 16);
}

function withoutWords(text) {
  const file = ts.createSourceFile('chart.js', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const { transformed } = ts.transform(file, [
    (context) => (root) => {
      const visit = (node) => (isForPictures(node) ? undefined : ts.visitEachChild(node, visit, context));
      return ts.visitNode(root, visit);
    },
  ]);
  return ts.createPrinter({ removeComments: true }).printFile(transformed[0]);
}

function isForPictures(node) {
  if (ts.isPropertyAssignment(node) || ts.isShorthandPropertyAssignment(node))
    return ts.isIdentifier(node.name) && SHOWN.has(node.name.text);
  const isSpine = (name) => ts.isIdentifier(name) && name.text === 'spine';
  if (ts.isSpreadAssignment(node)) return isSpine(node.expression);
  return ts.isVariableStatement(node) && node.declarationList.declarations.every(({ name }) => isSpine(name));
}
