/**
 * The top-level members of a JSON object with the text of each value as it was written: `JSON.parse` would take
 * the last of two equal names without a word and would not tell 1 from 1.0.
 * @throws SyntaxError for text that is no JSON.
 * @returns undefined when it is no object, or has two members of one name.
 */
export function topLevelMembers(text: string): ReadonlyMap<string, string> | undefined {
  // What follows relies on valid JSON.
  const whole: unknown = JSON.parse(text);
  if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return undefined;
  const found = new Map<string, string>();
  for (const [name, value] of membersIn(text)) {
    if (found.has(name)) return undefined;
    found.set(name, value);
  }
  return found;
}

/** The first top-level name that comes twice in the text of a JSON object. */
export function repeatedMember(text: string): string | undefined {
  const found = new Set<string>();
  for (const [name] of membersIn(text)) {
    if (found.has(name)) return name;
    found.add(name);
  }
  return undefined;
}

function* membersIn(text: string): Generator<readonly [name: string, value: string]> {
  let at = text.indexOf('{') + 1;
  for (;;) {
    at = skipSpace(text, at);
    if (text[at] === '}') return;
    if (text[at] === ',') at = skipSpace(text, at + 1);
    const nameEnd = skipString(text, at);
    const name = String(JSON.parse(text.slice(at, nameEnd)));
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1);
    at = skipValue(text, start);
    yield [name, text.slice(start, at).trimEnd()];
  }
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t' || text[at] === '\n' || text[at] === '\r') at += 1;
  return at;
}

function skipString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Index of the comma or brace behind the value. */
function skipValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  for (; at < text.length; at += 1) {
    const sign = text[at];
    if (sign === '"') at = skipString(text, at) - 1;
    else if (sign === '{' || sign === '[') depth += 1;
    else if (depth > 0 && (sign === '}' || sign === ']')) depth -= 1;
    else if (depth === 0 && (sign === ',' || sign === '}')) return at;
  }
  return at;
}
