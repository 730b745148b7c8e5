import type { Origin } from '../protocol/app-server.js';
import { REASONS, type Reason } from '../protocol/reasons.js';

/** Why the engine ends a session, for the clients that wait for responses. RC-80 */
export interface EndCause {
  /** In `data.reason` of the error. */
  readonly reason: Reason;
  /** Sentences for people: the cause, and what to do. */
  readonly message: string;
}

const NEXT_STEP: Readonly<Record<Origin, string>> = {
  listener: 'Connect again.',
  unix: 'Connect again.',
  stdio: 'Start the engine again.',
  remote: 'Send initialize to start again.',
  control: 'Connect again.',
  engine: 'Connect again.',
};

/** Longest cause, UTF-16 units: it may contain the last line of an app server. */
const MAX_CAUSE_CHARS = 400;

/** @param cause For people, such as the message of a failure; null: the meaning of the reason. */
export function endCause(origin: Origin, reason: Reason, cause: string | null): EndCause {
  const text = (cause ?? REASONS[reason].means).slice(0, MAX_CAUSE_CHARS);
  const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
  return { reason, message: `${sentence} ${NEXT_STEP[origin]}` };
}
