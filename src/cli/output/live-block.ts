import { columnsOf, widthOf } from './layout.js';
import { keepBelow, type Output, type Text } from './terminal.js';

/** Terminal sequences: so many lines up, then to the first column; erase from there to the end of the screen. */
const upBy = (rows: number): string => (rows === 0 ? '\r' : `\u001b[${rows}A\r`);
const ERASE_BELOW = '\u001b[J';

/**
 * Lines at the end of a terminal that are replaced when they change. Everything else is written above them. Only for an
 * output that `overwrites`.
 */
export class LiveBlock {
  readonly #output: Output;
  #lines: readonly Text[] = [];
  #drawn = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows these lines in place of the last ones. Writes nothing when they are the same. */
  show(lines: readonly Text[]): void {
    const same =
      lines.length === this.#lines.length && lines.every((line, i) => `${line}` === `${this.#lines[i]}`);
    if (this.#drawn && same) return;
    const erased = this.#erase();
    this.#lines = lines;
    keepBelow(undefined);
    this.#output.writeSequence(`${erased}${this.#draw()}`);
    keepBelow({ erase: () => this.#erase(), draw: () => this.#draw() });
  }

  /** The lines stay on the screen as they are now. */
  close(): void {
    keepBelow(undefined);
    this.#drawn = false;
  }

  #draw(): string {
    this.#drawn = true;
    return this.#lines.map((line) => `${line}\n`).join('');
  }

  /** Lines that have left the screen at its top stay in its history, and the new ones follow. */
  #erase(): string {
    if (!this.#drawn) return '';
    const rows = this.#rows();
    return rows < (this.#output.rows || 24) ? `${upBy(rows)}${ERASE_BELOW}` : '';
  }

  /** A line that is longer than the terminal is wide takes several rows. */
  #rows(): number {
    const width = widthOf(this.#output);
    const rowsOf = ({ segments }: Text): number => {
      const columns = segments.reduce((sum, { text }) => sum + columnsOf(text), 0);
      return Math.max(1, Math.ceil(columns / width));
    };
    return this.#lines.reduce((sum, line) => sum + rowsOf(line), 0);
  }
}
