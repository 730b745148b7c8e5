/**
 * Cuts one member out of a JSON object without parsing and writing it again, so that numbers beyond 2^53,
 * formatting and key order pass untouched.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** Index behind the closing quote of the string that opens at `from`; -1 when it does not close. */
function skipString(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (quote !== -1) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes in front of it: the quote itself is not escaped.
    if ((quote - 1 - before) % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return -1;
}

/** Index behind the object or array that opens at `from`; -1 when it does not close. */
function skipNested(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = skipString(text, at);
      if (at === -1) return -1;
      continue;
    }
    at += 1;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth += 1;
    else if (code === CLOSE_BRACE || code === CLOSE_BRACKET) {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}

function skipValue(text: string, from: number): number {
  const code = text.charCodeAt(from);
  if (code === QUOTE) return skipString(text, from);
  if (code === OPEN_BRACE || code === OPEN_BRACKET) return skipNested(text, from);
  let at = from;
  while (at < text.length) {
    const next = text.charCodeAt(at);
    if (next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET || isSpace(next)) break;
    at += 1;
  }
  return at;
}

function isKey(text: string, from: number, to: number, name: string): boolean {
  if (to - from - 2 === name.length && text.startsWith(name, from + 1)) return true;
  const quoted = text.slice(from, to);
  if (!quoted.includes('\\')) return false;
  try {
    return JSON.parse(quoted) === name;
  } catch {
    return false;
  }
}

/**
 * The raw text of the top-level member `message` of a frame that JSON.parse has accepted. Of duplicate
 * members it takes the last, as JSON.parse does. Undefined when there is none.
 */
export function sliceMessageText(frameText: string): string | undefined {
  let found: string | undefined;
  eachMember(frameText, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (isKey(frameText, keyStart, keyEnd, 'message')) found = frameText.slice(valueStart, valueEnd);
  });
  return found;
}

/**
 * True when an object that JSON.parse has accepted has two top-level names that are one but for their case. Of such
 * two, parsers take the first, the last or either.
 */
export function hasRepeatedMember(text: string): boolean {
  const found = new Set<string>();
  let repeated = false;
  eachMember(text, (keyStart, keyEnd) => {
    const quoted = text.slice(keyStart, keyEnd);
    const name = (quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)).toLowerCase();
    repeated ||= found.has(name);
    found.add(name);
  });
  return repeated;
}

function eachMember(
  text: string,
  visit: (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void,
): void {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) return;
  at = skipSpace(text, at + 1);
  while (text.charCodeAt(at) === QUOTE) {
    const keyStart = at;
    const keyEnd = skipString(text, keyStart);
    if (keyEnd === -1) return;
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== COLON) return;
    const valueStart = skipSpace(text, at + 1);
    const valueEnd = skipValue(text, valueStart);
    if (valueEnd === -1) return;
    visit(keyStart, keyEnd, valueStart, valueEnd);
    at = skipSpace(text, valueEnd);
    if (text.charCodeAt(at) !== COMMA) return;
    at = skipSpace(text, at + 1);
  }
}
