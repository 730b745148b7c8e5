/** Marks states and edges in a picture. It reads what each picture says to programs: `data-state` and `data-edges`. */

/** What happened to a state or an edge. */
export type Mark = 'added' | 'changed' | 'removed';

const WORDS: Readonly<Record<Mark, string>> = { added: 'new', changed: 'changed', removed: 'removed' };
const LIGHT: Readonly<Record<Mark, string>> = { added: '#15803d', changed: '#b45309', removed: '#b91c1c' };
const DARK: Readonly<Record<Mark, string>> = { added: '#62cf8f', changed: '#f0a952', removed: '#ff8a85' };
/** The arrow heads of the picture that have these colours. */
const HEADS: Readonly<Record<Mark, string>> = { added: 'done', changed: 'after', removed: 'failed' };
const MARKS = ['added', 'changed', 'removed'] as const;
const LEGEND_HEIGHT = 26;

/**
 * The picture with its marks and a legend; the same text where nothing is marked.
 * @param sources The state of each edge. An edge that the picture writes into the box of its state marks that box.
 */
export function markSvg(
  svg: string,
  marks: ReadonlyMap<string, Mark>,
  sources: ReadonlyMap<string, string>,
): string {
  const used = new Set<Mark>();
  const drawn = new Set<string>();
  /** The label of an arrow has the same tooltip. */
  const labels = new Map<string, Mark>();
  let text = svg.replace(
    /<g class="edge" data-edges="([^"]*)">(<title>[^<]*<\/title>)?/g,
    (whole, attribute: string, title: string | undefined) => {
      const edges = unescapeMarkup(attribute).split('|');
      for (const edge of edges) drawn.add(edge);
      const mark = strongest(edges.flatMap((edge) => marks.get(edge) ?? []));
      if (mark === undefined) return whole;
      used.add(mark);
      if (title !== undefined) labels.set(title, mark);
      return whole.replace('class="edge"', `class="edge diff-${mark}" data-diff="${mark}"`);
    },
  );
  text = text.replace(/<g>(<title>[^<]*<\/title>)<rect class="label"/g, (whole, title: string) => {
    const mark = labels.get(title);
    return mark === undefined ? whole : whole.replace('<g>', `<g class="diff-${mark}">`);
  });
  const written = new Map<string, Mark>();
  for (const [id, mark] of marks) {
    const source = sources.get(id);
    if (source !== undefined && !drawn.has(id))
      written.set(source, strongest([mark, ...optional(written.get(source))]) ?? mark);
  }
  text = text.replace(
    /<g class="state([^"]*)" data-state="([^"]*)">/g,
    (whole, more: string, attribute: string) => {
      const id = unescapeMarkup(attribute);
      const mark = marks.get(id) ?? (written.has(id) ? 'changed' : undefined);
      if (mark === undefined) return whole;
      used.add(mark);
      return whole.replace(`"state${more}"`, `"state${more} diff-${mark}" data-diff="${mark}"`);
    },
  );
  return used.size === 0 ? svg : withLegend(text, used);
}

const optional = <T>(value: T | undefined): T[] => (value === undefined ? [] : [value]);

/** One arrow may stand for several edges. */
function strongest(marks: readonly Mark[]): Mark | undefined {
  const kinds = new Set(marks);
  return kinds.size > 1 ? 'changed' : marks[0];
}

function withLegend(svg: string, used: ReadonlySet<Mark>): string {
  const kinds = MARKS.filter((mark) => used.has(mark));
  const legend = kinds
    .map(
      (mark, index) => `<tspan class="diff-word-${mark}" dx="${index === 0 ? 0 : 14}">${WORDS[mark]}</tspan>`,
    )
    .join('');
  return svg
    .replace(
      / viewBox="0 0 ([\d.]+) ([\d.]+)" width="[\d.]+" height="[\d.]+"/,
      (_, width: string, height: string) => {
        const tall = Number(height) + LEGEND_HEIGHT;
        return ` viewBox="0 ${-LEGEND_HEIGHT} ${width} ${tall}" width="${width}" height="${tall}"`;
      },
    )
    .replace('<rect class="page" width="100%"', `<rect class="page" y="${-LEGEND_HEIGHT}" width="100%"`)
    .replace('</style>', `${rules(kinds)}</style>`)
    .replace('</svg>', `<text x="12" y="-8" font-weight="600">${legend}</text>\n</svg>`);
}

function rules(kinds: readonly Mark[]): string {
  const colors = (of: Readonly<Record<Mark, string>>) =>
    kinds
      .map(
        (mark) =>
          `.diff-${mark}>.box,.diff-${mark}>.group,.diff-${mark}>.arrow{stroke:${of[mark]}}` +
          `.diff-${mark}>.label{stroke:${of[mark]}}.diff-word-${mark}{fill:${of[mark]}}`,
      )
      .join('');
  return [
    // The colours of the other arrows would look like marks.
    '.edge:not([data-diff]),g:not([class]){opacity:.5}',
    ...kinds.map(
      (mark) =>
        `.diff-${mark}>.box,.diff-${mark}>.group,.diff-${mark}>.arrow{stroke-width:3.2}` +
        `.diff-${mark}>.arrow{marker-end:url(#to-${HEADS[mark]})}`,
    ),
    kinds.includes('removed')
      ? '.diff-removed>.box,.diff-removed>.group,.diff-removed>.arrow{stroke-dasharray:7 4}'
      : '',
    colors(LIGHT),
    `@media (prefers-color-scheme: dark){${colors(DARK)}}`,
  ].join('');
}

function unescapeMarkup(value: string): string {
  return value
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}
