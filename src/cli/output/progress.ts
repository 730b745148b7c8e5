import type { TimedReport } from '../../remote-control/status.js';
import { duration, means, paint, todo } from './output.js';

const COLOURS = { connected: 32, connecting: 33, errored: 31, disabled: 90 } as const;

/** The name of a state without the part that is the same for all. */
const shortState = (state: string): string => state.replace(/^active\./, '');

/**
 * Shows a start coming up: one line that is written over on a terminal, a line for each state otherwise.
 */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #paint: (code: number, text: string) => string;
  readonly #live: boolean;
  readonly #started = Date.now();
  #last = '';
  #open = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#paint = paint(stream);
    this.#live = stream.isTTY === true && process.env.TERM !== 'dumb';
  }

  show(report: TimedReport): void {
    const line = this.#line(report);
    if (line === this.#last) return;
    this.#last = line;
    if (!this.#live) {
      this.#stream.write(`${line}\n`);
      return;
    }
    const width = Math.max(this.#stream.columns || 80, 20);
    this.#stream.write(`\r\u001b[2K${cut(line, width - 1)}`);
    this.#open = true;
    // What a person has to read stays.
    if (report.status === 'connected' || report.status === 'errored' || report.state === 'stopped')
      this.settle();
  }

  /** Ends the line that is being written over. */
  settle(): void {
    if (this.#open) this.#stream.write('\n');
    this.#open = false;
    this.#last = '';
  }

  #line(report: TimedReport): string {
    const at = `${((Date.now() - this.#started) / 1000).toFixed(1)} s`.padStart(7);
    const status = this.#paint(COLOURS[report.status], report.status.padEnd(10));
    const parts = [`${at}  ${status} ${shortState(report.state)}`];
    if (report.status === 'errored' || report.state.includes('awaiting')) {
      const failure = report.lastFailure;
      parts.push(failure?.message ?? means(report.reason));
      if (report.nextAttemptAt !== null)
        parts.push(`next try in ${duration(report.nextAttemptAt - Date.now())}`);
      else if (todo(report.reason) !== '') parts.push(todo(report.reason));
    } else if (report.reason !== 'connected') parts.push(`(${report.reason})`);
    return parts.join('  ');
  }
}

const ESCAPE = String.fromCharCode(0x1b);
const COLOUR = new RegExp(`(${ESCAPE}\\[\\d+m)`);

/** Cuts a line with colour codes to a visible width. */
function cut(line: string, width: number): string {
  let seen = 0;
  let out = '';
  for (const part of line.split(COLOUR)) {
    if (part.startsWith(ESCAPE)) {
      out += part;
      continue;
    }
    const room = width - seen;
    if (room <= 0) continue;
    out += part.length > room ? `${part.slice(0, room - 1)}…` : part;
    seen += Math.min(part.length, room);
  }
  return out;
}
