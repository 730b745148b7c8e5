import pino, { type Logger } from 'pino';
import { maskNamed } from '../../observe/body-preview.js';
import { paint } from './output.js';

export interface LoggerOptions {
  readonly level: string;
  readonly format: 'pretty' | 'json';
}

/** Fields that never hold anything worth reading. Secret values print as `<redacted>` by themselves. */
const REDACT = [
  'authorization',
  'token',
  'accessToken',
  'headers',
  '*.authorization',
  '*.token',
  '*.accessToken',
];

/** The log on stderr: pino, with a last look at each line for anything that is shaped like a token. */
export function createLogger(options: LoggerOptions): Logger {
  const pretty = options.format === 'pretty' ? prettyLine() : undefined;
  const lines = new TogetherWriter();
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
        lines.write(pretty === undefined ? safe : pretty(safe));
      },
    },
  );
}

/** Writes the lines of one turn of the event loop together: each write to stderr waits for the system. */
class TogetherWriter {
  #held = '';
  #asked = false;

  constructor() {
    // What a last moment has to say must not be lost with it.
    process.on('exit', () => this.#flush());
  }

  write(line: string): void {
    this.#held += line;
    if (this.#asked) return;
    this.#asked = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#asked = false;
    const held = this.#held;
    this.#held = '';
    if (held !== '') process.stderr.write(held);
  }
}

const COLOURS: Readonly<Record<string, number>> = {
  error: 31,
  fatal: 31,
  warn: 33,
  info: 36,
  debug: 90,
  trace: 90,
};

function prettyLine(): (line: string) => string {
  const colour = paint(process.stderr);
  return (line) => {
    let entry: Record<string, unknown>;
    try {
      entry = JSON.parse(line);
    } catch {
      return line;
    }
    const { level, time, msg, ...fields } = entry;
    const rest = Object.entries(fields).map(
      ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
    );
    const label = String(level);
    const clock = String(time).slice(11, 23);
    return `${colour(90, clock)} ${colour(COLOURS[label] ?? 0, label.padEnd(5))} ${msg} ${colour(90, rest.join(' '))}\n`;
  };
}
