// Writes the generated documents into the current directory: visualizations/, docs/stories/, docs/errors.md, the
// hashes of the sources of the charts, and the script of the page of all charts. With --check it writes nothing, and a document that differs is a failure.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { authorityDocument } from './authority-document.mjs';
import { writeOrCheck } from './generated.mjs';
import { importSource, ROOT } from './import-source.mjs';
import { PAGE_SCRIPT_FILE, updatePageScript } from './page-script.mjs';
import { SOURCE_HASHES, updateSourceHashes } from './source-hashes.mjs';
import { storyFiles } from './story-files.mjs';

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

if ((await updatePageScript(isCheck)) && isCheck) {
  console.error(
    `${PAGE_SCRIPT_FILE} does not match its sources. Run \`npm run charts\` and commit what it writes.`,
  );
  process.exit(1);
}

const scenarios = new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url));
  worker.once('message', resolve).once('error', reject);
});
scenarios.catch(() => undefined);
const source = await importSource('src/internal.ts');
const { APP_SERVER_METHODS, AUTHORITIES, CHARTS, chartHashes, documents, ENGINE_METHODS, exportAll } = source;
const { toOverview } = source;
const wanted = new Map(documents(CHARTS));
wanted.set('docs/authority.md', authorityDocument({ AUTHORITIES, ENGINE_METHODS, APP_SERVER_METHODS }));
wanted.set('src/engine/chart-hashes.ts', hashTable(chartHashes()));
const readme = await readmeWithOverview();
if (readme !== undefined) wanted.set('README.md', readme);
for (const [name, text] of await scenarios) wanted.set(`visualizations/${name}.scenarios.md`, text);
const specification = await Promise.all(
  ['remote-control', 'websocket-auth', 'account'].map((name) =>
    readFile(join(ROOT, `docs/spec/${name}.md`), 'utf8'),
  ),
);
const extras = { scenarios: new Map(await scenarios), specification };
for (const { name, text } of await exportAll(CHARTS, extras)) wanted.set(`visualizations/${name}`, text);
const stories = await storyFiles(source);
for (const [path, text] of stories.wanted) wanted.set(path, text);
const stale = (await readdir('visualizations').catch(() => []))
  .map((name) => `visualizations/${name}`)
  .filter((path) => /\.(mmd|svg|json|dot|scxml|puml|html|scenarios\.md)$/.test(path) && !wanted.has(path))
  .concat(stories.stale);

await writeOrCheck(wanted, stale, { check: isCheck, command: 'npm run charts' });

/** The hashes as a table, so that the status of an engine needs no chart that the engine does not run. */
function hashTable(hashes) {
  const rows = Object.entries(hashes).map(([name, hash]) => `  ${name}: '${hash}',\n`);
  return `/** Written by \`npm run charts\`: the content hash of each chart, by its name. */
export const CHART_HASHES: Readonly<Record<string, string>> = {
${rows.join('')}};
`;
}

/** Draws the picture between the markers of README.md; the rest of the page does not change. */
async function readmeWithOverview() {
  const text = await readFile('README.md', 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const overview = toOverview(CHARTS.remoteControl, { open: ['active'] });
  return text.replace(
    /(<!-- chart:remoteControl -->\n)[\s\S]*(<!-- \/chart -->)/,
    (_, start, end) => `${start}\n\`\`\`mermaid\n${overview}\`\`\`\n\n${end}`,
  );
}
