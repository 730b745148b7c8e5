/** Lines that fit the terminal: wrapped at spaces and never cut, so that each word and each command stays whole. */
import { type Output, type Paint, Text, text } from './terminal.js';
import { COLOURS } from './text.js';

/** A command line or a URL: it stays on lines of its own, so that a person can copy it. */
interface Whole {
  readonly whole: string;
}

export type Line = string | Text | Whole;

/** A name, and what there is to say about it. */
export type Section = readonly [name: string, lines: readonly Line[]];

/** A command that a shell runs as it is printed. */
export const command = (words: string): Whole => ({ whole: words });

const DEFAULT_WIDTH = 80;
/** Narrower terminals than this get lines that the terminal breaks. */
const MIN_WIDTH = 30;
/** The room of a name, and of what stands below it. */
const NAME_WIDTH = 14;
const COMMAND_INDENT = 4;

/** The width for text on this output. Without a terminal the lines stay long, for programs that read them. */
export function widthOf({ isTTY, columns }: Pick<Output, 'isTTY' | 'columns'>): number {
  const named = Number(process.env.COLUMNS);
  const known = columns || (Number.isInteger(named) && named > 0 ? named : 0);
  if (known > 0) return Math.max(known, MIN_WIDTH);
  return isTTY ? DEFAULT_WIDTH : Number.POSITIVE_INFINITY;
}

/** Characters of East Asia and pictures take two columns. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}]/u;

/** Columns that a string takes on a terminal. */
export function columnsOf(shown: string): number {
  let columns = 0;
  for (const character of shown) columns += WIDE.test(character) ? 2 : 1;
  return columns;
}

interface Piece {
  readonly text: string;
  readonly style?: number | string;
}

/** The words of a text; a word may have parts in different colours. The name of a program stays with its command. */
function wordsOf(content: Text): Piece[][] {
  const words: Piece[][] = [];
  let word: Piece[] = [];
  const end = (): void => {
    if (word.length > 0) words.push(word);
    word = [];
  };
  for (const { text: part, ...style } of content.segments) {
    for (const [index, piece] of part.replace(/\n$/, '').split(' ').entries()) {
      if (index > 0) {
        if (word.map(({ text: shown }) => shown).join('') === 'rc-engine') word.push({ text: ' ', ...style });
        else end();
      }
      if (piece !== '') word.push({ text: piece, ...style });
    }
  }
  end();
  return words;
}

const columnsOfWord = (word: readonly Piece[]): number =>
  word.reduce((sum, { text: part }) => sum + columnsOf(part), 0);

/** Breaks a text at spaces. A word that is longer than a line gets a line of its own. */
export function wrap(content: string | Text, width: number): Text[] {
  const given = content instanceof Text ? content : text`${content}`;
  if (width === Number.POSITIVE_INFINITY) return [given];
  const found: Text[] = [];
  let line: Piece[] = [];
  let used = 0;
  for (const word of wordsOf(given)) {
    const columns = columnsOfWord(word);
    if (line.length > 0 && used + 1 + columns > width) {
      found.push(new Text(line));
      [line, used] = [[], 0];
    }
    if (line.length > 0) line.push({ text: ' ' });
    used += columns + (line.length > 0 ? 1 : 0);
    line.push(...word);
  }
  if (line.length > 0) found.push(new Text(line));
  return found;
}

/** Breaks a command at its words, as a shell continues it: with a backslash at the end of the line. */
export function wrapCommand(words: string, width: number): string[] {
  if (columnsOf(words) <= width) return [words];
  // A quoted word may hold spaces.
  const parts = words.match(/(?:[^\s']|'[^']*')+/g) ?? [words];
  const lines: string[] = [];
  let line = '';
  for (const part of parts) {
    const next = line === '' ? part : `${line} ${part}`;
    // Room for the space and the backslash.
    if (line !== '' && columnsOf(next) > width - 2) {
      lines.push(`${line} \\`);
      line = `  ${part}`;
    } else line = next;
  }
  return [...lines, line];
}

type Indented = readonly [indent: number, line: Text];

function linesOf(line: Line, width: number, indent: number, paint: Paint): Indented[] {
  if (typeof line === 'string' || line instanceof Text) {
    return wrap(line, width - indent).map((one) => [indent, one]);
  }
  return wrapCommand(line.whole, width - COMMAND_INDENT).map((one) => [
    COMMAND_INDENT,
    paint(COLOURS.cyan, one),
  ]);
}

/** Sections below each other, each with its name at the left. */
export function layOut(sections: readonly Section[], width: number, paint: Paint): Text[] {
  const nameWidth = Math.max(NAME_WIDTH, ...sections.map(([name]) => columnsOf(name) + 2));
  const narrow = width < 2 * nameWidth + MIN_WIDTH / 2;
  return sections.flatMap(([name, lines]) => {
    const label = paint(COLOURS.grey, name);
    const shown = lines.flatMap((line) => linesOf(line, width, narrow ? 2 : nameWidth, paint));
    const [first, ...rest] = shown;
    const below = (some: readonly Indented[]): Text[] =>
      some.map(([indent, line]) => text`${' '.repeat(indent)}${line}`);
    // A command stands on a line of its own, with room for its length.
    if (first === undefined || narrow || first[0] !== nameWidth) return [text`${label}`, ...below(shown)];
    const gap = ' '.repeat(nameWidth - columnsOf(name));
    return [text`${label}${gap}${first[1]}`, ...below(rest)];
  });
}

/** One line of a message: what follows its first row is indented. */
export function layOutLine(line: string, width: number): Text[] {
  const [, indent = ''] = /^( *)/.exec(line) ?? [];
  const [first, ...rest] = wrap(line.slice(indent.length), width - indent.length);
  // A stack trace keeps its spaces.
  if (first === undefined || rest.length === 0) return [text`${line}`];
  return [text`${indent}${first}`, ...wrapRest(rest, `${indent}  `, width)];
}

const wrapRest = (rest: readonly Text[], indent: string, width: number): Text[] => {
  const words = new Text(rest.flatMap((line, i) => [...(i === 0 ? [] : [{ text: ' ' }]), ...line.segments]));
  return wrap(words, width - indent.length).map((line) => text`${indent}${line}`);
};
