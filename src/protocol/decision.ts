import type { Reason } from './reasons.js';

/**
 * Why a statechart is in its state. Every transition that a person may ask about makes a new object, so a change
 * of identity means a new decision. The host writes each one to the audit ring and the log.
 */
export interface Decision {
  readonly reason: Reason;
  /** One line without secrets. */
  readonly detail: string | null;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

/** The path of an XState state value: `{active: {backingOff: 'failed'}}` → `active.backingOff.failed`. */
export function statePath(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return '';
  const parts = Object.entries(value).map(([key, inner]) => {
    const rest = statePath(inner);
    return rest === '' ? key : `${key}.${rest}`;
  });
  return parts.length === 1 ? (parts[0] ?? '') : `(${parts.join(' | ')})`;
}
