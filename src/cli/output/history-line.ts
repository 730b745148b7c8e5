import type { HistoryRow } from '../../recorder/history-rows.js';
import { joined, type Paint, type Text, text } from './terminal.js';
import { COLOURS } from './text.js';

interface LineOptions {
  /** The day of the line before; its date is shown where a new one begins. */
  readonly day: string;
  /** Also the event and the effects. */
  readonly verbose: boolean;
  readonly paint: Paint;
}

/** One decision for a person, in the time zone of this machine. */
export function historyLine(
  row: HistoryRow,
  count: number,
  { day: before, verbose, paint }: LineOptions,
): { readonly text: Text; readonly day: string } {
  const at = new Date(row.at);
  const two = (value: number, digits = 2) => String(value).padStart(digits, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
  const state = row.from !== undefined && verbose ? `${row.from} → ${row.state}` : row.state;
  const parts = [
    paint(COLOURS.grey, time),
    paint(COLOURS.grey, (row.id ?? '').padEnd(13)),
    paint(COLOURS.cyan, row.chart),
    ...(state === '' ? [] : [text`${state}`]),
    ...(verbose && row.event !== '' ? [paint(COLOURS.grey, `on ${row.event}`)] : []),
    ...(row.reason === undefined ? [] : [paint(COLOURS.yellow, `${row.reason}:`)]),
    ...(row.text === '' ? [] : [text`${row.text}`]),
    ...(count > 1 ? [text`(${count} times)`] : []),
    ...(verbose && row.effects.length > 0 ? [paint(COLOURS.grey, `[${row.effects.join(', ')}]`)] : []),
  ];
  const line = text`${joined(parts, ' ')}\n`;
  return { day, text: day === before ? line : text`${day}\n${line}` };
}
