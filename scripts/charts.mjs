// Writes the generated documents into the current directory: visualizations/, docs/stories/, docs/errors.md, and the
// hashes of the sources of the charts. With --check it writes nothing, and a document that differs is a failure.
import { readdir, readFile } from 'node:fs/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { authorityDocument } from './authority-document.mjs';
import { writeOrCheck } from './generated.mjs';
import { importSource } from './import-source.mjs';
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

const scenarios = new Promise((resolve, reject) => {
  const worker = new Worker(new URL(import.meta.url));
  worker.once('message', resolve).once('error', reject);
});
scenarios.catch(() => undefined);
const source = await importSource('src/internal.ts');
const { APP_SERVER_METHODS, AUTHORITIES, CHARTS, documents, ENGINE_METHODS, exportAll, toOverview } = source;
const wanted = new Map(documents(CHARTS));
wanted.set('docs/authority.md', authorityDocument({ AUTHORITIES, ENGINE_METHODS, APP_SERVER_METHODS }));
const readme = await readmeWithOverview();
if (readme !== undefined) wanted.set('README.md', readme);
for (const { name, text } of await exportAll(CHARTS)) wanted.set(`visualizations/${name}`, text);
for (const [name, text] of await scenarios) wanted.set(`visualizations/${name}.scenarios.md`, text);
const stories = await storyFiles(source);
for (const [path, text] of stories.wanted) wanted.set(path, text);
const stale = (await readdir('visualizations').catch(() => []))
  .map((name) => `visualizations/${name}`)
  .filter((path) => /\.(mmd|svg|json|dot|scxml|puml|html|scenarios\.md)$/.test(path) && !wanted.has(path))
  .concat(stories.stale);

await writeOrCheck(wanted, stale, { check: isCheck, command: 'npm run charts' });

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
