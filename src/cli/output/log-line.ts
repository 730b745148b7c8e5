import { type Paint, type Text, text } from './terminal.js';
import { COLOURS } from './text.js';

const LEVEL_COLOURS: Readonly<Record<string, number>> = {
  error: COLOURS.red,
  fatal: COLOURS.red,
  warn: COLOURS.yellow,
  info: COLOURS.cyan,
  debug: COLOURS.grey,
  trace: COLOURS.grey,
};

interface LogEntry {
  /** RFC 3339, or a part of it. */
  readonly time: string;
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** One log line for a person, with its line break. */
export function logLine({ time, level, message, fields }: LogEntry, paint: Paint): Text {
  const rest = Object.entries(fields).map(
    ([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  );
  const label = paint(LEVEL_COLOURS[level] ?? 0, level.padEnd(5));
  return text`${paint(COLOURS.grey, time)} ${label} ${message} ${paint(COLOURS.grey, rest.join(' '))}\n`;
}
