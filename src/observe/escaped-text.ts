/** Text as the characters that its escapes stand for, and the way back to the places in the text as it is written. */
import { REDACTED } from '../protocol/secret.js';

/** Where something stands in a text. */
export type Range = readonly [start: number, end: number];

/** A text without escapes. One character (UTF-16 unit) of `text` stands for what is between its start and its end. */
export interface Unescaped {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Repetitions are limited, so that no text is slow to search. */
const ESCAPE =
  /%(?:25){0,4}([0-9a-f]{2})|\\{1,8}u([0-9a-f]{4})|\\{1,8}u\{([0-9a-f]{1,6})\}|\\{1,8}x([0-9a-f]{2})|&(?:amp;){0,4}#x([0-9a-f]{1,6});|&(?:amp;){0,4}#([0-9]{1,7});|\\{1,8}(["'/])/gi;

/** Reads the escapes of URLs (`%41`), JSON and JavaScript (`\u0041`, `\x41`) and HTML (`&#65;`), also escaped again. */
export function unescaped(text: string): Unescaped {
  const chars: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const push = (char: string, start: number, end: number) => {
    chars.push(char);
    starts.push(start);
    ends.push(end);
  };
  let at = 0;
  const pushUntil = (limit: number) => {
    for (; at < limit; at += 1) push(text.charAt(at), at, at + 1);
  };
  for (const match of text.matchAll(ESCAPE)) {
    const [whole, percent, u4, uBraces, x2, htmlHex, htmlDecimal, quoted] = match;
    pushUntil(match.index);
    const hex = percent ?? u4 ?? uBraces ?? x2 ?? htmlHex;
    const code = hex === undefined ? Number(htmlDecimal) : Number.parseInt(hex, 16);
    at = match.index + whole.length;
    push(quoted ?? String.fromCharCode(code), match.index, at);
  }
  pushUntil(text.length);
  return { text: chars.join(''), starts, ends };
}

/** A range of the unescaped text, in the text as it is written. */
export const written = ({ starts, ends }: Unescaped, [start, end]: Range): Range => [
  starts[start] ?? 0,
  ends[end - 1] ?? 0,
];

/** `text` with a mark in place of each range. Ranges that touch or overlap get one mark. */
export function hideRanges(text: string, ranges: readonly Range[]): string {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let shown = '';
  let hiddenUntil = -1;
  for (const [start, end] of sorted) {
    if (end <= hiddenUntil || end <= start) continue;
    if (start > hiddenUntil) shown += `${text.slice(Math.max(hiddenUntil, 0), start)}${REDACTED}`;
    hiddenUntil = end;
  }
  return shown + text.slice(Math.max(hiddenUntil, 0));
}
