/** Finds where and why a string is not valid JSON. The errors of `JSON.parse` in Node 20 often say neither. */

interface JsonSyntaxError {
  /** Line and column count from 1; a column is a UTF-16 unit. */
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

const MAX_DEPTH = 200;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const STRING_PART = /(?:(?!["\\])[^\p{Cc}]|[\u{7f}-\u{9f}])+|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/uy;
const SPACE = /[ \t\r\n]*/y;

/** The first syntax error in `text`; undefined for valid JSON with at most 200 levels of nesting. */
export function findJsonSyntaxError(text: string): JsonSyntaxError | undefined {
  try {
    new Scanner(text).document();
    return undefined;
  } catch (error) {
    if (!(error instanceof SyntaxStop)) throw error;
    const before = text.slice(0, error.offset).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1, problem: error.problem };
  }
}

/** Thrown to leave the scanner at the first error. */
class SyntaxStop {
  constructor(
    readonly offset: number,
    readonly problem: string,
  ) {}
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value(0);
    if (this.#peek() !== undefined) this.#stop('unexpected content after the value');
  }

  #value(depth: number): void {
    const char = this.#peek();
    if (depth > MAX_DEPTH) this.#stop('nested too deeply');
    if (char === '{') this.#members('}', depth, 'a key in double quotes');
    else if (char === '[') this.#members(']', depth, 'a value');
    else if (char === '"') this.#string();
    else if (this.#take(NUMBER) === undefined) this.#word();
  }

  /** The content of an object or an array, both brackets included. */
  #members(close: '}' | ']', depth: number, expected: string): void {
    this.#at += 1;
    if (this.#peek() === close) {
      this.#at += 1;
      return;
    }
    for (;;) {
      if (this.#peek() === close) this.#stop(`a comma before ${close} is not allowed`);
      if (close === '}') {
        if (this.#peek() !== '"') this.#unexpected(expected);
        this.#string();
        if (this.#peek() !== ':') this.#unexpected('a colon');
        this.#at += 1;
      }
      this.#value(depth + 1);
      const next = this.#peek();
      if (next !== ',' && next !== close) this.#unexpected(`a comma or ${close}`);
      this.#at += 1;
      if (next === close) return;
    }
  }

  #string(): void {
    this.#at += 1;
    while (this.#take(STRING_PART) !== undefined);
    const char = this.#text[this.#at];
    if (char === undefined || char === '\n' || char === '\r') this.#stop('the string is not closed');
    if (char === '\\') this.#stop('invalid escape; write \\\\ for a backslash');
    if (char !== '"') this.#stop('a control character must be written as an escape');
    this.#at += 1;
  }

  #word(): void {
    const start = this.#at;
    const word = this.#take(WORD);
    if (word === 'true' || word === 'false' || word === 'null') return;
    this.#at = start;
    this.#unexpected('a value');
  }

  #unexpected(expected: string): never {
    const char = this.#text[this.#at];
    if (char === undefined) this.#stop(`the file ends where ${expected} is expected`);
    if (char === "'") this.#stop(`strings need double quotes; expected ${expected}`);
    if (char === '/' || char === '#') this.#stop(`comments are not allowed; expected ${expected}`);
    this.#stop(`expected ${expected}`);
  }

  /** The next character that is not whitespace. */
  #peek(): string | undefined {
    this.#take(SPACE);
    return this.#text[this.#at];
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #stop(problem: string): never {
    throw new SyntaxStop(this.#at, problem);
  }
}
