/**
 * Finds what a peer repeats of a secret that was sent to it: all of it or a part, also in another encoding. RC-11
 *
 * The text is first reduced to the characters that it stands for, with the place of each in the text: escapes (`%41`,
 * `\u0041`, `&#65;`) are read, and case and the two alphabets of base64 make no difference. Then each stretch that it
 * has in common with the secret, with its reverse, or with its hex or base64 form is hidden.
 */
import type { Secret } from '../protocol/secret.js';
import { hideRanges, type Range, unescaped, written } from './escaped-text.js';

/** The shortest part of a secret that is hidden, in characters. A shorter secret is hidden as a whole. */
const PART = 20;
/** A common stretch is found by a block of this size; one of `PART` characters has a whole block of each secret in it. */
const BLOCK = 10;
/** Places of one block in a secret that are compared, so that a secret of one repeated character costs no more. */
const PLACES = 8;

interface Form {
  readonly text: string;
  /** The shortest stretch of this form that stands for `PART` characters. */
  readonly least: number;
}

/** Characters of a text that are searched: more than any message shows. The rest is cut off. */
export const SEARCHED_CHARS = 16_384;

/** `text`, at most 16,384 characters of it, with each part of `known` replaced. */
export function hideKnown(text: string, known: readonly Secret[]): string {
  if (known.length === 0) return text;
  const searched = text.slice(0, SEARCHED_CHARS);
  const plain = unescaped(searched);
  const ranges = knownRanges(plain.text, known);
  return hideRanges(
    searched,
    ranges.map((range) => written(plain, range)),
  );
}

/** Where a text without escapes has a part of one of `known`. */
export function knownRanges(text: string, known: readonly Secret[]): readonly Range[] {
  const values = known.map((secret) => secret.reveal()).filter((value) => value !== '');
  if (values.length === 0) return [];
  const folded = fold(text);
  return [...shortRanges(folded, values), ...partRanges(folded, values.flatMap(formsOf))];
}

/** One character for one character, so that places stay. */
function fold(text: string): string {
  return text.replace(/[A-Z+/]/g, (char) => (char === '+' ? '-' : char === '/' ? '_' : char.toLowerCase()));
}

const reduce = (text: string): string => fold(unescaped(text).text);

function formsOf(value: string): Form[] {
  const whole = reduce(value);
  if (whole.length < PART) return [];
  const bytes = Buffer.from(value);
  // Where a part begins decides how base64 groups its bytes.
  const base64 = [0, 1, 2].map((skipped) => bytes.subarray(skipped).toString('base64url'));
  return [
    { text: whole, least: PART },
    { text: reduce([...value].reverse().join('')), least: PART },
    { text: bytes.toString('hex'), least: 2 * PART - 2 },
    // The first and the last bytes of a part are in one base64 character with what surrounds them.
    ...base64.map((text) => ({ text: reduce(text), least: Math.floor((PART * 8 - 16) / 6) })),
  ];
}

/** Secrets that are too short to have parts. */
function shortRanges(text: string, values: readonly string[]): Range[] {
  return values
    .map((value) => reduce(value))
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
