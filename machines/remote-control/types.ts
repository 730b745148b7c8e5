import type { Decision } from '../../src/protocol/decision.js';
import type {
  Account,
  Enrollment,
  Failure,
  Preference,
  ServerToken,
  SocketHandle,
} from '../../src/protocol/outcomes.js';
import type { Env, Timing } from '../../src/protocol/timing.js';
import type { Pause } from '../shared/backoff.js';

/** What the host has decided before the chart starts. */
export interface RemoteControlInput {
  readonly env: Env;
  readonly timing: Timing;
  /** The socket URL; or why the configured base URL may not be used. RC-2 */
  readonly target:
    | { readonly ok: true; readonly socketUrl: string }
    | { readonly ok: false; readonly failure: Failure };
  /** Without a store remote control cannot be enabled. RC-6 */
  readonly store: 'present' | 'missing';
  /** Host name in use. RC-4, RC-8a */
  readonly serverName: string;
  /** Null: enrollments of this engine belong to no client name. Undefined: a client will say it. RC-45 */
  readonly clientName: string | null | undefined;
  /** What a start without a usable sign-in does. RC-27 */
  readonly authStartup: 'ready' | 'recoverable';
  readonly onConflict: 'wait' | 'reenroll' | 'exit';
}

/** Counted since the last proven life; proven life sets all of them back. RC-25 */
export interface FailureCounters {
  /** Rung of the reconnect ladder. */
  readonly rung: number;
  readonly tokenRejections: number;
  readonly identityLosses: number;
  readonly conflicts: number;
  readonly recoveries: number;
  /** Links that ended before they were proven. */
  readonly shortLives: number;
}

export const NO_FAILURES: FailureCounters = {
  rung: 0,
  tokenRejections: 0,
  identityLosses: 0,
  conflicts: 0,
  recoveries: 0,
  shortLives: 0,
};

export interface RemoteControlContext extends RemoteControlInput {
  /**
   * What a missing sign-in would undo: the start of the engine, until an account has been seen (RC-27); a request
   * to enable for good, until there is an identity or it is waited for (ACC-69); or nothing (any more).
   */
  readonly trial: 'start' | 'request' | 'passed';
  readonly account: Account | null;
  readonly enrollment: Enrollment | 'unknown' | 'none';
  /** Server id of the identity that is known to be on disk: no other one is used. RC-6 */
  readonly keptServerId: string | null;
  /** The durable wish of this account, as far as it is known. RC-44 */
  readonly preference: Preference;
  readonly token: ServerToken | null;
  readonly socket: SocketHandle | null;
  readonly sinceProof: FailureCounters;
  /** Wall-clock ms before which no proactive refresh is tried. RC-14 */
  readonly refreshNotBefore: number;
  /** The last Retry-After with its random part: until it ends, nothing is sent to the backend. RC-25 */
  readonly quiet: Pause;
  /** The pause under way. */
  readonly pause: Pause;
  /** Generation of the account tokens that the backend refused for good; the same ones are not tried in a hurry. */
  readonly refusedGeneration: number | null;
  /** Why recovery could not mend that. */
  readonly refusedBecause: Failure | null;
  /** Why the chart is where it is: one object for each decision. */
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
  /** Wall-clock ms at which the last link opened. */
  readonly openedAt: number | null;
}

export type RemoteControlEvent =
  | { readonly type: 'ENABLE'; readonly by: 'start' | 'request'; readonly durable: boolean }
  | { readonly type: 'DISABLE'; readonly durable: boolean }
  /** `start --remote-control preference`. RC-44 */
  | { readonly type: 'RESOLVE_PREFERENCE' }
  | { readonly type: 'CLIENT.NAMED'; readonly name: string }
  /** The account on this machine changed from outside; null: deliberately signed out. RC-26, RC-29 */
  | { readonly type: 'AUTH.CHANGED'; readonly account: Account | null }
  | { readonly type: 'WAKE' }
  /** Pairing refreshed this identity under the shared lock. RC-47 */
  | { readonly type: 'TOKEN.RENEWED'; readonly enrollment: Enrollment; readonly token: ServerToken }
  /** Pairing learned that the backend does not know this identity. RC-47, RC-22 */
  | { readonly type: 'ENROLLMENT.LOST'; readonly serverId: string; readonly failure: Failure }
  | { readonly type: 'LINK.PROVEN' }
  | { readonly type: 'STOP' };

export interface RemoteControlOutput {
  /** Why the chart ended by itself; null after STOP. */
  readonly failure: Failure | null;
}
