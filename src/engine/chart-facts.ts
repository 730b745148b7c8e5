/** What pictures of our charts say beyond their definitions: the values of delays, and the HTTP status behind a guard. */
import type { AnyStateMachine } from 'xstate';
import { DEFAULT_TIMING } from '../protocol/timing.js';
import { registerFacts } from '../visualize/facts.js';

/**
 * The HTTP status of each outcome that comes from one (src/net/backend-status.ts). A 404 is clear when its body is the
 * statement of the backend that it does not know the identity.
 */
const HTTP_STATUSES: Readonly<Record<string, string>> = {
  unauthorized: '401/403',
  tokenRejected: '401/403',
  notFound: 'clear 404',
  serverGone: 'clear 404',
  ambiguousNotFound: 'unclear 404',
  routeMissing: '404',
  conflict: '409',
  handoverLikely: '409',
  reenrollOnConflict: 'lasting 409',
  exitOnConflict: 'lasting 409',
};

export function registerChartFacts(charts: Readonly<Record<string, AnyStateMachine>>): void {
  for (const machine of Object.values(charts)) {
    registerFacts(machine, { context: { timing: DEFAULT_TIMING }, guards: HTTP_STATUSES });
  }
}
