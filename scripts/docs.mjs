// Writes docs/cli.md from the table of commands, docs/requirements.md from the specification and the tests, and the
// documentation as a site into site/, which git ignores. The site has no script and asks no other host for anything. With
// --check nothing is written: a document that differs from the sources, or a page that leads nowhere, is a failure.
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cliDocument } from './cli-document.mjs';
import { sitePages } from './docs-site.mjs';
import { importSource, ROOT } from './import-source.mjs';

const HELP = 'Usage: npm run docs [-- --check | --out DIRECTORY]';

const [option, out = join(ROOT, 'site'), ...rest] = process.argv.slice(2);
const isCheck = option === '--check';
if (
  rest.length > 0 ||
  ![undefined, '--check', '--out'].includes(option) ||
  (option === '--out') !== (process.argv.length === 4)
) {
  console.error(HELP);
  process.exit(64);
}

const { CHARTS, COMMANDS, completionTable, flagOf, START_SETTINGS, variableOf } =
  await importSource('src/internal.ts');
const { commands } = completionTable(COMMANDS, Object.keys(CHARTS));
const reference = cliDocument({ commands, settings: START_SETTINGS, variableOf, flagOf });
const wrong = [];
// With --out only the site is written.
const documents =
  option === '--out'
    ? []
    : [
        ['docs/cli.md', reference],
        ['docs/requirements.md', await requirements()],
      ];
for (const [name, text] of documents) {
  const path = join(ROOT, name);
  if (!isCheck) await writeFile(path, text);
  else if ((await readFile(path, 'utf8').catch(() => undefined)) !== text)
    wrong.push(`${name} does not match the sources. Run \`npm run docs\` and commit it.`);
}

const { pages, files, broken } = await sitePages();
wrong.push(...broken);
if (!isCheck) {
  // A directory that somebody names may hold more than the site.
  if (option === undefined) await rm(out, { recursive: true, force: true });
  for (const [path, html] of pages) {
    await mkdir(dirname(join(out, path)), { recursive: true });
    await writeFile(join(out, path), html);
  }
  for (const file of files) await cp(join(ROOT, file), join(out, file));
  await cp(join(ROOT, 'scripts/docs-site.css'), join(out, 'site.css'));
  console.log(`${join(out, 'index.html')}: ${pages.size} pages`);
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exitCode = 1;
}

async function requirements() {
  const { requirementsDocument } = await importSource('test/spec/coverage.ts');
  // The tests of the specification name numbers as samples.
  const tests = (await filesIn('test', '.ts')).filter(({ path }) => !path.startsWith(join('test', 'spec')));
  return requirementsDocument(await filesIn('docs/spec', '.md'), tests);
}

async function filesIn(directory, ending) {
  const names = await readdir(join(ROOT, directory), { recursive: true });
  const paths = names.filter((name) => name.endsWith(ending)).map((name) => join(directory, name));
  const read = async (path) => ({ path, text: await readFile(join(ROOT, path), 'utf8') });
  return Promise.all(paths.sort().map(read));
}
