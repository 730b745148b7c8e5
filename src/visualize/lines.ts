/** Text of a picture: lines of coloured words, wrapped by the width table. */
import { textWidth } from './text-width.js';

/** What a piece of text says, and with it its colour. */
export type Ink = 'event' | 'after' | 'done' | 'failed' | 'always' | 'plain' | 'faint' | 'name' | 'tag';

export interface Span {
  readonly text: string;
  readonly ink: Ink;
}

export interface Line {
  readonly spans: readonly Span[];
  /** Continues the line above. */
  readonly continued: boolean;
}

export const FONT = 11;
export const LINE_HEIGHT = 14;
/** Where a continued line begins. */
export const INDENT = 9;

export function lineWidth(line: Line): number {
  const text = line.spans.reduce((sum, { text, ink }) => sum + textWidth(text, FONT, ink === 'name'), 0);
  return text + (line.continued ? INDENT : 0);
}

export const widest = (lines: readonly Line[]): number => Math.max(0, ...lines.map(lineWidth));

/** Breaks between words; a word that is longer than the limit has a line of its own. */
export function wrap(spans: readonly Span[], limit: number): Line[] {
  const words = spans.flatMap(({ text, ink }) =>
    text.split(/(?= )/).map((word): Span => ({ text: word, ink })),
  );
  const lines: Line[] = [];
  let spansOfLine: Span[] = [];
  const end = () => {
    if (spansOfLine.length > 0) lines.push({ spans: joined(spansOfLine), continued: lines.length > 0 });
    spansOfLine = [];
  };
  for (const word of words) {
    const grown = { spans: [...spansOfLine, word], continued: lines.length > 0 };
    if (spansOfLine.length > 0 && lineWidth(grown) > limit) end();
    // No line begins with a blank.
    spansOfLine.push(spansOfLine.length === 0 ? { ...word, text: word.text.trimStart() } : word);
  }
  end();
  return lines;
}

function joined(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last !== undefined && last.ink === span.ink)
      out[out.length - 1] = { text: last.text + span.text, ink: span.ink };
    else out.push(span);
  }
  return out;
}

/** Without texts that are there already. */
export function distinct(texts: readonly (readonly Line[])[]): (readonly Line[])[] {
  const seen = new Set<string>();
  return texts.filter((lines) => {
    const before = seen.size;
    return before < seen.add(JSON.stringify(lines)).size;
  });
}
