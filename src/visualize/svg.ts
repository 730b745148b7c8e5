/** A picture as a standalone SVG for light and dark pages, with descriptions as tooltips. */

import type { Chart } from './chart.js';
import {
  PAD,
  type Placed,
  type PlacedArrow,
  type PlacedBox,
  type Point,
  type Rect,
  TITLE_HEIGHT,
} from './geometry.js';
import { type LayoutOptionsOfPicture, layout } from './layout.js';
import type { LayoutRecord } from './layout-records.js';
import { FONT, INDENT, LINE_HEIGHT, type Line } from './lines.js';
import type { Box, Picture } from './picture.js';
import { picturesOf } from './pictures.js';

export interface Svg {
  /** `remoteControl`, or `remoteControl.active.backingOff` for the inside of a state. */
  readonly name: string;
  readonly description: string;
  readonly width: number;
  readonly height: number;
  readonly text: string;
  /** How to lay it out in the same way again. */
  readonly record: LayoutRecord;
}

/** All pictures of a chart, the overview first. */
export async function svgsOf(chart: Chart, hash: string, options?: LayoutOptionsOfPicture): Promise<Svg[]> {
  const svgs: Svg[] = [];
  for (const picture of picturesOf(chart)) svgs.push(await svgOf(picture, hash, options));
  return svgs;
}

export async function svgOf(picture: Picture, hash: string, options?: LayoutOptionsOfPicture): Promise<Svg> {
  const placed = await layout(picture, options);
  const { name, description } = picture;
  const { width, height, record } = placed;
  return { name, description, width, height, text: draw(placed, hash), record };
}

const LIGHT = {
  page: '#ffffff',
  box: '#ffffff',
  group: '#f6f8fb',
  line: '#64748b',
  rule: '#d5dde8',
  name: '#0f172a',
  plain: '#334155',
  faint: '#546378',
  tag: '#15803d',
  event: '#1d4ed8',
  after: '#b45309',
  done: '#15803d',
  failed: '#b91c1c',
  always: '#6d28d9',
};
const DARK: typeof LIGHT = {
  page: '#0d1117',
  box: '#161b26',
  group: '#111722',
  line: '#7d8aa0',
  rule: '#2c3647',
  name: '#eef2f8',
  plain: '#c3ccda',
  faint: '#8d99ad',
  tag: '#5fc58a',
  event: '#7fb0ff',
  after: '#f0a952',
  done: '#62cf8f',
  failed: '#ff8a85',
  always: '#c0a3ff',
};
const INKS = ['event', 'after', 'done', 'failed', 'always', 'plain'] as const;

function colorRules(c: typeof LIGHT): string {
  return [
    `.page{fill:${c.page}}.label{fill:${c.group}}`,
    `.box{fill:${c.box};stroke:${c.line}}`,
    `.group{fill:${c.group};stroke:${c.line}}`,
    `.rule{stroke:${c.rule}}`,
    `.name{fill:${c.name}}`,
    `.faint{fill:${c.faint}}`,
    `.tag{fill:${c.tag}}`,
    ...INKS.map((ink) => `.${ink}{fill:${c[ink]}}.a-${ink}{stroke:${c[ink]}}`),
  ].join('');
}

const STYLE = [
  `text{font-size:${FONT}px}`,
  '.title{font-size:13px;font-weight:600}.name{font-weight:600}',
  '.box,.group{stroke-width:1.2}.arrow{fill:none;stroke-width:1.3}.spine{stroke-width:2.6}.region,.elsewhere{stroke-dasharray:5 3}',

  '.label{opacity:.88}',
  colorRules(LIGHT),
  '.box.behind{fill:none;stroke:none}',
  `@media (prefers-color-scheme: dark){${colorRules(DARK)}}`,
].join('');

function draw(placed: Placed, hash: string): string {
  const { picture, width, height } = placed;
  const groups = placed.boxes.filter(({ box }) => hasChildren(picture, box));
  const leaves = placed.boxes.filter(({ box }) => !hasChildren(picture, box));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
      ` font-family="'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif" role="img" data-chart="${escapeMarkup(picture.name)}" data-hash="${hash}">`,
    `<title>${escapeMarkup(picture.title)}${picture.description === '' ? '' : ` – ${escapeMarkup(picture.description)}`} (chart ${hash})</title>`,
    `<style>${STYLE}</style>`,
    `<defs>${INKS.map(marker).join('')}</defs>`,
    `<rect class="page" width="100%" height="100%"/>`,
    ...groups.map((placedBox) => drawBox(placedBox, true)),
    ...placed.arrows.map(drawArrow),
    ...leaves.map((placedBox) => drawBox(placedBox, false)),
    ...placed.arrows.map(drawLabel),
    '</svg>',
    '',
  ]
    .filter((part, index, all) => part !== '' || index === all.length - 1)
    .join('\n');
}

function hasChildren(picture: Picture, box: Box): boolean {
  return picture.boxes.some(({ parent }) => parent === box.id);
}

const marker = (ink: string): string =>
  `<marker id="to-${ink}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="10" markerHeight="10" markerUnits="userSpaceOnUse" orient="auto"><path class="${ink}" d="M0 1L10 5L0 9z"/></marker>`;

function drawBox({ box, rect, text: lines }: PlacedBox, isGroup: boolean): string {
  const { x, y, width, height } = rect;
  const title = `<title>${escapeMarkup(box.tooltip)}</title>`;
  if (box.kind === 'initial') {
    return `<circle class="name" cx="${x + 6}" cy="${y + 6}" r="5.5">${title}</circle>`;
  }
  if (box.kind === 'anywhere') {
    return (
      `<g>${title}<circle class="box" cx="${x + 8}" cy="${y + 8}" r="7.5"/>` +
      `<path class="a-plain" stroke-width="1.3" d="M${x + 8} ${y + 4}v8M${x + 4.5} ${y + 6}l7 4M${x + 4.5} ${y + 10}l7 -4"/></g>`
    );
  }
  const kind = box.kind === 'elsewhere' ? ' elsewhere' : box.region ? ' region' : '';
  const shape = (inset: number, radius: number, extra = '') =>
    `<rect class="${isGroup ? 'group' : 'box'}${extra}" x="${x + inset}" y="${y + inset}" width="${width - 2 * inset}" height="${height - 2 * inset}" rx="${radius}"/>`;
  const titleOnly = !isGroup && !box.folded && box.lines.length === 0;
  const isDiamond = box.choice && titleOnly;
  const parts = [
    title,
    shape(0, 9, isDiamond ? ' behind' : kind),
    isDiamond ? diamond(rect) : box.choice ? choiceMark(x + PAD, y + 14.5) : '',
    box.state?.kind === 'final' && box.kind === 'state' ? shape(3, 6.5) : '',
    isGroup ? `<path class="rule" d="M${x} ${y + TITLE_HEIGHT - 2}h${width}"/>` : '',
    titleOnly
      ? text(x + width / 2, y + height / 2 + 4.5, 'title name', box.title, ' text-anchor="middle"')
      : text(x + PAD + (box.choice ? 15 : 0), y + 19, 'title name', box.title),
    box.state?.kind === 'parallel'
      ? text(x + width - 8, y + 19, 'faint', 'parallel', ' text-anchor="end"')
      : '',
    box.folded ? foldMark(x + width - 19, y + 10) : '',
    ...box.lines.map((line, index) => drawLine(line, lines.x + PAD, lines.y + 12 + index * LINE_HEIGHT)),
  ];
  return `<g class="state" data-state="${escapeMarkup(box.id)}">${parts.join('')}</g>`;
}

/** A choice is a flat diamond; its upper and lower edges are long enough for every arrow. */
function diamond({ x, y, width, height }: Rect): string {
  const end = height / 2;
  return `<path class="box" d="M${x} ${y + end}L${x + end} ${y}H${x + width - end}L${x + width} ${y + end}L${x + width - end} ${y + height}H${x + end}z"/>`;
}

/** The sign of a choice, before its name. */
const choiceMark = (x: number, y: number): string => `<path class="always" d="M${x} ${y}l5 -5l5 5l-5 5z"/>`;

/** Two small boxes in the corner, the sign of a folded state. */
function foldMark(x: number, y: number): string {
  return `<rect class="box" x="${x}" y="${y}" width="7" height="5" rx="1.5"/><rect class="box" x="${x + 5}" y="${y + 4}" width="7" height="5" rx="1.5"/>`;
}

function drawArrow({ arrow, points }: PlacedArrow): string {
  const edges = arrow.edges.length === 0 ? '' : ` data-edges="${escapeMarkup(arrow.edges.join('|'))}"`;
  const title = arrow.tooltip === '' ? '' : `<title>${escapeMarkup(arrow.tooltip)}</title>`;
  return `<g class="edge"${edges}>${title}<path class="arrow a-${arrow.ink}${arrow.spine ? ' spine' : ''}" marker-end="url(#to-${arrow.ink})" d="${path(points)}"/></g>`;
}

function drawLabel({ arrow, label }: PlacedArrow): string {
  if (label === null) return '';
  const { x, y, width, height } = label;
  const lines = arrow.lines
    .map((line, index) => drawLine(line, x + 4, y + 12 + index * LINE_HEIGHT))
    .join('');
  return `<g><title>${escapeMarkup(arrow.tooltip)}</title><rect class="label" x="${x}" y="${y}" width="${width}" height="${height}" rx="3"/>${lines}</g>`;
}

function drawLine(line: Line, x: number, y: number): string {
  const spans = line.spans
    .map(({ text, ink }) => `<tspan class="${ink}">${escapeMarkup(text)}</tspan>`)
    .join('');
  return `<text x="${line.continued ? x + INDENT : x}" y="${y}" xml:space="preserve">${spans}</text>`;
}

function text(x: number, y: number, classes: string, content: string, extra = ''): string {
  return `<text x="${x}" y="${y}" class="${classes}"${extra}>${escapeMarkup(content)}</text>`;
}

/** The path of an arrow, with rounded corners. */
function path(points: readonly Point[]): string {
  const parts: string[] = [];
  points.forEach((point, index) => {
    const before = points[index - 1];
    const after = points[index + 1];
    if (before === undefined) parts.push(`M${point.x} ${point.y}`);
    else if (after === undefined) parts.push(`L${point.x} ${point.y}`);
    else {
      const a = pointTowards(point, before);
      const b = pointTowards(point, after);
      parts.push(`L${a.x} ${a.y}Q${point.x} ${point.y} ${b.x} ${b.y}`);
    }
  });
  return parts.join('');
}

function pointTowards(from: Point, to: Point): Point {
  const length = Math.abs(to.x - from.x) + Math.abs(to.y - from.y);
  const part = length === 0 ? 0 : Math.min(6, length / 2) / length;
  const at = (a: number, b: number) => Math.round((a + (b - a) * part) * 10) / 10;
  return { x: at(from.x, to.x), y: at(from.y, to.y) };
}

/** Control characters and halves of surrogate pairs. XML has no way to write them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to remove
const NOT_IN_XML = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;

/** Escapes text for XML and HTML, between tags and in attributes. */
export function escapeMarkup(value: string): string {
  return value
    .replace(NOT_IN_XML, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
