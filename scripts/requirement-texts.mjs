// The text of each requirement in docs/spec, by its number, for pages that show what a chart is for.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './import-source.mjs';

const DOCUMENTS = ['remote-control', 'websocket-auth', 'account', 'hub'];
const ITEM = /^- (?:\*\*)?((?:RC|WSA|ACC|HUB)-\d+[a-z]?)\b(?:\*\*)?\s*/;
const NUMBER = /\b(?:RC|WSA|ACC|HUB)-\d+[a-z]?\b/g;

/** @param texts the requirements that one of these texts cites are returned */
export async function requirementTexts(texts) {
  const cited = new Set(texts.flatMap((text) => text.match(NUMBER) ?? []));
  const found = {};
  for (const name of DOCUMENTS) {
    const lines = (await readFile(join(ROOT, 'docs/spec', `${name}.md`), 'utf8')).split('\n');
    let current;
    for (const line of lines) {
      const [item, id] = ITEM.exec(line) ?? [];
      if (id !== undefined) {
        current = id;
        if (cited.has(id)) found[id] = plain(line.slice(item.length));
      } else if (/^\s+\S/.test(line)) {
        if (cited.has(current)) found[current] += ` ${plain(line.trim())}`;
      } else current = undefined;
    }
  }
  return found;
}

/** Without the marks of Markdown: the page shows it as text. */
const plain = (text) => text.replaceAll(/\*\*|`/g, '').replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
