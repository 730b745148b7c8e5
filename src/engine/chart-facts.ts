/** What pictures of our charts say beyond their definitions: the values of delays, and the HTTP status behind a guard. */
import type { AnyStateMachine } from 'xstate';
import { DEFAULT_ACCOUNT_TIMING } from '../account/timing.js';
import { CONTROLLER_TIMING, DEFAULT_TIMING } from '../protocol/timing.js';
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

const T = DEFAULT_TIMING;
/** It stays on one line, so that labels in pictures stay narrow. */
const seconds = (least: number, most: number): string => `${least / 1_000}–${most / 1_000}\u00a0s`;
const BACKOFF = seconds(T.backoffBase, T.backoffCap);
const QUICK = seconds(T.quickRetryMin, T.backoffCap);

/**
 * Delays that depend on what happened, by chart: by name, or by state and name. The values of all others are computed from the
 * defaults.
 */
const DELAYS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  accountTokens: { lockPause: '25–50 ms' },
  appServer: { restartPause: BACKOFF },
  controllerLink: { pause: `${BACKOFF}, or Retry-After` },
  homeLock: { lockPause: '25–50 ms' },
  hubNode: { drainLimit: '--drain and 5 s' },
  login: { pollPause: 'as the issuer says' },
  pairing: { codeLifetime: 'until it expires' },
  remoteControl: {
    pause: BACKOFF,
    'active.tokenInvalid.pausing pause': QUICK,
    'active.backingOff.recovered.pausing pause': QUICK,
    'active.backingOff.handover pause': seconds(T.handoverFirst, T.handoverSecond),
    'active.backingOff.deferred pause': seconds(T.refreshDeferralMin, T.refreshDeferralMax),
    'active.backingOff.retryAfter pause': 'Retry-After',
  },
  tokenSaving: { retryPause: seconds(1_000, 30_000) },
};

export function registerChartFacts(charts: Readonly<Record<string, AnyStateMachine>>): void {
  const context = { timing: DEFAULT_TIMING, ...DEFAULT_ACCOUNT_TIMING, ...CONTROLLER_TIMING };
  for (const [name, machine] of Object.entries(charts)) {
    registerFacts(machine, { context, guards: HTTP_STATUSES, delays: DELAYS[name] ?? {} });
  }
}
