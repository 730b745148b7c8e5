/** Draws the rows of a story as a sequence diagram: time runs down, one lane for each party and chart. */
import { textWidth } from '../visualize/lines.js';
import { escapeMarkup } from '../visualize/svg.js';
import {
  type ArrowRow,
  type Lane,
  laneName,
  lanesOf,
  type PauseRow,
  type Row,
  type StateRow,
  seconds,
} from './rows.js';

const LANE_WIDTH = 148;
const TIME_WIDTH = 52;
const HEAD = 44;
const LINE = 13;
const FONT = 11;
const NOTE_WIDTH = 134;

const LIGHT = { page: '#ffffff', head: '#f6f8fb', line: '#64748b', text: '#0f172a', faint: '#546378' };
const DARK: typeof LIGHT = {
  page: '#0d1117',
  head: '#161b26',
  line: '#7d8aa0',
  text: '#eef2f8',
  faint: '#8d99ad',
};
const NOTES = { state: ['#e8f1ff', '#15315c'], pause: ['#fdf1dc', '#4a3410'] } as const;

const colors = (c: typeof LIGHT, index: 0 | 1): string =>
  [
    `.page{fill:${c.page}}.head{fill:${c.head};stroke:${c.line}}.life{stroke:${c.line}}`,
    `text{fill:${c.text}}.faint{fill:${c.faint}}.arrow{stroke:${c.text}}.tip{fill:${c.text}}`,
    `.state{fill:${NOTES.state[index]};stroke:${c.line}}.pause{fill:${NOTES.pause[index]};stroke:${c.line}}`,
  ].join('');

const STYLE = [
  `text{font-size:${FONT}px}.name{font-weight:600;font-size:12px}.reason{font-style:italic}`,
  '.life{stroke-dasharray:2 4}.arrow{stroke-width:1.3;fill:none}.answer{stroke-dasharray:5 3}',
  colors(LIGHT, 0),
  `@media (prefers-color-scheme: dark){${colors(DARK, 1)}}`,
].join('');

interface Drawn {
  readonly height: number;
  readonly parts: readonly string[];
}

/** @param title Names the picture for readers who do not see it. */
export function sequenceSvg(rows: readonly Row[], title: string): string {
  const lanes = lanesOf(rows);
  const width = TIME_WIDTH + lanes.length * LANE_WIDTH + 10;
  const x = (lane: Lane): number => TIME_WIDTH + lanes.indexOf(lane) * LANE_WIDTH + LANE_WIDTH / 2;
  const parts: string[] = [];
  let y = HEAD + 16;
  let time = 0;
  for (const row of rows) {
    if (row.at > time) {
      y += 6;
      parts.push(text(4, y + 9, `+${seconds(row.at)}`, 'faint'));
      time = row.at;
    }
    const drawn = row.kind === 'arrow' ? drawArrow(row, x, y) : drawNote(row, x(row.lane), y);
    parts.push(...drawn.parts);
    y += drawn.height;
  }
  const height = y + 12;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="'Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif" role="img">`,
    `<title>${escapeMarkup(title)}</title>`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="tip" d="M0 1L10 5L0 9z"/></marker></defs>',
    '<rect class="page" width="100%" height="100%"/>',
    ...lanes.map((lane) => `<path class="life" d="M${x(lane)} ${HEAD}V${height - 6}"/>`),
    ...lanes.map((lane) => drawHead(lane, x(lane))),
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function drawHead(lane: Lane, x: number): string {
  const isChart = lane.startsWith('chart:');
  const radius = isChart ? 9 : 2;
  return (
    `<rect class="head" x="${x - NOTE_WIDTH / 2}" y="10" width="${NOTE_WIDTH}" height="26" rx="${radius}"/>` +
    text(x, 27, laneName(lane), isChart ? 'name' : '', 'middle')
  );
}

function drawArrow(row: ArrowRow, x: (lane: Lane) => number, y: number): Drawn {
  const from = x(row.from);
  const to = x(row.to);
  const lines = wrapped(row.words, Math.max(Math.abs(to - from), LANE_WIDTH) - 16);
  const end = y + lines.length * LINE + 5;
  const middle = (from + to) / 2;
  return {
    height: lines.length * LINE + 13,
    parts: [
      ...lines.map((line, index) => text(middle, y + 10 + index * LINE, line, '', 'middle')),
      `<path class="arrow${row.isAnswer ? ' answer' : ''}" marker-end="url(#tip)" d="M${from} ${end}H${to}"/>`,
    ],
  };
}

function drawNote(row: StateRow | PauseRow, x: number, y: number): Drawn {
  const reason = row.kind === 'state' ? row.reason : null;
  const words = row.kind === 'state' ? row.states.map(shown) : [row.words];
  const lines = words.flatMap((line) => wrapped(line, NOTE_WIDTH - 12));
  const all = [...lines.map((line) => [line, '']), ...(reason === null ? [] : [[reason, 'faint reason']])];
  if (all.length === 0) return { height: 0, parts: [] };
  const height = all.length * LINE + 6;
  return {
    height: height + 7,
    parts: [
      `<rect class="${row.kind}" x="${x - NOTE_WIDTH / 2}" y="${y}" width="${NOTE_WIDTH}" height="${height}" rx="${row.kind === 'state' ? 7 : 0}"/>`,
      ...all.map(([line = '', style = ''], index) =>
        text(x, y + 13 + index * LINE, line, row.kind === 'state' && row.isInner ? 'faint' : style, 'middle'),
      ),
    ],
  };
}

/** The name of a state without the state around almost all of them. */
const shown = (state: string): string => state.replace(/^active\./, '');

function wrapped(words: string, limit: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(/ |(?<=\.)(?=\w)/)) {
    const line = lines.at(-1);
    const joint = line?.endsWith('.') && /^\w/.test(word) ? '' : ' ';
    const grown = line === undefined ? word : `${line}${joint}${word}`;
    if (line !== undefined && textWidth(grown, FONT) <= limit) lines[lines.length - 1] = grown;
    else lines.push(word);
  }
  return lines;
}

function text(x: number, y: number, words: string, style: string, anchor = 'start'): string {
  const more = `${style === '' ? '' : ` class="${style}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`;
  return `<text x="${x}" y="${y}"${more}>${escapeMarkup(words)}</text>`;
}
