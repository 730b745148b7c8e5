import { needsPerson } from '../../protocol/reasons.js';
import type { TimedReport } from '../../remote-control/status.js';
import { joined, type Output, type Text, text } from './terminal.js';
import { formatDuration, meaningOf, nextStepFor, STATUS_COLOURS } from './text.js';

/** `active.` is the same for all states that are shown. */
const shortState = (state: string): string => state.replace(/^active\./, '');

/** An attempt after a failure is under way. */
const isTryingAgain = ({ status, nextAttemptAt, reason }: TimedReport): boolean =>
  status === 'errored' && nextAttemptAt === null && !needsPerson(reason);

/** Shows the states of a start: on a terminal as one line that is overwritten, otherwise as a line for each state. */
export class Progress {
  readonly #output: Output;
  readonly #startedAt = performance.now();
  #lastLine = '';
  #lineOpen = false;

  constructor(output: Output) {
    this.#output = output;
  }

  show(report: TimedReport): void {
    const tryingAgain = isTryingAgain(report);
    // The failure stays on the screen until there is news.
    if (tryingAgain && !this.#output.overwrites) return;
    const line = this.#lineFor(report);
    if (String(line) === this.#lastLine) return;
    this.#lastLine = String(line);
    if (!this.#output.overwrites) {
      this.#output.print(line);
      return;
    }
    this.#output.overwrite(line);
    this.#lineOpen = true;
    // A person has to read these, so the next state does not overwrite them.
    const isNews = report.status === 'connected' || report.status === 'errored' || report.state === 'stopped';
    if (isNews && !tryingAgain) {
      this.finishLine();
    }
  }

  /** Ends the line that would be overwritten next. */
  finishLine(): void {
    if (this.#lineOpen) this.#output.print('');
    this.#lineOpen = false;
    this.#lastLine = '';
  }

  #lineFor(report: TimedReport): Text {
    const elapsed = `${((performance.now() - this.#startedAt) / 1000).toFixed(1)} s`.padStart(7);
    const status = this.#output.paint(STATUS_COLOURS[report.status], report.status.padEnd(10));
    const parts: (string | Text)[] = [text`${elapsed}  ${status} ${shortState(report.state)}`];
    if (!isTryingAgain(report) && (report.status === 'errored' || report.state.includes('awaiting'))) {
      const nextStep = nextStepFor(report.reason);
      const needsHelp = needsPerson(report.reason);
      parts.push(report.lastFailure?.message ?? meaningOf(report.reason));
      if (report.nextAttemptAt !== null) {
        parts.push(`next attempt in ${formatDuration(report.nextAttemptAt - Date.now())}`);
      }
      if (nextStep !== '' && (needsHelp || report.nextAttemptAt === null)) parts.push(nextStep);
    } else if (report.reason !== 'connected') parts.push(`(${report.reason})`);
    return joined(parts, '  ');
  }
}
