// Writes what is made from the sources into the current folder: visualizations/ and docs/errors.md. With --check
// nothing is written, and a document that differs is a failure.
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';

const HELP = 'Usage: npm run charts [-- --check]';

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(HELP);
  process.exit(64);
}

const { CHARTS, documents, exportAll, scenarios, toOverview } = await sources();
const wanted = new Map(documents(CHARTS));
const readme = await readmeWithOverview();
if (readme !== undefined) wanted.set('README.md', readme);
for (const { name, text } of await exportAll(CHARTS)) wanted.set(`visualizations/${name}`, text);
for (const [name, text] of scenarios()) wanted.set(`visualizations/${name}.scenarios.md`, text);
const stale = (await readdir('visualizations').catch(() => []))
  .map((name) => `visualizations/${name}`)
  .filter((path) => /\.(mmd|svg|json|dot|html|scenarios\.md)$/.test(path) && !wanted.has(path));

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

/** The sources, built on the fly: no build of the project is needed. Beside node_modules, where packages are found. */
async function sources() {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  const cache = join(root, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, 'charts-'));
  try {
    const outfile = join(folder, 'charts.mjs');
    await build({
      stdin: {
        contents: [
          "export { CHARTS } from './src/engine/charts.ts';",
          "export { documents } from './src/visualize/documents.ts';",
          "export { exportAll } from './src/visualize/exports.ts';",
          "export { scenarios } from './src/testing/charts/index.ts';",
          "export { toOverview } from './src/visualize/overview.ts';",
        ].join('\n'),
        resolveDir: root,
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
      outfile,
      logLevel: 'warning',
    });
    return await import(pathToFileURL(outfile).href);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The picture between the markers of README.md is drawn anew; the rest of the page, if there is one, stays as it is. */
async function readmeWithOverview() {
  const text = await readFile('README.md', 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const overview = toOverview(CHARTS.remoteControl, {
    open: ['active'],
    without: ['idle', 'stopping', 'active.backingOff'],
  });
  return text.replace(
    /(<!-- chart:remoteControl -->\n)[\s\S]*(<!-- \/chart -->)/,
    (_, start, end) => `${start}\n\`\`\`mermaid\n${overview}\`\`\`\n\n${end}`,
  );
}

function firstDifference(found, wanted) {
  const lines = wanted.split('\n');
  const at = found.split('\n').findIndex((line, index) => line !== lines[index]);
  return at === -1 ? found.split('\n').length : at + 1;
}
