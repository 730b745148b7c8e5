/** What changed in charts since a revision: sentences, and the pictures of both versions. */

import { chartHash, toChart } from '../../visualize/chart.js';
import { bodyChanges, changePictures, changesBetween } from '../../visualize/chart-diff.js';
import { escapeMarkup, type Svg, svgsOf } from '../../visualize/svg.js';
import type { OutFile } from './files-out.js';
import type { Versions } from './versions.js';

/** How one chart differs between a revision and now. */
export interface ChangedChart extends Versions {
  /** Hashes; null where the chart does not exist. */
  readonly hashes: { readonly before: string | null; readonly after: string | null };
  readonly changes: readonly string[];
}

export function changedCharts(versions: readonly Versions[]): ChangedChart[] {
  return versions.flatMap((one) => {
    const { before, after, hashBefore } = one;
    const hashes = {
      before: before === undefined ? null : (hashBefore ?? chartHash(before)),
      after: after === undefined ? null : chartHash(after),
    };
    const words = wordsFor(one);
    // The hash covers what functions do.
    const isSame = words.length === 0 && hashes.before === hashes.after;
    const changes = isSame || words.length > 0 ? words : ['what a guard, an action or a delay does changed'];
    return changes.length === 0 ? [] : [{ ...one, hashes, changes }];
  });
}

function wordsFor({ name, before, after }: Versions): readonly string[] {
  if (before === undefined) return after === undefined ? [] : [`new chart ${name}`];
  if (after === undefined) return [`chart ${name} removed`];
  return [...changesBetween(toChart(before), toChart(after)).words, ...bodyChanges(before, after)];
}

/** The pictures of both versions with what changed in colour, and one page with all of them. */
export async function diffFiles(changed: readonly ChangedChart[], revision: string): Promise<OutFile[]> {
  const files: OutFile[] = [];
  const sections: string[] = [];
  for (const one of changed) {
    const pictures = await picturesOf(one);
    files.push(...pictures.before, ...pictures.after);
    sections.push(section(one, pictures));
  }
  return [...files, { name: 'changes.html', text: page(revision, sections) }];
}

interface Pictures {
  readonly before: readonly OutFile[];
  readonly after: readonly OutFile[];
}

async function picturesOf({ name, before, after }: ChangedChart): Promise<Pictures> {
  const files = (version: 'before' | 'after', svgs: readonly Svg[], id: string): OutFile[] =>
    svgs.map((svg) => ({ name: `${fileName(name, svg.name, id)}.${version}.svg`, text: svg.text }));
  if (before !== undefined && after !== undefined) {
    const svgs = await changePictures(before, after);
    return { before: files('before', svgs.before, before.id), after: files('after', svgs.after, after.id) };
  }
  const only = before ?? after;
  if (only === undefined) return { before: [], after: [] };
  const svgs = await svgsOf(toChart(only), chartHash(only));
  return before === undefined
    ? { before: [], after: files('after', svgs, only.id) }
    : { before: files('before', svgs, only.id), after: [] };
}

/** The name of a picture begins with the id of its chart. */
const fileName = (name: string, picture: string, id: string): string =>
  `${name}${picture.startsWith(id) ? picture.slice(id.length) : ''}`.replace(/[^\w.-]+/g, '-');

const STYLE = `
:root{color-scheme:light dark}
body{margin:0;padding:8px 24px 48px;font:15px/1.5 'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif;background:#fff;color:#0f172a}
.versions{display:flex;flex-wrap:wrap;gap:24px}figure{margin:0;flex:1 1 420px;min-width:0}figure svg{max-width:100%;height:auto}
figcaption{color:#546378}
@media (prefers-color-scheme:dark){body{background:#0d1117;color:#eef2f8}figcaption{color:#8d99ad}}
`;

function page(revision: string, sections: readonly string[]): string {
  const title = `What changed in the charts since ${escapeMarkup(revision)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${sections.length === 0 ? '<p>Nothing.</p>' : sections.join('\n')}
</body>
</html>
`;
}

function section({ name, hashes, changes }: ChangedChart, { before, after }: Pictures): string {
  const figures = (version: string, files: readonly OutFile[]) =>
    files.map(
      (file) =>
        `<figure><figcaption>${version}: ${escapeMarkup(file.name.replace(/\.(?:before|after)\.svg$/, ''))}</figcaption>\n${file.text}</figure>`,
    );
  return `<section>
<h2>${escapeMarkup(name)}</h2>
<p>${hashes.before ?? 'none'} → ${hashes.after ?? 'none'}</p>
<ul>${changes.map((change) => `<li>${escapeMarkup(change)}</li>`).join('')}</ul>
<div class="versions">${[...figures('before', before), ...figures('after', after)].join('\n')}</div>
</section>`;
}
