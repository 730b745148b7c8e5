/** The rows of `rc-engine doctor` for a person: a mark, what was found, and below it what to do. */
import { widthOf, wrap } from '../output/layout.js';
import { joined, type Output, type Text, text } from '../output/terminal.js';
import { COLOURS } from '../output/text.js';
import type { Check, CheckRow, CheckState, CheckSummary } from './check.js';

const MARKS: Readonly<Record<CheckState, readonly [unicode: string, ascii: string, colour: number]>> = {
  ok: ['✓', 'ok  ', COLOURS.green],
  warning: ['⚠', 'WARN', COLOURS.yellow],
  failed: ['✗', 'FAIL', COLOURS.red],
  skipped: ['-', '-   ', COLOURS.grey],
};

/** Whether the terminal or file takes more than ASCII, by the variables that decide it. Windows terminals do. */
export function isUnicode(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): boolean {
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return platform === 'win32' || /utf-?8/i.test(locale);
}

const TITLE_WIDTH = 12;

export class DoctorRows {
  readonly #output: Output;
  readonly #unicode: boolean;
  readonly #width: number;
  #group = '';
  #blocked: string[] = [];
  #pending = false;

  constructor(output: Output, unicode: boolean) {
    this.#output = output;
    this.#unicode = unicode;
    this.#width = widthOf(output);
  }

  /** On a terminal: which check runs now. */
  begin({ group, title }: Check): void {
    if (!this.#output.overwrites) return;
    this.#output.overwrite(text`  ${this.#unicode ? '…' : '...'} ${group}, ${title}`);
    this.#pending = true;
  }

  add(row: CheckRow): void {
    if (row.skippedBecause !== null && row.group === this.#group) {
      this.#blocked.push(row.title);
      return;
    }
    this.#clear();
    this.#flush();
    const { paint } = this.#output;
    if (row.group !== this.#group) {
      this.#output.print(...(this.#group === '' ? [] : ['']), paint(COLOURS.bold, row.group));
      this.#group = row.group;
    }
    const [unicode, ascii, colour] = MARKS[row.state];
    const mark = this.#unicode ? unicode : ascii;
    const indent = 2 + mark.length + 1 + TITLE_WIDTH + 1;
    const [first = text``, ...rest] = wrap(row.message, this.#width - indent);
    this.#output.print(
      text`  ${paint(colour, mark)} ${row.title.padEnd(TITLE_WIDTH)} ${first}`,
      ...rest.map((line) => text`${' '.repeat(indent)}${line}`),
    );
    if (row.remedy === undefined || row.remedy === '') return;
    const arrow = this.#unicode ? '→ ' : '> ';
    const lines = wrap(row.remedy, this.#width - indent - arrow.length);
    this.#output.print(
      ...lines.map(
        (line, at) =>
          text`${' '.repeat(indent)}${at === 0 ? arrow : '  '}${paint(COLOURS.cyan, String(line))}`,
      ),
    );
  }

  #clear(): void {
    if (this.#pending) this.#output.overwrite(text``);
    this.#pending = false;
  }

  /** All checks that one failure made pointless are one line. */
  #flush(): void {
    if (this.#blocked.length === 0) return;
    const [unicode, ascii, colour] = MARKS.skipped;
    const mark = this.#output.paint(colour, this.#unicode ? unicode : ascii);
    this.#output.print(text`  ${mark} ${`not checked because of that: ${this.#blocked.join(', ')}`}`);
    this.#blocked = [];
  }

  summary({ ok, warnings, failed, skipped }: CheckSummary): void {
    this.#clear();
    this.#flush();
    const parts: (string | Text)[] = [`${ok} ok`];
    if (warnings > 0) parts.push(`${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`);
    if (failed > 0) parts.push(this.#output.paint(COLOURS.red, `${failed} failed`));
    if (skipped > 0) parts.push(`${skipped} skipped`);
    this.#output.print('', joined(parts, ', '));
  }
}
