/**
 * Reads the top-level members of a JSON object from its text. `JSON.parse` would take the last of two members with
 * the same name silently, would round numbers beyond 2^53, and loses formatting and key order. Except for
 * `topLevelMembers`, every function here expects text that `JSON.parse` has accepted; with other text it gives no
 * error and no useful result, but it always ends.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Each top-level name with the text of its value as written.
 * @throws SyntaxError when the text is not JSON.
 * @returns undefined when the text is not an object, or when a name occurs twice.
 */
export function topLevelMembers(text: string): ReadonlyMap<string, string> | undefined {
  const whole: unknown = JSON.parse(text);
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return undefined;
  const found = new Map<string, string>();
  let repeated = false;
  eachMember(text, (keyStart, keyEnd, valueStart, valueEnd) => {
    const name = keyIn(text, keyStart, keyEnd);
    repeated ||= found.has(name);
    found.set(name, text.slice(valueStart, valueEnd));
  });
  return repeated ? undefined : found;
}

/**
 * The text of one top-level value as written. Of duplicate members it takes the last, as `JSON.parse` does.
 * Undefined when there is no such member.
 */
export function memberText(text: string, name: string): string | undefined {
  let found: string | undefined;
  eachMember(text, (keyStart, keyEnd, valueStart, valueEnd) => {
    if (isKey(text, keyStart, keyEnd, name)) found = text.slice(valueStart, valueEnd);
  });
  return found;
}

/**
 * The first top-level name that occurs twice; undefined when all differ. Parsers disagree about which of two they
 * take, and some ignore case: `ignoreCase` also finds names that differ only in case, and gives them in lower case.
 */
export function repeatedMember(
  text: string,
  options: { readonly ignoreCase?: true } = {},
): string | undefined {
  const found = new Set<string>();
  let repeated: string | undefined;
  eachMember(text, (keyStart, keyEnd) => {
    const written = keyIn(text, keyStart, keyEnd);
    const name = options.ignoreCase === true ? written.toLowerCase() : written;
    if (found.has(name)) repeated ??= name;
    found.add(name);
  });
  return repeated;
}

/** Where a top-level member stands in the text. The ends are exclusive. */
export interface MemberSpan {
  readonly name: string;
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** The top-level members in the order of the text. */
export function memberSpans(text: string): MemberSpan[] {
  const spans: MemberSpan[] = [];
  eachMember(text, (keyStart, keyEnd, valueStart, valueEnd) => {
    spans.push({ name: keyIn(text, keyStart, keyEnd), keyStart, valueStart, valueEnd });
  });
  return spans;
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

function keyIn(text: string, from: number, to: number): string {
  const quoted = text.slice(from, to);
  return quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1);
}

/** As `keyIn(…) === name`, but without a copy of the key when it has no escapes. */
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

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** Index after the closing quote of the string that opens at `from`; -1 when it is not closed. */
function skipString(text: string, from: number): number {
  let quote = text.indexOf('"', from + 1);
  while (quote !== -1) {
    let before = quote - 1;
    while (text.charCodeAt(before) === BACKSLASH) before -= 1;
    // An even number of backslashes before the quote: the quote itself is not escaped.
    if ((quote - 1 - before) % 2 === 0) return quote + 1;
    quote = text.indexOf('"', quote + 1);
  }
  return -1;
}

/** Index after the object or array that opens at `from`; -1 when it is not closed. */
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
