// Writes what is made from the sources into the current folder: visualizations/ and docs/errors.md. With --check
// nothing is written, and a document that differs is a failure.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const HELP = 'Usage: npm run charts [-- --check]';

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(HELP);
  process.exit(64);
}

const { CHARTS, documents } = await sources();
const wanted = documents(CHARTS);
const stale = (await readdir('visualizations').catch(() => []))
  .map((name) => `visualizations/${name}`)
  .filter((path) => path.endsWith('.mmd') && !wanted.has(path));

if (option === '--check') {
  const wrong = [];
  for (const [path, text] of wanted) {
    const found = await readFile(path, 'utf8').catch(() => undefined);
    if (found === undefined) wrong.push(`${path} is missing.`);
    else if (found !== text)
      wrong.push(`${path} does not match the sources; first at line ${firstDifference(found, text)}.`);
  }
  for (const path of stale) wrong.push(`${path} has no chart any more.`);
  if (wrong.length > 0) {
    console.error([...wrong, 'Run `npm run charts` and commit what it writes.'].join('\n'));
    process.exit(1);
  }
} else {
  for (const [path, text] of wanted) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  for (const path of stale) await rm(path);
}

/** The sources, built on the fly: no build of the project is needed. */
async function sources() {
  const built = await build({
    stdin: {
      contents:
        "export { CHARTS } from './src/engine/charts.ts'; export { documents } from './src/visualize/documents.ts';",
      resolveDir: join(dirname(fileURLToPath(import.meta.url)), '..'),
      loader: 'ts',
    },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    logLevel: 'warning',
  });
  const code = Buffer.from(built.outputFiles[0].contents).toString('base64');
  return import(`data:text/javascript;base64,${code}`);
}

function firstDifference(found, wanted) {
  const lines = wanted.split('\n');
  const at = found.split('\n').findIndex((line, index) => line !== lines[index]);
  return at === -1 ? found.split('\n').length : at + 1;
}
