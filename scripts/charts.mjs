// Writes the generated documents into the current directory: visualizations/, docs/errors.md, and the hashes of the
// sources of the charts. With --check it writes nothing, and a document that differs is a failure.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { authorityDocument } from './authority-document.mjs';
import { importSource } from './import-source.mjs';
import { SOURCE_HASHES, updateSourceHashes } from './source-hashes.mjs';

// The scenarios take as long as all pictures together, so a second thread makes them.
if (!isMainThread) {
  const { scenarios } = await importSource('src/testing/charts/index.ts');
  parentPort.postMessage([...scenarios()]);
  process.exit();
}

const HELP = 'Usage: npm run charts [-- --check]';

const [option, ...rest] = process.argv.slice(2);
if (rest.length > 0 || (option !== undefined && option !== '--check')) {
  console.error(HELP);
  process.exit(64);
}

// All other documents show the hashes of the charts, which are made from this file.
const isCheck = option === '--check';
if ((await updateSourceHashes(isCheck)) && isCheck) {
  console.error(
    `${SOURCE_HASHES} does not match the sources. Run \`npm run charts\` and commit what it writes.`,
  );
  process.exit(1);
}

const scenarios = new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url));
  worker.once('message', resolve).once('error', reject);
});
scenarios.catch(() => undefined);
const { APP_SERVER_METHODS, AUTHORITIES, CHARTS, documents, ENGINE_METHODS, exportAll, toOverview } =
  await importSource('src/internal.ts');
const wanted = new Map(documents(CHARTS));
wanted.set('docs/authority.md', authorityDocument({ AUTHORITIES, ENGINE_METHODS, APP_SERVER_METHODS }));
const readme = await readmeWithOverview();
if (readme !== undefined) wanted.set('README.md', readme);
for (const { name, text } of await exportAll(CHARTS)) wanted.set(`visualizations/${name}`, text);
for (const [name, text] of await scenarios) wanted.set(`visualizations/${name}.scenarios.md`, text);
const stale = (await readdir('visualizations').catch(() => []))
  .map((name) => `visualizations/${name}`)
  .filter((path) => /\.(mmd|svg|json|dot|html|scenarios\.md)$/.test(path) && !wanted.has(path));

if (isCheck) {
  const wrong = [];
  for (const [path, text] of wanted) {
    const found = await readFile(path, 'utf8').catch(() => undefined);
    if (found === undefined) wrong.push(`${path} is missing.`);
    else if (found !== text)
      wrong.push(`${path} does not match the sources; first at line ${firstDifference(found, text)}.`);
  }
  for (const path of stale) wrong.push(`${path} belongs to no chart.`);
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

/** Draws the picture between the markers of README.md; the rest of the page does not change. */
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
