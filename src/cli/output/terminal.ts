/**
 * The only writer of stdout and stderr. A peer may choose names, methods, codes, claims and error messages; none of
 * them may act on the terminal of the person who reads them. The writer accepts only `Text`, and each value that
 * enters a `Text` is escaped, so a command cannot forget it. The linter forbids every other way to stdout and stderr.
 */

/** Control, format and direction characters, and line separators; not the tab. */
const UNSAFE = /(?!\t)[\p{Cc}\p{Cf}\u2028\u2029]/gu;
const UNSAFE_IN_BLOCK = /(?![\t\n])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

const escapeForPeople = (character: string): string => `\\u{${character.codePointAt(0)?.toString(16)}}`;

const escapeForJson = (character: string): string =>
  character.replace(/[\s\S]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** A part of a line; `style` is the parameter of an ANSI colour sequence. */
interface Segment {
  readonly text: string;
  readonly style?: number | string;
}

/** What a person may read as it is: made by the functions of this file, which escape what peers wrote. */
export class Text {
  readonly #segments: readonly Segment[];

  constructor(segments: readonly Segment[]) {
    this.#segments = segments;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Cut to a visible width; colours take no room. */
  cut(width: number): Text {
    const length = this.#segments.reduce((sum, segment) => sum + segment.text.length, 0);
    if (length <= width) return this;
    let room = width - 1;
    const segments = this.#segments.map((segment) => {
      const shown = segment.text.slice(0, Math.max(room, 0));
      room -= segment.text.length;
      return { ...segment, text: shown };
    });
    return new Text([...segments.filter((segment) => segment.text !== ''), { text: '…' }]);
  }

  toString(): string {
    return this.#segments
      .map(({ text, style }) => (style === undefined ? text : `\u001b[${style}m${text}\u001b[0m`))
      .join('');
  }
}

type Value = string | number | Text | null | undefined;

const segmentsOf = (value: Value): readonly Segment[] =>
  value instanceof Text ? value.segments : [{ text: String(value).replace(UNSAFE, escapeForPeople) }];

/** A template whose values are fields: their line breaks are escaped too, so that no field begins a line. */
export function text(strings: TemplateStringsArray, ...values: readonly Value[]): Text {
  const segments = strings.flatMap((part, index) => [
    { text: part },
    ...(index < values.length ? segmentsOf(values[index]) : []),
  ]);
  return new Text(segments);
}

/** Each value is one line. */
export function lines(values: readonly Value[]): Text {
  return new Text(values.flatMap((value) => [...segmentsOf(value), { text: '\n' }]));
}

export const joined = (values: readonly Value[], separator: string): Text =>
  new Text(
    values.flatMap((value, index) => [...(index === 0 ? [] : [{ text: separator }]), ...segmentsOf(value)]),
  );

/** Text of several lines that this program generated, such as an exported chart. */
export const block = (content: string): Text =>
  new Text([{ text: content.replace(UNSAFE_IN_BLOCK, escapeForPeople) }]);

/** One line of JSON or several. The characters become JSON escapes, so that the value stays the same. */
export const json = (encoded: string): Text =>
  new Text([{ text: `${encoded.trimEnd().replace(UNSAFE_IN_BLOCK, escapeForJson)}\n` }]);

/** A field in a colour, whatever the terminal. */
export const styled = (style: number | string, field: string): Text =>
  new Text([{ text: field.replace(UNSAFE, escapeForPeople), style }]);

/** Colours a field by ANSI code where the terminal has colours. */
export type Paint = (code: number, field: string) => Text;

type Stream = Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns' | 'rows'> & {
  readonly writableLength?: number;
};

/** Lines that stay below everything else on a terminal: live-block.ts. */
interface Below {
  /** Removes the lines. */
  erase(): string;
  /** Writes them again. */
  draw(): string;
}

let below: Below | undefined;

/** Keeps these lines below all that is written to a terminal from now on; undefined: none. */
export function keepBelow(lines: Below | undefined): void {
  below = lines;
}

/** Unread output of a program that runs on without its reader. In bytes. */
const MAX_UNREAD = 1024 * 1024;

/** One of the two streams that a person reads. */
export class Output {
  readonly #stream: () => Stream;
  /** Called once, when output is left out because nobody reads it; undefined: all output waits for its reader. */
  #onUnread: (() => void) | undefined;
  #optional = false;

  constructor(stream: () => Stream) {
    this.#stream = stream;
  }

  get isTTY(): boolean {
    return this.#stream().isTTY === true;
  }

  /** In characters; 0 where the stream does not know. */
  get columns(): number {
    return this.#stream().columns ?? 0;
  }

  get rows(): number {
    return this.#stream().rows ?? 0;
  }

  /** A line can be written over the last one. */
  get overwrites(): boolean {
    return this.isTTY && process.env.TERM !== 'dumb';
  }

  get paint(): Paint {
    const coloured = this.overwrites && (process.env.NO_COLOR ?? '') === '';
    return (code, field) => (coloured ? styled(code, field) : text`${field}`);
  }

  write(...texts: readonly Text[]): void {
    this.#put(texts.join(''));
  }

  /** Writes what `LiveBlock` made of `Text` and of sequences that move the cursor. */
  writeSequence(sequence: string): void {
    this.#put(sequence);
  }

  /** From now on output that nobody reads is left out, so that it does not fill the memory. */
  makeOptional(onUnread: () => void): void {
    this.#optional = true;
    this.#onUnread = onUnread;
  }

  #put(written: string): void {
    const stream = this.#stream();
    if (!this.#optional || (stream.writableLength ?? 0) <= MAX_UNREAD) {
      stream.write(
        below === undefined || stream.isTTY !== true ? written : `${below.erase()}${written}${below.draw()}`,
      );
      return;
    }
    const onUnread = this.#onUnread;
    this.#onUnread = undefined;
    onUnread?.();
  }

  /** Writes each value as one line. */
  print(...values: readonly Value[]): void {
    this.write(lines(values));
  }

  /** Replaces the open line, cut to the width of the terminal. */
  overwrite(line: Text): void {
    const width = Math.max(this.columns || 80, 20);
    this.#put(`\r\u001b[2K${line.cut(width - 1)}`);
  }
}

export const stdout = new Output(() => process.stdout);
export const stderr = new Output(() => process.stderr);

type OutputName = 'stdout' | 'stderr';

/** Reports the first error of each stream, such as a full disk or a reader that went away. */
export function onOutputError(listener: (name: OutputName, error: NodeJS.ErrnoException) => void): void {
  for (const name of ['stdout', 'stderr'] as const) {
    let failed = false;
    process[name].on('error', (error: NodeJS.ErrnoException) => {
      // Only once: what runs on, or stops now, writes again.
      if (failed) return;
      failed = true;
      listener(name, error);
    });
  }
}

/** Resolves when everything on stdout has been passed on, or after `limit` ms. */
export const stdoutFlushed = (limit: number | undefined): Promise<void> =>
  new Promise((resolve) => {
    process.stdout.write('', () => resolve());
    if (limit !== undefined) setTimeout(resolve, limit);
  });

/** While `work` runs, what other code writes to stdout goes to stderr: stdout is for the output of the command. */
export async function stdoutToStderr<T>(work: () => Promise<T> | T): Promise<T> {
  const original = process.stdout.write;
  process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    return await work();
  } finally {
    process.stdout.write = original;
  }
}
