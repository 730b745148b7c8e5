/**
 * Reads a JSON-RPC message without building it: a strict JSON check in one pass that finds the top-level members. A
 * message that is only passed on is never parsed further than this, so a message of millions of small values costs
 * no memory, and a deeply nested one no stack.
 */

/** Where a top-level value stands in the text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface MessageScan {
  readonly id: Span | undefined;
  readonly method: Span | undefined;
  readonly params: Span | undefined;
  readonly hasResult: boolean;
  readonly hasError: boolean;
  /** It has a `jsonrpc` member. */
  readonly hasJsonrpc: boolean;
  /**
   * Why another JSON reader could see another message here; null: none could. Readers differ in which of two equal
   * names they take, and some ignore case.
   */
  readonly ambiguous: string | null;
  /** Levels of objects and arrays; the message itself is the first. */
  readonly depth: number;
}

/** `tooDeep`: it may be JSON, but nobody should read it. */
export type ScanProblem = 'notJson' | 'notAnObject' | 'tooDeep';

/** Levels that a message may have. Common readers refuse less (serde 128). */
export const MAX_DEPTH = 1_000;
/** Top-level names that are compared; a message with more is ambiguous. JSON-RPC has six. */
const MAX_NAMES = 32;

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

const SHORT = 24;
/** Reads without backtracking, however long the string is. */
const PLAIN = /[ !#-[\]-\uffff]*/y;

/** Whether each open level is an object. One for all scans: a scan never yields. */
const isObject = new Uint8Array(MAX_DEPTH + 1);

/**
 * Checks that `text` is a JSON object and finds the members of a JSON-RPC message in it.
 * @example scanMessage('{"id":1,"method":"ping"}') // { id: {start: 6, end: 7}, method: {start: 17, end: 23}, … }
 */
export function scanMessage(text: string): MessageScan | ScanProblem {
  let at = skipSpace(text, 0);
  if (text.charCodeAt(at) !== OPEN_BRACE) return isJson(text) ? 'notAnObject' : 'notJson';
  let id: Span | undefined;
  let method: Span | undefined;
  let params: Span | undefined;
  let hasResult = false;
  let hasError = false;
  let hasJsonrpc = false;
  let ambiguous: string | null = null;
  const names: string[] = [];
  let deepest = 1;
  at = skipSpace(text, at + 1);
  let closed = text.charCodeAt(at) === CLOSE_BRACE;
  while (!closed) {
    if (text.charCodeAt(at) !== QUOTE) return 'notJson';
    const keyEnd = skipString(text, at);
    if (keyEnd < 0) return 'notJson';
    const name = unquoted(text, at, keyEnd);
    at = skipSpace(text, keyEnd);
    if (text.charCodeAt(at) !== COLON) return 'notJson';
    const start = skipSpace(text, at + 1);
    const end = skipValue(text, start);
    if (end < 0) return end === TOO_DEEP ? 'tooDeep' : 'notJson';
    deepest = Math.max(deepest, reached);
    const span = { start, end };
    if (name === 'id') id = span;
    else if (name === 'method') method = span;
    else if (name === 'params') params = span;
    else if (name === 'result') hasResult = true;
    else if (name === 'error') hasError = true;
    else if (name === 'jsonrpc') hasJsonrpc = true;
    ambiguous ??= ambiguity(name, names);
    at = skipSpace(text, end);
    const next = text.charCodeAt(at);
    if (next === CLOSE_BRACE) closed = true;
    else if (next === COMMA) at = skipSpace(text, at + 1);
    else return 'notJson';
  }
  if (skipSpace(text, at + 1) !== text.length) return 'notJson';
  return { id, method, params, hasResult, hasError, hasJsonrpc, ambiguous, depth: deepest };
}

/** Adds a name and says why it makes the message ambiguous, if it does. */
function ambiguity(name: string, names: string[]): string | null {
  const lower = folded(name);
  if (names.includes(lower)) return 'a member of the message is repeated';
  if (lower !== name && MEMBERS.has(lower)) return `the member ${lower} is written in another case`;
  if (names.length >= MAX_NAMES) return 'the message has too many members';
  names.push(lower);
  return null;
}

/** Readers that ignore case fold by Unicode, where U+017F is an `s`. */
const folded = (name: string): string =>
  ASCII.test(name) ? name.toLowerCase() : name.toUpperCase().toLowerCase();
const ASCII = /^[\0-\x7f]*$/;

const MEMBERS = new Set(['id', 'method', 'params', 'result', 'error']);

const NOT_JSON = -1;
const TOO_DEEP = -2;

/** Levels that the last call of `skipValue` has seen, the message itself included. */
let reached = 1;

/** Index after the value that begins at `from`; negative when it is not JSON or nested too deeply. */
function skipValue(text: string, from: number): number {
  let level = 1;
  reached = 1;
  let at = from;
  // Each turn reads one value, then closes the levels that end behind it.
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === OPEN_BRACE || code === OPEN_BRACKET) {
      if (level >= MAX_DEPTH) return TOO_DEEP;
      level += 1;
      if (level > reached) reached = level;
      isObject[level] = code === OPEN_BRACE ? 1 : 0;
      at = skipSpace(text, at + 1);
      const close = code === OPEN_BRACE ? CLOSE_BRACE : CLOSE_BRACKET;
      if (text.charCodeAt(at) !== close) {
        if (code === OPEN_BRACE) {
          at = skipKey(text, at);
          if (at < 0) return NOT_JSON;
        }
        continue;
      }
      at += 1;
      level -= 1;
    } else {
      at = code === QUOTE ? skipString(text, at) : skipScalar(text, at, code);
      if (at < 0) return NOT_JSON;
    }
    // Behind a value: a comma leads to the next one, brackets close levels.
    for (;;) {
      if (level === 1) return at;
      at = skipSpace(text, at);
      const next = text.charCodeAt(at);
      if (next === COMMA) {
        at = skipSpace(text, at + 1);
        if (isObject[level] === 1) {
          at = skipKey(text, at);
          if (at < 0) return NOT_JSON;
        }
        break;
      }
      if (next !== (isObject[level] === 1 ? CLOSE_BRACE : CLOSE_BRACKET)) return NOT_JSON;
      at += 1;
      level -= 1;
    }
  }
}

/** Index of the value behind the key that begins at `from`. */
function skipKey(text: string, from: number): number {
  if (text.charCodeAt(from) !== QUOTE) return NOT_JSON;
  const end = skipString(text, from);
  if (end < 0) return NOT_JSON;
  const colon = skipSpace(text, end);
  return text.charCodeAt(colon) === COLON ? skipSpace(text, colon + 1) : NOT_JSON;
}

function skipScalar(text: string, from: number, code: number): number {
  if (code >= 0x31 && code <= 0x39) {
    const next = text.charCodeAt(from + 1);
    if (next === COMMA || next === CLOSE_BRACE || next === CLOSE_BRACKET) return from + 1;
  }
  if (code === 0x74) return text.startsWith('true', from) ? from + 4 : NOT_JSON;
  if (code === 0x66) return text.startsWith('false', from) ? from + 5 : NOT_JSON;
  if (code === 0x6e) return text.startsWith('null', from) ? from + 4 : NOT_JSON;
  return skipNumber(text, code === MINUS ? from + 1 : from);
}

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

// Numbers and escapes are read character by character: a message may have millions of them.
function skipNumber(text: string, from: number): number {
  let at = text.charCodeAt(from) === 0x30 ? from + 1 : skipDigits(text, from);
  if (at < 0) return NOT_JSON;
  if (text.charCodeAt(at) === 0x2e) {
    at = skipDigits(text, at + 1);
    if (at < 0) return NOT_JSON;
  }
  const exponent = text.charCodeAt(at);
  if (exponent !== 0x65 && exponent !== 0x45) return at;
  const sign = text.charCodeAt(at + 1);
  return skipDigits(text, sign === 0x2b || sign === MINUS ? at + 2 : at + 1);
}

/** Index after at least one digit. */
function skipDigits(text: string, from: number): number {
  let at = from;
  while (isDigit(text.charCodeAt(at))) at += 1;
  return at === from ? NOT_JSON : at;
}

/** Index after the string that begins at `from`; negative when it is not closed or holds what JSON forbids. */
function skipString(text: string, from: number): number {
  let at = from + 1;
  for (;;) {
    // Most strings, and most parts between escapes, are short: a loop is faster than the expression there.
    const limit = at + SHORT;
    let code = text.charCodeAt(at);
    while (at < limit && code >= 0x20 && code !== QUOTE && code !== BACKSLASH) {
      at += 1;
      code = text.charCodeAt(at);
    }
    if (at === limit) {
      PLAIN.lastIndex = at;
      PLAIN.test(text);
      at = PLAIN.lastIndex;
      code = text.charCodeAt(at);
    }
    if (code === QUOTE) return at + 1;
    if (code !== BACKSLASH) return NOT_JSON;
    at = skipEscape(text, at);
    if (at < 0) return NOT_JSON;
  }
}

/** Index after the escape that begins at `from`. */
function skipEscape(text: string, from: number): number {
  switch (text.charCodeAt(from + 1)) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return from + 2;
    case 0x75:
      for (let at = from + 2; at < from + 6; at += 1) {
        const code = text.charCodeAt(at);
        const lower = code | 0x20;
        if (!isDigit(code) && !(lower >= 0x61 && lower <= 0x66)) return NOT_JSON;
      }
      return from + 6;
    default:
      return NOT_JSON;
  }
}

/** The string that stands between these indices, without quotes and escapes. */
export function unquoted(text: string, start: number, end: number): string {
  const inner = text.slice(start + 1, end - 1);
  return inner.includes('\\') ? String(JSON.parse(text.slice(start, end))) : inner;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** For texts that are not objects: whether they are JSON at all. */
function isJson(text: string): boolean {
  const start = skipSpace(text, 0);
  const end = skipValue(text, start);
  return end === TOO_DEEP || (end >= 0 && skipSpace(text, end) === text.length);
}
