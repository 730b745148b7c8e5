/** Shows what a backend sent, with its secrets masked. RC-11 */
import { REDACTED, type Secret } from '../protocol/secret.js';
import { hideRanges, type Range, unescaped, written } from './escaped-text.js';
import { hideKnown, knownRanges, SEARCHED_CHARS } from './known-secrets.js';

const PREVIEW_BYTES = 4_096;

/** Members whose value is never shown, at any depth. Compared without case, `_` and `-`. */
const SECRET_NAMES = new Set([
  'remotecontroltoken',
  'pairingcode',
  'manualpairingcode',
  'accesstoken',
  'refreshtoken',
  'idtoken',
  'authorization',
]);
const NAMED =
  /(["']?(?:remote_?control_?token|(?:manual_?)?pairing_?code|(?:access|refresh|id)_?token)["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"?|'[^']*'?|[^\s,;}&<]+)/gi;
const JWT = /\beyJ[\w-]{5,}(?:\.[\w-]+){1,4}/g;
const SCHEME = /(\b(?:Bearer|Basic)\s+)(?!(?:token|tokens|auth\w*|scheme|realm|error)\b)[^\s"',;<>]+/gi;
const PREFIXED = /\b(?:sk|rct|rt|sess)-[\w-]{6,}/g;
const WORD = /[\w-]/;
/** Base64 and hex runs. */
const RUN = /[A-Za-z0-9+/_-]{20,}={0,2}/g;

/**
 * At most 4,096 bytes of `body` on one line, cut at a character boundary. JSON is shown as JSON with its secrets
 * redacted; in other text everything that looks like a token is masked. No part of the values in
 * `known` appears, see `hideKnown`.
 */
export function previewBody(body: Uint8Array, known: readonly Secret[]): string {
  const text = new TextDecoder().decode(body).trim();
  if (text === '') return '<empty>';
  const json = redactJson(text, known);
  const hidden = json === undefined ? maskTokens(text, known) : hideKnown(json, known);
  return cutBytes(oneLine(hidden), PREVIEW_BYTES);
}

/**
 * Text from the other side (a close reason, an error) with everything masked that looks like a token, and each part of
 * `known`. All of it is found in the text as it came: what is masked first would break the form of the rest.
 */
export const maskTokens = (text: string, known: readonly Secret[] = []): string =>
  mask(text, known, tokenRanges);

function mask(text: string, known: readonly Secret[], rangesIn: (text: string) => readonly Range[]): string {
  const searched = text.slice(0, SEARCHED_CHARS);
  const plain = unescaped(searched);
  const found = wholeWords(plain.text, [...rangesIn(plain.text), ...knownRanges(plain.text, known)]);
  const ranges = found.map((range) => written(plain, range));
  // A token may be written with escapes, or have a form only as it is written.
  return hideRanges(searched, plain.text === searched ? ranges : [...ranges, ...rangesIn(searched)]);
}

/** What touches a hidden part belongs to the same token. */
function wholeWords(text: string, ranges: readonly Range[]): Range[] {
  const words: Range[] = [];
  let hiddenUntil = 0;
  for (const [from, to] of [...ranges].sort((a, b) => a[0] - b[0])) {
    if (to <= hiddenUntil) continue;
    let start = from;
    while (start > hiddenUntil && WORD.test(text.charAt(start - 1))) start -= 1;
    let end = to;
    while (end < text.length && WORD.test(text.charAt(end))) end += 1;
    words.push([start, end]);
    hiddenUntil = end;
  }
  return words;
}

/** Replaces line breaks and control characters by spaces. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}

/** The beginning of `text`: at most `limit` bytes of UTF-8, an ellipsis at the cut included. */
export function cutBytes(text: string, limit: number): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= limit) return text;
  let end = limit - Buffer.byteLength('…');
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${bytes.toString('utf8', 0, end)}…`;
}

function redactJson(text: string, known: readonly Secret[]): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    return JSON.stringify(redact(value, known));
  } catch {
    return undefined; // Not JSON, or nested too deeply for the stack: masked as text instead.
  }
}

/** The same value without secrets: by the names of members, and by the form of strings. */
export function redact(value: unknown, known: readonly Secret[] = []): unknown {
  if (typeof value === 'string') return mask(value, known, namedRanges);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner) => redact(inner, known));
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      mask(name, known, namedRanges),
      SECRET_NAMES.has(name.toLowerCase().replace(/[_-]/g, '')) ? REDACTED : redact(inner, known),
    ]),
  );
}

/** Masks tokens that their form or name reveals. */
export const maskNamed = (text: string): string => hideRanges(text, namedRanges(text));

/** Tokens that their form or name reveals. Other long runs of characters (paths, ids) stay readable in JSON. */
function namedRanges(text: string): Range[] {
  return [NAMED, JWT, SCHEME, PREFIXED].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(
      ({ 0: whole, 1: before = '', index }): Range => [index + before.length, index + whole.length],
    ),
  );
}

function tokenRanges(text: string): Range[] {
  const runs = [...text.matchAll(RUN)].filter(([run]) => looksRandom(run));
  return [...namedRanges(text), ...runs.map(({ 0: run, index }): Range => [index, index + run.length])];
}

/** Tokens mix digits or cases and repeat few characters, unlike words, paths and header names. */
function looksRandom(run: string): boolean {
  if (new Set(run).size < 8) return false;
  const digits = run.match(/\d/g)?.length ?? 0;
  const caseChanges = run.match(/[a-z][A-Z]/g)?.length ?? 0;
  return digits >= 3 || caseChanges >= 4;
}
