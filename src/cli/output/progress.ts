import type { TimedReport } from '../../remote-control/status.js';
import { formatDuration, meaningOf, nextStepFor, type Paint, paintFor, STATUS_COLOURS } from './text.js';

/** `active.` is the same for all states that are shown. */
const shortState = (state: string): string => state.replace(/^active\./, '');

/** Shows the states of a start: on a terminal as one line that is overwritten, otherwise as a line for each state. */
export class Progress {
  readonly #stream: NodeJS.WriteStream;
  readonly #paint: Paint;
  readonly #overwrites: boolean;
  readonly #startedAt = Date.now();
  #lastLine = '';
  #lineOpen = false;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#paint = paintFor(stream);
    this.#overwrites = stream.isTTY === true && process.env.TERM !== 'dumb';
  }

  show(report: TimedReport): void {
    const line = this.#lineFor(report);
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    if (!this.#overwrites) {
      this.#stream.write(`${line}\n`);
      return;
    }
    const width = Math.max(this.#stream.columns || 80, 20);
    this.#stream.write(`\r\u001b[2K${cut(line, width - 1)}`);
    this.#lineOpen = true;
    // A person has to read these, so the next state does not overwrite them.
    if (report.status === 'connected' || report.status === 'errored' || report.state === 'stopped') {
      this.finishLine();
    }
  }

  /** Ends the line that would be overwritten next. */
  finishLine(): void {
    if (this.#lineOpen) this.#stream.write('\n');
    this.#lineOpen = false;
    this.#lastLine = '';
  }

  #lineFor(report: TimedReport): string {
    const elapsed = `${((Date.now() - this.#startedAt) / 1000).toFixed(1)} s`.padStart(7);
    const status = this.#paint(STATUS_COLOURS[report.status], report.status.padEnd(10));
    const parts = [`${elapsed}  ${status} ${shortState(report.state)}`];
    if (report.status === 'errored' || report.state.includes('awaiting')) {
      const nextStep = nextStepFor(report.reason);
      parts.push(report.lastFailure?.message ?? meaningOf(report.reason));
      if (report.nextAttemptAt !== null) {
        parts.push(`next attempt in ${formatDuration(report.nextAttemptAt - Date.now())}`);
      } else if (nextStep !== '') parts.push(nextStep);
    } else if (report.reason !== 'connected') parts.push(`(${report.reason})`);
    return parts.join('  ');
  }
}

const ESCAPE = String.fromCharCode(0x1b);
const COLOUR_CODE = new RegExp(`(${ESCAPE}\\[\\d+m)`);

/** Cuts a line to a visible width; colour codes take no room. */
function cut(line: string, width: number): string {
  let length = 0;
  let out = '';
  for (const part of line.split(COLOUR_CODE)) {
    if (part.startsWith(ESCAPE)) {
      out += part;
      continue;
    }
    const room = width - length;
    if (room <= 0) continue;
    out += part.length > room ? `${part.slice(0, room - 1)}…` : part;
    length += Math.min(part.length, room);
  }
  return out;
}
