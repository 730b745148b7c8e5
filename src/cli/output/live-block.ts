import { columnsOf, widthOf } from './layout.js';
import { keepBelow, type Output, type Text, text } from './terminal.js';

/** Terminal sequences: so many lines up, then to the first column; erase from there to the end of the screen. */
const upBy = (rows: number): string => (rows === 0 ? '\r' : `\u001b[${rows}A\r`);
const ERASE_BELOW = '\u001b[J';
const DEFAULT_ROWS = 24;

/**
 * Lines at the end of a terminal that are replaced when they change. Everything else is written above them. Only for an
 * output that `overwrites`. On a terminal with fewer rows the first lines are shown: what has left the screen cannot be
 * replaced, and would be there again and again.
 */
export class LiveBlock {
  readonly #output: Output;
  #lines: readonly Text[] = [];
  /** What is on the screen now. */
  #drawn: readonly Text[] | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows these lines in place of the last ones. Writes nothing when they are the same. */
  show(lines: readonly Text[]): void {
    const same =
      lines.length === this.#lines.length && lines.every((line, i) => `${line}` === `${this.#lines[i]}`);
    if (this.#drawn !== undefined && same) return;
    const erased = this.#erase();
    this.#lines = lines;
    keepBelow(undefined);
    this.#output.writeSequence(`${erased}${this.#draw()}`);
    keepBelow({ erase: () => this.#erase(), draw: () => this.#draw() });
  }

  /** The lines stay on the screen as they are now. */
  close(): void {
    keepBelow(undefined);
    this.#drawn = undefined;
  }

  #draw(): string {
    this.#drawn = this.#fitting();
    return this.#drawn.map((line) => `${line}\n`).join('');
  }

  #erase(): string {
    if (this.#drawn === undefined) return '';
    // A terminal that has become smaller since has moved the first lines into its history.
    const rows = this.#drawn.reduce((sum, line) => sum + this.#rowsOf(line), 0);
    return `${upBy(Math.min(rows, this.#height - 1))}${ERASE_BELOW}`;
  }

  /** The lines, or as many of them as the terminal has rows for; the cursor stands in the row below. */
  #fitting(): readonly Text[] {
    const room = this.#height - 1;
    let rows = 0;
    for (const [at, line] of this.#lines.entries()) {
      rows += this.#rowsOf(line);
      if (rows > room) return [...this.#whatFits(at, room - 1), CUT];
    }
    return this.#lines;
  }

  /** The first lines up to `end` that take at most `room` rows. */
  #whatFits(end: number, room: number): readonly Text[] {
    let rows = 0;
    const found = this.#lines.slice(0, end).findIndex((line) => {
      rows += this.#rowsOf(line);
      return rows > room;
    });
    return this.#lines.slice(0, found < 0 ? end : found);
  }

  get #height(): number {
    return Math.max(this.#output.rows || DEFAULT_ROWS, 2);
  }

  /** A line that is longer than the terminal is wide takes several rows. */
  #rowsOf({ segments }: Text): number {
    const columns = segments.reduce((sum, { text: shown }) => sum + columnsOf(shown), 0);
    return Math.max(1, Math.ceil(columns / widthOf(this.#output)));
  }
}

const CUT = text`${'… This terminal has too few rows for the rest.'}`;
