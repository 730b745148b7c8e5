// The files of docs/stories in the current directory, as the charts make them now.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './import-source.mjs';

/** The layouts that the last run found: a recorded one needs no search. */
const LAYOUTS = join(ROOT, 'docs/stories/layouts.json');

/** @returns the text of each file by its path, and the files that belong to no story */
export async function storyFiles({ CHARTS, STORIES, storyDocuments }) {
  const layouts = JSON.parse(await readFile(LAYOUTS, 'utf8').catch(() => '{}'));
  const wanted = await storyDocuments(STORIES, CHARTS, layouts);
  const stale = (await readdir('docs/stories').catch(() => []))
    .map((name) => `docs/stories/${name}`)
    .filter((path) => !wanted.has(path));
  return { wanted, stale };
}
