/**
 * Finds what a peer repeats of a secret that was sent to it: all of it or a part, also in another encoding. RC-11
 *
 * The text is first reduced to the characters that it stands for, with the place of each in the text: escapes (`%41`,
 * `\u0041`, `&#65;`) are read, and case and the two alphabets of base64 make no difference. Then each stretch that it
 * has in common with the secret, with its reverse, or with its hex or base64 form is hidden.
 */
import { REDACTED, type Secret } from '../protocol/secret.js';

/** The shortest part of a secret that is hidden, in characters. A shorter secret is hidden as a whole. */
const PART = 20;
/** A common stretch is found by a block of this size; one of `PART` characters has a whole block of each secret in it. */
const BLOCK = 10;
/** Characters of the text that are searched: more than any message shows. The rest is cut off. */
const SEARCHED = 16_384;
/** Places of one block in a secret that are compared, so that a secret of one repeated character costs no more. */
const PLACES = 8;

/** Text without escapes, and where each of its characters came from. */
interface Reduced {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

interface Form {
  readonly text: string;
  /** The shortest stretch of this form that stands for `PART` characters. */
  readonly least: number;
}

type Range = readonly [start: number, end: number];

/** `text`, at most 16,384 characters of it, with each part of `known` replaced. */
export function hideKnown(text: string, known: readonly Secret[]): string {
  const values = known.map((secret) => secret.reveal()).filter((value) => value !== '');
  if (values.length === 0) return text;
  const reduced = reduce(text.slice(0, SEARCHED));
  const ranges = [...shortRanges(reduced.text, values), ...partRanges(reduced.text, values.flatMap(formsOf))];
  return replaceRanges(text.slice(0, SEARCHED), reduced, ranges);
}

/** Repetitions are limited, so that no text is slow to search. */
const ESCAPE =
  /%(?:25){0,4}([0-9a-f]{2})|\\{1,8}u([0-9a-f]{4})|\\{1,8}u\{([0-9a-f]{1,6})\}|\\{1,8}x([0-9a-f]{2})|&(?:amp;){0,4}#x([0-9a-f]{1,6});|&(?:amp;){0,4}#([0-9]{1,7});|\\{1,8}(["'/])/gi;

function reduce(text: string): Reduced {
  const chars: string[] = [];
  const starts: number[] = [];
  const ends: number[] = [];
  const push = (char: string, start: number, end: number) => {
    chars.push(fold(char));
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

/** One character to one character, so that places stay. */
function fold(char: string): string {
  if (char === '+') return '-';
  if (char === '/') return '_';
  return char >= 'A' && char <= 'Z' ? char.toLowerCase() : char;
}

function formsOf(value: string): Form[] {
  const whole = reduce(value).text;
  if (whole.length < PART) return [];
  const bytes = Buffer.from(value);
  // Where a part begins decides how base64 groups its bytes.
  const base64 = [0, 1, 2].map((skipped) => bytes.subarray(skipped).toString('base64url'));
  return [
    { text: whole, least: PART },
    { text: reduce([...value].reverse().join('')).text, least: PART },
    { text: bytes.toString('hex'), least: 2 * PART - 2 },
    // The first and the last bytes of a part are in one base64 character with what surrounds them.
    ...base64.map((text) => ({ text: reduce(text).text, least: Math.floor((PART * 8 - 16) / 6) })),
  ];
}

/** Secrets that are too short to have parts. */
function shortRanges(text: string, values: readonly string[]): Range[] {
  return values
    .map((value) => reduce(value).text)
    .filter((wanted) => wanted.length < PART)
    .flatMap((wanted) => {
      const found: Range[] = [];
      for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
        found.push([at, at + wanted.length]);
      }
      return found;
    });
}

function partRanges(text: string, forms: readonly Form[]): Range[] {
  const blocks = indexBlocks(forms);
  const found: Range[] = [];
  if (blocks.size === 0) return found;
  for (let at = 0; at + BLOCK <= text.length; at += 1) {
    const stretches = (blocks.get(text.slice(at, at + BLOCK)) ?? [])
      .map(({ form, place }) => ({ form, range: extend(text, at, form.text, place) }))
      .filter(({ form, range: [start, end] }) => end - start >= form.least)
      .map(({ range }) => range);
    found.push(...stretches);
    // What begins inside of a stretch and is long enough has a block behind its end, too.
    const end = Math.max(...stretches.map(([, last]) => last));
    if (end - BLOCK > at) at = end - BLOCK;
  }
  return found;
}

interface Place {
  readonly form: Form;
  readonly place: number;
}

function indexBlocks(forms: readonly Form[]): Map<string, Place[]> {
  const blocks = new Map<string, Place[]>();
  for (const form of forms) {
    for (let place = 0; place + BLOCK <= form.text.length; place += BLOCK) {
      const block = form.text.slice(place, place + BLOCK);
      const places = blocks.get(block) ?? [];
      if (places.length < PLACES) places.push({ form, place });
      blocks.set(block, places);
    }
  }
  return blocks;
}

/** The whole stretch that both have in common around a common block. */
function extend(text: string, at: number, form: string, place: number): Range {
  let before = 0;
  while (before < at && before < place && text[at - before - 1] === form[place - before - 1]) before += 1;
  let length = BLOCK;
  while (
    at + length < text.length &&
    place + length < form.length &&
    text[at + length] === form[place + length]
  )
    length += 1;
  return [at - before, at + length];
}

function replaceRanges(text: string, { starts, ends }: Reduced, ranges: readonly Range[]): string {
  const sorted = [...ranges].sort((a, b) => a[0] - b[0] || b[1] - a[1]);
  let shown = '';
  let copied = 0;
  let hiddenUntil = -1;
  for (const [start, end] of sorted) {
    if (end <= hiddenUntil) continue;
    // Ranges that touch are one.
    if (start > hiddenUntil || hiddenUntil < 0) {
      shown += `${text.slice(copied, starts[start])}${REDACTED}`;
    }
    hiddenUntil = end;
    copied = ends[end - 1] ?? copied;
  }
  return shown + text.slice(copied);
}
