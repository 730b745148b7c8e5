import pino, { type Level, type Logger } from 'pino';
import { maskNamed } from '../../observe/body-preview.js';
import type { LogFile } from './log-file.js';
import { logLine } from './log-line.js';
import { json, stderr, type Text } from './terminal.js';

interface LoggerOptions {
  readonly level: string;
  readonly format: 'pretty' | 'json';
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

/** The log on stderr: pino, with a final check of each line for anything that is shaped like a token. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.format === 'pretty' ? prettyFormat() : undefined;
  const writer = new BatchWriter();
  const { file, level } = options;
  const stderrStream = {
    write: (line: string) => {
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
    const clock = String(time).slice(11, 23);
    return logLine({ time: clock, level: String(level), message: String(msg), fields }, paint);
  };
}

/** The more verbose of two levels. */
const moreVerbose = (one: string, other: string): string =>
  (pino.levels.values[one] ?? Number.POSITIVE_INFINITY) < (pino.levels.values[other] ?? 0) ? one : other;
