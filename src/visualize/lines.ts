/** Text of a picture: lines of coloured words, wrapped with a table of character widths. */
/** The role of a piece of text, which decides its colour. */
export type Ink = 'event' | 'after' | 'done' | 'failed' | 'always' | 'plain' | 'faint' | 'name' | 'tag';

export interface Span {
  readonly text: string;
  readonly ink: Ink;
}

export interface Line {
  readonly spans: readonly Span[];
  /** True when it continues the line above. */
  readonly continued: boolean;
}

export const FONT = 11;
export const LINE_HEIGHT = 14;
/** Indentation of a continued line. */
export const INDENT = 9;

function lineWidth(line: Line): number {
  const text = line.spans.reduce((sum, { text, ink }) => sum + textWidth(text, FONT, ink === 'name'), 0);
  return text + (line.continued ? INDENT : 0);
}

export const maxWidth = (lines: readonly Line[]): number => Math.max(0, ...lines.map(lineWidth));

/** Breaks lines between words. A word that is longer than the limit gets its own line. */
export function wrap(spans: readonly Span[], limit: number): Line[] {
  const words = spans.flatMap(({ text, ink }) =>
    text.split(/(?= )/).map((word): Span => ({ text: word, ink })),
  );
  const lines: Line[] = [];
  let spansOfLine: Span[] = [];
  const end = () => {
    if (spansOfLine.length > 0) lines.push({ spans: mergeSpans(spansOfLine), continued: lines.length > 0 });
    spansOfLine = [];
  };
  for (const word of words) {
    const grown = { spans: [...spansOfLine, word], continued: lines.length > 0 };
    if (spansOfLine.length > 0 && lineWidth(grown) > limit) end();
    // No line starts with a space.
    spansOfLine.push(spansOfLine.length === 0 ? { ...word, text: word.text.trimStart() } : word);
  }
  end();
  return lines;
}

/** The same text with other line breaks. */
export function rewrap(lines: readonly Line[], limit: number): Line[] {
  const texts: Span[][] = [];
  for (const { spans, continued } of lines) {
    const text = continued ? texts.at(-1) : undefined;
    if (text === undefined) texts.push([...spans]);
    // A line break took the place of a space.
    else text.push(...spans.map((span, index) => (index === 0 ? { ...span, text: ` ${span.text}` } : span)));
  }
  return texts.flatMap((text) => wrap(text, limit));
}

function mergeSpans(spans: readonly Span[]): Span[] {
  const out: Span[] = [];
  for (const span of spans) {
    const last = out.at(-1);
    if (last !== undefined && last.ink === span.ink)
      out[out.length - 1] = { text: last.text + span.text, ink: span.ink };
    else out.push(span);
  }
  return out;
}

/** Removes duplicate texts. */
export function distinct(texts: readonly (readonly Line[])[]): (readonly Line[])[] {
  const seen = new Set<string>();
  return texts.filter((lines) => {
    const before = seen.size;
    return before < seen.add(JSON.stringify(lines)).size;
  });
}

// biome-ignore format: a table
const REGULAR = [28,28,35,56,56,89,67,19,33,33,39,58,28,33,28,28,56,56,56,56,56,56,56,56,56,56,28,28,58,58,58,56,102,67,67,72,72,67,61,78,72,28,50,67,56,83,72,78,67,78,72,67,61,72,67,94,67,67,61,28,28,28,47,56,33,56,56,50,56,56,28,56,56,22,22,50,22,83,56,56,56,56,33,50,28,56,50,72,50,50,50,33,26,33,58];
// biome-ignore format: a table
const BOLD = [28,33,47,56,56,89,72,24,33,33,39,58,28,33,28,28,56,56,56,56,56,56,56,56,56,56,33,33,58,58,58,61,98,72,72,72,72,67,61,78,72,28,56,72,61,83,72,78,67,78,72,67,61,72,67,94,67,67,61,33,28,33,58,56,33,56,61,56,61,56,33,61,61,28,28,56,28,89,61,61,61,61,39,56,33,61,56,78,56,56,50,39,28,39,58];

/** Other fonts of the same family are a little wider. */
const SLACK = 1.04;

/**
 * The width of a text, computed from a table, so that pictures are the same on every host. The table holds the advance
 * widths of Arial (Liberation Sans and Helvetica have the same ones) for printable ASCII, in hundredths of the font size.
 */
export function textWidth(text: string, size: number, bold = false): number {
  const table = bold ? BOLD : REGULAR;
  let hundredths = 0;
  // A character that is not in the table counts as a wide letter.
  for (const letter of text.replaceAll('\u00a0', ' '))
    hundredths += table[(letter.codePointAt(0) ?? 0) - 32] ?? 100;
  return (hundredths * size * SLACK) / 100;
}
