import pino, { type Level, type Logger } from 'pino';
import { maskNamed } from '../../observe/body-preview.js';
import { widthOf, wrap } from './layout.js';
import type { LogFile } from './log-file.js';
import { logLine } from './log-line.js';
import { json, lines, stderr, type Text } from './terminal.js';

interface LoggerOptions {
  readonly level: string;
  readonly format: 'pretty' | 'json';
  /** The screen of `start` shows how remote control is, so its lines are left out. Not from the file. */
  readonly besideScreen?: boolean;
  /** Also gets each line as JSON, from level `info` on whatever `level` is. */
  readonly file?: LogFile | undefined;
}

/** Fields that never hold anything worth reading. `Secret` values print as `<redacted>` without this. */
const REDACT = [
  'authorization',
  'token',
  'accessToken',
  'headers',
  '*.authorization',
  '*.token',
  '*.accessToken',
];

const FILE_LEVEL = 'info';

/** A decision of remote control: only its lines have a state of that chart. */
const SHOWN_ON_SCREEN = /"state":"active\./;

/** The log on stderr: pino, with a final check of each line for anything that is shaped like a token. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.format === 'pretty' ? prettyFormat() : undefined;
  batchWriter ??= new BatchWriter();
  const writer = batchWriter;
  const { file, level } = options;
  const stderrStream = {
    write: (line: string) => {
      if (options.besideScreen === true && SHOWN_ON_SCREEN.test(line)) return;
      const safe = maskNamed(line);
      writer.write(format === undefined ? json(safe) : format(safe));
    },
  };
  const fileLevel = moreVerbose(level, FILE_LEVEL);
  return pino(
    {
      level: file === undefined ? level : fileLevel,
      base: null,
      redact: { paths: REDACT, censor: '<redacted>' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    file === undefined
      ? stderrStream
      : pino.multistream([
          ...(level === 'silent' ? [] : [{ level: level as Level, stream: stderrStream }]),
          { level: fileLevel as Level, stream: { write: (line: string) => file.write(maskNamed(line)) } },
        ]),
  );
}

/** One for all loggers of the process: a restart makes another logger. */
let batchWriter: BatchWriter | undefined;

/** Writes the lines of one turn of the event loop together: each write to stderr is a blocking system call. */
class BatchWriter {
  #buffered: Text[] = [];
  #scheduled = false;

  constructor() {
    // The last lines before an exit must not be lost.
    process.on('exit', () => this.#flush());
  }

  write(line: Text): void {
    this.#buffered.push(line);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const buffered = this.#buffered;
    this.#buffered = [];
    if (buffered.length > 0) stderr.write(...buffered);
  }
}

function prettyFormat(): (line: string) => Text {
  const { paint } = stderr;
  return (line) => {
    let entry: Record<string, unknown>;
    try {
      entry = JSON.parse(line);
    } catch {
      return json(line);
    }
    const { level, time, msg, ...fields } = entry;
    // In the time zone of this machine, as the lines of the screen.
    const at = new Date(String(time));
    const clock = `${at.toTimeString().slice(0, 8)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
    const shown = logLine({ time: clock, level: String(level), message: String(msg), fields }, paint);
    // Only a terminal has a width; a file and a pipe keep one line an entry.
    return stderr.isTTY ? lines(wrap(shown, widthOf(stderr))) : shown;
  };
}

/** The more verbose of two levels. */
const moreVerbose = (one: string, other: string): string =>
  (pino.levels.values[one] ?? Number.POSITIVE_INFINITY) < (pino.levels.values[other] ?? 0) ? one : other;
