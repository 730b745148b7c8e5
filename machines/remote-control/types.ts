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

/** Configuration of the chart, decided by the host. */
export interface RemoteControlInput {
  readonly env: Env;
  readonly timing: Timing;
  /** The socket URL, or why the configured base URL is refused. RC-2 */
  readonly target:
    | { readonly ok: true; readonly socketUrl: string }
    | { readonly ok: false; readonly failure: Failure };
  /** Remote control needs a store. RC-6 */
  readonly store: 'present' | 'missing';
  /** The current host name. RC-4, RC-8a */
  readonly serverName: string;
  /** Null: enrollments have no client name. Undefined: the first client provides it. RC-45 */
  readonly clientName: string | null | undefined;
  /** `ready`: a start without a valid sign-in fails; `recoverable`: it waits for one. RC-27 */
  readonly authStartup: 'ready' | 'recoverable';
  /** What to do when a connection conflict persists. RC-24 */
  readonly onConflict: 'wait' | 'reenroll' | 'exit';
}

/** Failures since the last stable link. A stable link resets all of them. RC-25 */
export interface FailureCounters {
  /** Attempts with backoff; the exponent of the next pause. */
  readonly attempt: number;
  readonly tokenRejections: number;
  readonly identityLosses: number;
  readonly conflicts: number;
  readonly recoveries: number;
  /** Links that ended before they were stable. */
  readonly unstableLinks: number;
  /** How often another connection of this identity took the place of ours. RC-110 */
  readonly takeovers: number;
  /** The `attempt` whose pause a change of the network ended early, plus one; 0: none. RC-109 */
  readonly networkCut: number;
}

export const NO_FAILURES: FailureCounters = {
  attempt: 0,
  tokenRejections: 0,
  identityLosses: 0,
  conflicts: 0,
  recoveries: 0,
  unstableLinks: 0,
  takeovers: 0,
  networkCut: 0,
};

/** A new identity took the place of one that controllers were paired with. RC-20a */
export interface ReplacedIdentity {
  /** Environment id of the old identity. */
  readonly from: string;
  /** Environment id of the new identity. */
  readonly to: string;
  /** Wall-clock ms. */
  readonly at: number;
}

/** What the `remoteControl` chart knows. Its secrets are `Secret` values. */
export interface RemoteControlContext extends RemoteControlInput {
  /**
   * What fails when there is no valid sign-in. `start`: the start of the engine, until an account is known (RC-27).
   * `request`: a client's durable request to enable, until an identity exists or is awaited (ACC-69). `confirmed`: nothing.
   */
  readonly activation: 'start' | 'request' | 'confirmed';
  readonly account: Account | null;
  readonly enrollment: Enrollment | 'unknown' | 'none';
  /** Server id of an identity that the backend does not know; a new one replaces it. RC-20 */
  readonly lostServerId: string | null;
  /** Server id of the persisted identity; no other identity is used. RC-6 */
  readonly persistedServerId: string | null;
  /** The durable preference of this account; `unset` until it is known. RC-44 */
  readonly preference: Preference;
  readonly token: ServerToken | null;
  readonly socket: SocketHandle | null;
  readonly failureCounters: FailureCounters;
  /** Monotonic ms; no proactive refresh before it. RC-14 */
  readonly refreshNotBefore: number;
  /** The last Retry-After plus its random part. Nothing is sent to the backend before it ends. RC-25 */
  readonly retryAfter: Pause;
  /** The current pause. */
  readonly pause: Pause;
  /** Generation of the account tokens that stay refused after recovery. They are retried with backoff only. RC-28 */
  readonly refusedGeneration: number | null;
  /** Why recovery failed for them. */
  readonly refusal: Failure | null;
  /** Why the chart is in its state: one object for each decision. */
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
  /** The decision of the last errored pause that no link has followed; null: there is none. RC-25 */
  readonly unresolved: Decision | null;
  /** Monotonic ms of the first of the conflicts since the last open link; null: there was none. RC-110 */
  readonly conflictSince: number | null;
  /** The last identity that was replaced since the start. RC-20a */
  readonly replaced: ReplacedIdentity | null;
  /** Monotonic ms at which the last link opened. */
  readonly openedAt: number | null;
}

/** The events of the `remoteControl` chart. */
export type RemoteControlEvent =
  | { readonly type: 'ENABLE'; readonly by: 'start' | 'request'; readonly durable: boolean }
  | { readonly type: 'DISABLE'; readonly durable: boolean }
  /** `start --remote-control preference`. RC-44 */
  | { readonly type: 'RESOLVE_PREFERENCE' }
  | { readonly type: 'CLIENT.NAMED'; readonly name: string }
  /** Another process or a client changed the account; null: the user signed out. RC-26, RC-29 */
  | { readonly type: 'AUTH.CHANGED'; readonly account: Account | null }
  /** The machine woke up from sleep. RC-25a */
  | { readonly type: 'WAKE' }
  /** The network addresses of the machine changed. RC-25a, RC-109 */
  | { readonly type: 'NETWORK.CHANGED' }
  /** Pairing refreshed the token of this identity. RC-47 */
  | { readonly type: 'TOKEN.RENEWED'; readonly enrollment: Enrollment; readonly token: ServerToken }
  /** The backend does not know this identity (RC-47), or a person asked for another one (RC-24). */
  | { readonly type: 'ENROLLMENT.LOST'; readonly serverId: string; readonly failure: Failure }
  /** The link lived long enough to reset the failure counters. RC-25 */
  | { readonly type: 'LINK.STABLE' }
  | { readonly type: 'STOP' };

/** The result of the `remoteControl` chart when it ends. */
export interface RemoteControlOutput {
  /** Why the chart ended without STOP; null after STOP. */
  readonly failure: Failure | null;
}
