import { isReason, REASONS } from '../../protocol/reasons.js';
import type { Text } from './terminal.js';

export const COLOURS = { bold: 1, red: 31, green: 32, yellow: 33, cyan: 36, grey: 90 } as const;

export const STATUS_COLOURS = {
  connected: COLOURS.green,
  connecting: COLOURS.yellow,
  errored: COLOURS.red,
  disabled: COLOURS.grey,
} as const;

/** How clients share an app server, in words. */
export const APP_SERVER_MODES = {
  builtin: 'answers initialize only',
  shared: 'one for all clients',
  perClient: 'one for each client',
  socket: 'a connection for each client',
} as const;

/** Name and value of one line. */
export type Row = readonly [name: string, value: string | Text];

/** `45 s`, `2 min`, `3 h`, `2 days`. */
export function formatDuration(ms: number): string {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7_200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

/** The sentence that explains a reason; an unknown reason is shown as it is. */
export const meaningOf = (reason: string): string => (isReason(reason) ? REASONS[reason].means : reason);
/** What to do about a reason; empty for an unknown one. */
export const nextStepFor = (reason: string): string => (isReason(reason) ? REASONS[reason].todo : '');
