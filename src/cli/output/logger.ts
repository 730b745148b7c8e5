import pino, { type Logger } from 'pino';
import { maskNamed } from '../../observe/body-preview.js';
import { json, stderr, type Text, text } from './terminal.js';
import { COLOURS } from './text.js';

interface LoggerOptions {
  readonly level: string;
  readonly format: 'pretty' | 'json';
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

/** The log on stderr: pino, with a final check of each line for anything that is shaped like a token. */
export function createLogger(options: LoggerOptions): Logger {
  const format = options.format === 'pretty' ? prettyFormat() : undefined;
  const writer = new BatchWriter();
  return pino(
    {
      level: options.level,
      base: null,
      redact: { paths: REDACT, censor: '<redacted>' },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    {
      write: (line: string) => {
        const safe = maskNamed(line);
        writer.write(format === undefined ? json(safe) : format(safe));
      },
    },
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

const LEVEL_COLOURS: Readonly<Record<string, number>> = {
  error: COLOURS.red,
  fatal: COLOURS.red,
  warn: COLOURS.yellow,
  info: COLOURS.cyan,
  debug: COLOURS.grey,
  trace: COLOURS.grey,
};

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
    const rest = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    const label = String(level);
    const clock = String(time).slice(11, 23);
    return text`${paint(COLOURS.grey, clock)} ${paint(LEVEL_COLOURS[label] ?? 0, label.padEnd(5))} ${String(msg)} ${paint(COLOURS.grey, rest.join(' '))}\n`;
  };
}
