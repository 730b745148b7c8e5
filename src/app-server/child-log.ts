import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';
import { cutBytes, maskTokens, oneLine } from '../observe/body-preview.js';
import { LogBudget } from '../observe/log-budget.js';

export interface ChildLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** What one child may write into the log within an hour, and all children together, bytes. */
const CHILD_BYTES = 24 * 1024;
const ALL_BYTES = 48 * 1024;
const WINDOW = 3_600_000;
/** What the log adds to a line: time, program, pid. */
const LINE_BYTES = 120;
/** Length at which a line is cut, bytes. */
const MAX_LINE_BYTES = 2_048;
/** Length at which the last line is cut in an error message, bytes. */
const MAX_LAST_LINE_BYTES = 200;

/** Lines that are remembered for the message about an exit. */
const LAST_LINES = 40;
/** Lines that follow an error message: stack frames, a version, a hint, the end of an object. */
const AFTERWARDS =
  /^(?:at\s|\d+: |stack backtrace:$|Node\.js v\d|Bun v\d|note: run with |\.\.\. \d+ more|[\^~]+$|[\]})]+[,;]?$|\S+\.go:\d+|exit status \d+$)/i;
/** A line that is the message of an error: `TypeError: …`, `Error [CODE]: …`, `panic: …`. */
const ERROR_MESSAGE =
  /^(?:uncaught )?(?:[\w.$]*(?:error|exception)(?: \[\w+\])?(?::|$)|exception in thread |fatal\b|panic: )/i;

/**
 * The last line, or where a stack trace or the like is the end, the message in front of it. Node.js, for example, ends
 * with its version.
 */
function explanationIn(lines: readonly string[]): string {
  const last = lines.at(-1) ?? '';
  if (!AFTERWARDS.test(last)) return last;
  const before = [...lines].reverse();
  return (
    before.find((line) => ERROR_MESSAGE.test(line)) ?? before.find((line) => !AFTERWARDS.test(line)) ?? last
  );
}

/** One budget for all children that share a log: a child that is started again and again must not fill it either. */
const budgets = new WeakMap<ChildLog, LogBudget>();

function budgetOfAll(log: ChildLog): LogBudget {
  const known = budgets.get(log);
  if (known !== undefined) return known;
  const made = budget(ALL_BYTES, log, {}, 'all app servers together');
  budgets.set(log, made);
  return made;
}

function budget(bytes: number, log: ChildLog, fields: object, who: string): LogBudget {
  return new LogBudget({
    bytes,
    window: WINDOW,
    onUsedUp: () =>
      log.warn(
        fields,
        `more lines of ${who} are left out: they may fill ${bytes / 1024} KiB of the log an hour`,
      ),
    onLeftOut: (count) => log.warn({ ...fields, count }, `${count} lines of ${who} were left out of the log`),
  });
}

/** What one child writes into the log, within its budget. RC-73 */
export class ChildLines {
  /** The last lines, for the message about its exit. */
  readonly #last: string[] = [];
  readonly #fields: { readonly app: string; readonly pid: number };
  readonly #log: ChildLog;
  readonly #own: LogBudget;
  readonly #all: LogBudget;

  constructor(fields: { readonly app: string; readonly pid: number }, log: ChildLog) {
    this.#fields = fields;
    this.#log = log;
    this.#own = budget(CHILD_BYTES, log, fields, 'this app server');
    this.#all = budgetOfAll(log);
  }

  /** The line that explains its exit best; empty: it wrote none. */
  get explanation(): string {
    return explanationIn(this.#last);
  }

  /** Logs a stream line by line. */
  follow(stream: Readable): void {
    let partial = '';
    let cut = false;
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => {
      const lines = chunk.split('\n');
      for (const [index, part] of lines.entries()) {
        if (!cut) partial += part;
        if (!cut && partial.length > MAX_LINE_BYTES) {
          // It may never end, so it is logged now.
          this.#line(partial.slice(0, MAX_LINE_BYTES));
          partial = '';
          cut = true;
        }
        if (index === lines.length - 1) break;
        this.#line(partial);
        partial = '';
        cut = false;
      }
    });
    stream.on('error', () => {});
    stream.on('close', () => {
      this.#line(partial);
      partial = '';
    });
  }

  /** A line on stdout that is not a message. Its content may be anything, so it is not logged. */
  notAMessage(bytes: number): void {
    const text = 'a line of the app server is not a valid message';
    if (this.#take(text.length)) this.#log.warn({ ...this.#fields, bytes }, text);
  }

  /** Something about the child. */
  note(text: string): void {
    const line = cutBytes(oneLine(text), MAX_LINE_BYTES);
    if (this.#take(Buffer.byteLength(line))) this.#log.info(this.#fields, line);
  }

  /** The child has ended. */
  close(): void {
    this.#own.flush();
  }

  #line(line: string): void {
    // Colors go before tokens are masked: they could divide one.
    const text = cutBytes(oneLine(maskTokens(stripVTControlCharacters(line))).trim(), MAX_LINE_BYTES);
    if (text === '') return;
    this.#last.push(cutBytes(text, MAX_LAST_LINE_BYTES));
    if (this.#last.length > LAST_LINES) this.#last.shift();
    if (this.#take(Buffer.byteLength(text))) this.#log.info(this.#fields, text);
  }

  #take(bytes: number): boolean {
    return this.#own.take(bytes + LINE_BYTES) && this.#all.take(bytes + LINE_BYTES);
  }
}
