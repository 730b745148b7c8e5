/** Reads requirement numbers: where docs/spec defines them, and where the repository cites them. */

/** The document that defines the numbers of a prefix. */
export const DOCUMENTS = {
  RC: 'docs/spec/remote-control.md',
  WSA: 'docs/spec/websocket-auth.md',
  ACC: 'docs/spec/account.md',
  HUB: 'docs/spec/hub.md',
} as const;

export type Prefix = keyof typeof DOCUMENTS;
const PREFIX = Object.keys(DOCUMENTS).join('|');

export interface Definition {
  readonly id: string;
  readonly path: string;
  readonly line: number;
}

export interface Citation {
  /** A range stands for each number in it. */
  readonly ids: readonly string[];
  readonly line: number;
}

const DEFINITION = new RegExp(`^- (?:\\*\\*)?((?:${PREFIX})-\\d+[a-z]?)\\b`);
const NUMBER = `(?:${PREFIX})-\\d+[a-z]?`;
/** What stands between the two ends of a range. The word "to" needs a whole number behind it: `RC-25 to 30 s` is none. */
const CITATION = new RegExp(
  `\\b(${NUMBER})\\b(?:\\s*(?:…|\\.{2,3}|–)\\s*(?:(${NUMBER})|(\\d+[a-z]?))\\b|\\s+to\\s+(${NUMBER})\\b)?`,
  'g',
);

/** The requirements that a document defines, one a list item. */
export function definitionsIn(path: string, text: string): readonly Definition[] {
  return text.split('\n').flatMap((content, index) => {
    const id = DEFINITION.exec(content)?.[1];
    return id === undefined ? [] : [{ id, path, line: index + 1 }];
  });
}

/** Every requirement number in a text. `defined` says which numbers lie within a range. */
export function citationsIn(text: string, defined: ReadonlySet<string>): readonly Citation[] {
  return [...text.matchAll(CITATION)].map((match) => {
    const [, from = '', whole, bare, afterTo] = match;
    const to = whole ?? afterTo ?? (bare === undefined ? undefined : `${prefixOf(from)}-${bare}`);
    const line = text.slice(0, match.index).split('\n').length;
    return { ids: to === undefined ? [from] : rangeOf(from, to, defined), line };
  });
}

/** Whether a comment or description consists of requirement numbers and nothing else. */
export function isNumberAlone(text: string): boolean {
  const rest = text
    .replace(new RegExp(`\\b${NUMBER}(?:(?:\\s*[,/…]\\s*)\\d+[a-z]?)*\\b`, 'g'), '#')
    .replace(/\b(?:to|and|or|see)\b/gi, '');
  return rest.includes('#') && /^[\s#.,;:…–()/-]*$/.test(rest);
}

/** Sorts RC-2 before RC-10, and RC-25 before RC-25a. */
export function compareIds(a: string, b: string): number {
  const [x, y] = [partsOf(a), partsOf(b)];
  return x.prefix.localeCompare(y.prefix) || x.number - y.number || x.letter.localeCompare(y.letter);
}

export const prefixOf = (id: string): string => partsOf(id).prefix;

function partsOf(id: string) {
  const [, prefix = '', number = '', letter = ''] = /^([A-Z]+)-(\d+)([a-z]?)$/.exec(id) ?? [];
  return { prefix, number: Number(number), letter };
}

/** Both ends, each whole number between them (which has to exist), and the lettered ones that do exist. */
function rangeOf(from: string, to: string, defined: ReadonlySet<string>): readonly string[] {
  const [first, last] = [partsOf(from), partsOf(to)];
  const ids = new Set([from, to]);
  if (first.prefix !== last.prefix) return [...ids];
  for (let number = first.number + 1; number < last.number; number += 1) ids.add(`${first.prefix}-${number}`);
  for (const id of defined) {
    if (prefixOf(id) === first.prefix && compareIds(from, id) < 0 && compareIds(id, to) < 0) ids.add(id);
  }
  return [...ids].sort(compareIds);
}
