/** Finds where and why a text is no JSON. `JSON.parse` of Node 20 often says neither. */

export interface JsonSyntaxError {
  /** Both count from 1; a column is a UTF-16 unit. */
  readonly line: number;
  readonly column: number;
  readonly problem: string;
}

const MAX_DEPTH = 200;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const STRING_PART = /(?:(?!["\\])[^\p{Cc}]|[\u{7f}-\u{9f}])+|\\(?:["\\/bfnrt]|u[\dA-Fa-f]{4})/uy;
const SPACE = /[ \t\r\n]*/y;

/** The first fault in `text`, undefined when it is JSON (of up to 200 levels). */
export function findJsonSyntaxError(text: string): JsonSyntaxError | undefined {
  try {
    new Scanner(text).document();
    return undefined;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    const before = text.slice(0, error.offset).split('\n');
    return { line: before.length, column: (before.at(-1) ?? '').length + 1, problem: error.problem };
  }
}

class Stop {
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
    if (this.#peek() !== undefined) this.#stop('nothing more is expected after the value');
  }

  #value(depth: number): void {
    const char = this.#peek();
    if (depth > MAX_DEPTH) this.#stop('nested too deeply');
    if (char === '{') this.#members('}', depth, 'a key in double quotes');
    else if (char === '[') this.#members(']', depth, 'a value');
    else if (char === '"') this.#string();
    else if (this.#take(NUMBER) === undefined) this.#word();
  }

  /** The inside of an object or a list, from its opening sign to its closing one. */
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
    if (char === undefined || char === '\n' || char === '\r')
      this.#stop('the text in double quotes is not closed');
    if (char === '\\') this.#stop('a backslash starts nothing that is known; write \\\\ for a backslash');
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
    if (char === "'") this.#stop(`text is written in double quotes; expected ${expected}`);
    if (char === '/' || char === '#') this.#stop(`comments are not allowed; expected ${expected}`);
    this.#stop(`expected ${expected}`);
  }

  /** The next character that is no space. */
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
    throw new Stop(this.#at, problem);
  }
}
