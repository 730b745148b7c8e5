import { needsPerson } from '../../protocol/reasons.js';
import type { TimedReport } from '../../remote-control/status.js';
import { joined, type Output, type Text, text } from './terminal.js';
import { formatDuration, meaningOf, nextStepFor, STATUS_COLOURS } from './text.js';

/** `active.` is the same for all states that are shown. */
const shortState = (state: string): string => state.replace(/^active\./, '');

/** An attempt after a failure is under way. */
const isTryingAgain = ({ status, nextAttemptAt, reason }: TimedReport): boolean =>
  status === 'errored' && nextAttemptAt === null && !needsPerson(reason);

/** The states of `start --verbose`: a line for each. */
export class Progress {
  readonly #output: Output;
  readonly #startedAt = performance.now();
  #lastLine = '';

  constructor(output: Output) {
    this.#output = output;
  }

  show(report: TimedReport): void {
    const line = this.#lineFor(report);
    // The time alone is not a change.
    const shown = String(line).replace(/^ *\d+\.\d s/, '');
    if (shown === this.#lastLine) return;
    this.#lastLine = shown;
    this.#output.print(line);
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
