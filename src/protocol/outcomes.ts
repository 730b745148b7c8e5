/**
 * What adapters report to the statecharts: typed unions, never exceptions with strings. An adapter rejects
 * only for a bug or a fault it does not know.
 */
import type { Reason } from './reasons.js';
import type { Secret } from './secret.js';

/** Something went wrong, told so that a person can act on it. Holds no secret. */
export interface Failure {
  readonly reason: Reason;
  /** One line for people; names the URL or file, never a credential. */
  readonly message: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly httpStatus?: number;
  readonly requestId?: string;
  readonly cfRay?: string;
  /** Wall-clock milliseconds before which nothing may be sent to the backend. From Retry-After. RC-12 */
  readonly retryAfterAt?: number;
  /** For the log: what the backend sent, redacted, at most 4,096 bytes. RC-11 */
  readonly detail?: string;
}

/**
 * Makes a `Failure`. `message` is one line without secrets; `at` is wall-clock milliseconds from the clock in use
 * (`env.now()`), so that charts stay deterministic.
 *
 * @example failure('authMissing', 'Nobody is signed in.', env.now())
 */
export function failure(
  reason: Reason,
  message: string,
  at: number,
  extra?: Omit<Failure, 'reason' | 'message' | 'at'>,
): Failure {
  return { reason, message, at, ...extra };
}

/** The identity a backend gave this machine. Everything of it may be stored. RC-5 */
export interface Enrollment {
  readonly serverId: string;
  readonly environmentId: string;
  readonly serverName: string;
}

/** A server token lives in memory only. RC-5 */
export interface ServerToken {
  readonly secret: Secret;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** Durable wish for remote control of one account. RC-44 */
export type Preference = 'unset' | 'on' | 'off';

/** Who an enrollment belongs to. RC-5 */
export interface EnrollmentKey {
  /** The socket URL of the target. */
  readonly socketUrl: string;
  readonly accountId: string;
  readonly clientName: string | null;
}

/** A usable ChatGPT account. Its access token stays with the account adapter; `generation` grows with each new one. */
export interface Account {
  readonly accountId: string;
  readonly generation: number;
}

export type AuthOutcome =
  | { readonly kind: 'usable'; readonly account: Account }
  | { readonly kind: 'unusable'; readonly failure: Failure };

export type RecoveryOutcome =
  /** Try the refused call again. `account` may have another id: then it is another account. */
  | { readonly kind: 'recovered'; readonly account: Account }
  /** Failed in a way that may pass (issuer unreachable, parent did not answer). The step is not used up. */
  | { readonly kind: 'transient'; readonly failure: Failure }
  | { readonly kind: 'exhausted'; readonly failure: Failure };

export type LoadEnrollmentOutcome =
  | { readonly kind: 'found'; readonly enrollment: Enrollment; readonly preference: Preference }
  | { readonly kind: 'none'; readonly preference: Preference }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type StoreOutcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly failure: Failure };

/** How a request to the backend went wrong. RC-12 */
export type RequestFailure =
  | { readonly kind: 'unauthorized'; readonly failure: Failure }
  | { readonly kind: 'notFound'; readonly failure: Failure }
  | { readonly kind: 'conflict'; readonly failure: Failure }
  | { readonly kind: 'transient'; readonly failure: Failure }
  | { readonly kind: 'other'; readonly failure: Failure };

export type EnrollOutcome =
  | { readonly kind: 'granted'; readonly enrollment: Enrollment; readonly token: ServerToken }
  | RequestFailure;

export type RefreshOutcome = { readonly kind: 'granted'; readonly token: ServerToken } | RequestFailure;

/** Names an open backend socket inside the engine; the socket itself never enters a chart. */
export type SocketHandle = number;

export type DialOutcome =
  | { readonly kind: 'open'; readonly socket: SocketHandle }
  /** 401, 403. RC-19 */
  | { readonly kind: 'tokenRejected'; readonly failure: Failure }
  /** 404 that says so. RC-20 */
  | { readonly kind: 'serverGone'; readonly failure: Failure }
  /** Any other 404. RC-21 */
  | { readonly kind: 'ambiguousNotFound'; readonly failure: Failure }
  /** 409. RC-24 */
  | { readonly kind: 'conflict'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

export interface PairingCode {
  readonly pairingCode: Secret;
  readonly manualPairingCode: Secret | null;
  readonly environmentId: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

export type PairOutcome = { readonly kind: 'granted'; readonly code: PairingCode } | RequestFailure;

export type PairStatusOutcome = { readonly kind: 'known'; readonly claimed: boolean } | RequestFailure;

/** A device that controls an environment. RC-49 */
export interface Controller {
  readonly clientId: string;
  readonly displayName: string | null;
  readonly deviceType: string | null;
  readonly platform: string | null;
  readonly osVersion: string | null;
  readonly deviceModel: string | null;
  readonly appVersion: string | null;
  /** Unix seconds. */
  readonly lastSeenAt: number | null;
}

/** As JSON-RPC tells it. */
export interface ControllersPage {
  readonly data: readonly Controller[];
  readonly nextCursor: string | null;
}

export type ListControllersOutcome =
  | { readonly kind: 'listed'; readonly page: ControllersPage }
  | RequestFailure;

export type RevokeControllerOutcome = { readonly kind: 'revoked' } | RequestFailure;
