/** What an attempt to connect waits for, in words. */
import type { EngineStatus } from '../../engine/status.js';

/** An attempt that takes less long needs no explanation. ms */
const SHORT = 3_000;

/** By the beginning of the state of the chart `remoteControl`. */
const WAITS_FOR: readonly (readonly [state: string, words: string])[] = [
  ['active.loadingAuth', 'reads the sign-in'],
  ['active.loadingEnrollment', 'reads the enrollment store'],
  ['active.enrolling.persisting', 'writes the new identity to the enrollment store'],
  ['active.enrolling', 'waits for the backend to answer the enrollment request'],
  ['active.reenrolling', 'waits for the backend to answer the enrollment request'],
  ['active.refreshing', 'waits for the backend to answer the request for a token'],
  ['active.verifyingEnrollment', 'waits for the backend to say whether it knows this machine'],
  ['active.connecting', 'waits for the backend to open the WebSocket'],
  ['active.recoveringAuth', 'waits for a new access token of the account'],
];

/**
 * What the attempt that is under way waits for.
 * @returns undefined when none is, or when it has begun a moment ago
 * @example waitsFor(status) // 'waits for the backend to answer the enrollment request'
 */
export function waitsFor({ remoteControl: link, now }: EngineStatus): string | undefined {
  if (now - link.since < SHORT) return undefined;
  return WAITS_FOR.find(([state]) => link.state.startsWith(state))?.[1];
}
