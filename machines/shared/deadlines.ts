/**
 * How long the charts wait for an answer from outside. Each adapter has limits of its own and reports them as an outcome,
 * which says more. A deadline of a chart ends the wait when the adapter itself does not answer, so it is longer. RC-112
 */
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import { REASONS, type Reason } from '../../src/protocol/reasons.js';
import type { Env, Timing } from '../../src/protocol/timing.js';

/** What an answer may need beyond the limits of its adapter, ms. */
const MARGIN = 5_000;

/** Limits of the calls that are not configurable, ms. A call that contains another one has the longer limit. */
export const CALL_LIMITS = {
  /** Account tokens are read, refreshed or written: locks of the account file (twice 45 s), the issuer (30 s), the disk. */
  account: 180_000,
  /** A recovery step, which contains such a call. */
  recoveryStep: 190_000,
  /** What waits for a recovery step, or for the account as a whole. */
  recovery: 200_000,
  /** The enrollment store is read or written. SQLite itself waits 2 s for a locked file. */
  store: 30_000,
} as const;

/** The time for this many requests in a row, each at its own limit. */
export const requestsTake = ({ requestTimeout }: Pick<Timing, 'requestTimeout'>, requests: number): number =>
  requests * requestTimeout + MARGIN;

/** An authorized request to the backend: it may wait for another one, and both may refresh the account tokens first. */
export const authorizedRequestTakes = (timing: Pick<Timing, 'requestTimeout'>): number =>
  requestsTake(timing, 2) + 2 * CALL_LIMITS.account;

/** The handshake of a WebSocket with the backend. */
export const handshakeTakes = ({ handshakeTimeout }: Pick<Timing, 'handshakeTimeout'>): number =>
  handshakeTimeout + MARGIN;

/** The reasons of deadlines. */
export type OverdueReason = Extract<
  Reason,
  'accountTimeout' | 'backendTimeout' | 'handshakeTimeout' | 'storeTimeout'
>;

/** The reference to the action `recordOverdue` of a chart. */
export const recordOverdue = (reason: OverdueReason) =>
  ({ type: 'recordOverdue', params: { reason } }) as const;

/** The failure of a deadline. */
export const overdueFailure = ({ env }: { readonly env: Env }, reason: OverdueReason): Failure =>
  failure(reason, REASONS[reason].means, env.now());
