/** The last log lines of an engine, for `rc-engine logs`: also those that its own log leaves out. */
import { isRecord } from '../protocol/jsonrpc.js';
import { redact } from './body-preview.js';
import type { EngineLogger } from './logger.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One line. It contains no secret. */
export interface LogRecord {
  /** Grows by one with each line of this engine. */
  readonly seq: number;
  /** RFC 3339. */
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface Line {
  readonly at: number;
  readonly level: LogLevel;
  /** Message and fields as JSON. */
  readonly text: string;
}

/** UTF-16 units of all lines together, and of one line. */
const MAX_TOTAL = 1024 * 1024;
const MAX_LINE = 8 * 1024;
const MAX_LINES = 4_000;

/** Above its bounds (4,000 lines, 1 MiB) the oldest lines are dropped. */
export class LogRing {
  readonly #now: () => number;
  readonly #lines: Line[] = [];
  /** The number of the oldest line. */
  #first = 1;
  #total = 0;

  /** @param now wall-clock ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * A logger that writes to this ring and to `log`. Lines below `info` only where `log` takes them.
   * @param decisionId the id of the step that a chart takes now: its lines carry it
   */
  tee(log: EngineLogger, decisionId: () => string | undefined = () => undefined): EngineLogger {
    const takes = (level: LogLevel): boolean => level !== 'debug' || (log.isLevelEnabled?.('debug') ?? true);
    const write = (level: LogLevel) => (given: object, message: string) => {
      const id = decisionId();
      const fields = id === undefined ? given : { ...given, decisionId: id };
      if (takes(level)) this.#add(level, fields, message);
      log[level](fields, message);
    };
    return {
      debug: write('debug'),
      info: write('info'),
      warn: write('warn'),
      error: write('error'),
      isLevelEnabled: (level) =>
        level !== 'debug' && level !== 'trace' ? true : (log.isLevelEnabled?.(level) ?? true),
    };
  }

  /** The number of the newest line; 0 without one. */
  get newest(): number {
    return this.#first + this.#lines.length - 1;
  }

  /**
   * Lines after `since`, the oldest first, of `level` and above. Of more than `limit` lines, the newest without `since`,
   * else the oldest.
   */
  read({ since, limit, level }: LogQuery): readonly LogRecord[] {
    const least = LOG_LEVELS.indexOf(level ?? 'debug');
    const from = since === undefined ? 0 : Math.max(since + 1 - this.#first, 0);
    const found: LogRecord[] = [];
    for (let at = from; at < this.#lines.length; at += 1) {
      const line = this.#lines[at];
      if (line === undefined || LOG_LEVELS.indexOf(line.level) < least) continue;
      found.push(recordOf(this.#first + at, line));
    }
    return since === undefined ? found.slice(-limit) : found.slice(0, limit);
  }

  #add(level: LogLevel, fields: object, message: string): void {
    const text = encode(fields, message);
    this.#lines.push({ at: this.#now(), level, text });
    this.#total += text.length;
    while (this.#lines.length > MAX_LINES || this.#total > MAX_TOTAL) {
      this.#total -= this.#lines.shift()?.text.length ?? 0;
      this.#first += 1;
    }
  }
}

export interface LogQuery {
  /** Number of the last line that is known. Default: the newest lines. */
  readonly since?: number | undefined;
  readonly limit: number;
  /** Least severe level. Default: all. */
  readonly level?: LogLevel | undefined;
}

/** At once, because the fields may change later; secrets encode themselves as `<redacted>`. */
function encode(fields: object, message: string): string {
  let text: string;
  try {
    text = JSON.stringify({ message, fields });
  } catch {
    // A field that JSON cannot hold.
    text = JSON.stringify({ message, fields: {} });
  }
  return text.length <= MAX_LINE
    ? text
    : JSON.stringify({ message: message.slice(0, MAX_LINE / 2), fields: {} });
}

function recordOf(seq: number, { at, level, text }: Line): LogRecord {
  const value = redact(JSON.parse(text));
  const { message, fields } = isRecord(value) ? value : { message: '', fields: {} };
  return {
    ...{ seq, time: new Date(at).toISOString(), level },
    message: String(message),
    fields: isRecord(fields) ? fields : {},
  };
}
