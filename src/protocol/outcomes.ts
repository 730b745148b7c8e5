/**
 * What adapters report to the statecharts: typed unions, not exceptions. An adapter throws only for a bug or an error
 * that it does not know.
 */
import type { Reason } from './reasons.js';
import type { Secret } from './secret.js';

/** What went wrong, for a person who has to act on it. It contains no secret. */
export interface Failure {
  readonly reason: Reason;
  /** One line with the URL or file, without credentials. */
  readonly message: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly httpStatus?: number;
  readonly requestId?: string;
  readonly cfRay?: string;
  /** Wall-clock milliseconds before which no request may be sent to the backend, from Retry-After. RC-12 */
  readonly retryAfterAt?: number;
  /** For the log: the body of the response, redacted, at most 4,096 bytes. RC-11 */
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

/** The identity that the backend gave this machine. It contains no secret. RC-5 */
export interface Enrollment {
  readonly serverId: string;
  readonly environmentId: string;
  readonly serverName: string;
}

/** The token for the link to the backend. It is kept in memory only. RC-5 */
export interface ServerToken {
  readonly secret: Secret;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** The stored preference for remote control of one account. RC-44 */
export type Preference = 'unset' | 'on' | 'off';

/** The key of an enrollment in the store. RC-5 */
export interface EnrollmentKey {
  /** The socket URL of the target. */
  readonly socketUrl: string;
  readonly accountId: string;
  readonly clientName: string | null;
}

/** A ChatGPT account with an access token. The token stays with the account; `generation` grows with each new token. */
export interface Account {
  readonly accountId: string;
  readonly generation: number;
}

/** Whether there is an account that remote control can use. */
export type AuthOutcome =
  | { readonly kind: 'usable'; readonly account: Account }
  | { readonly kind: 'ineligible'; readonly failure: Failure };

/** How one recovery step after a refused access token ended. */
export type RecoveryOutcome =
  /** Repeat the refused request. `account` may have another id: then it is another account. */
  | { readonly kind: 'recovered'; readonly account: Account }
  /** A temporary failure, such as an unreachable issuer. The same step can be repeated. */
  | { readonly kind: 'transient'; readonly failure: Failure }
  /** No step is left: a person has to sign in. */
  | { readonly kind: 'exhausted'; readonly failure: Failure };

export type LoadEnrollmentOutcome =
  | { readonly kind: 'found'; readonly enrollment: Enrollment; readonly preference: Preference }
  | { readonly kind: 'none'; readonly preference: Preference }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type StoreOutcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly failure: Failure };

/** How a request to the backend failed. RC-12 */
export type RequestFailure =
  | { readonly kind: 'unauthorized'; readonly failure: Failure }
  /** `byBackend` is false when a proxy or a gateway may have answered: such a 404 proves nothing. RC-20 */
  | { readonly kind: 'notFound'; readonly byBackend: boolean; readonly failure: Failure }
  | { readonly kind: 'conflict'; readonly failure: Failure }
  | { readonly kind: 'transient'; readonly failure: Failure }
  | { readonly kind: 'other'; readonly failure: Failure };

export type EnrollOutcome =
  | { readonly kind: 'granted'; readonly enrollment: Enrollment; readonly token: ServerToken }
  | RequestFailure;

export type RefreshOutcome = { readonly kind: 'granted'; readonly token: ServerToken } | RequestFailure;

/** Identifies an open backend socket in a chart; the socket itself never enters a chart. */
export type SocketHandle = number;

export type DialOutcome =
  | { readonly kind: 'open'; readonly socket: SocketHandle }
  /** HTTP 401 or 403. RC-19 */
  | { readonly kind: 'tokenRejected'; readonly failure: Failure }
  /** HTTP 404 with a body that says that the server is unknown. RC-20 */
  | { readonly kind: 'serverGone'; readonly failure: Failure }
  /** HTTP 404 with any other body. RC-21 */
  | { readonly kind: 'ambiguousNotFound'; readonly failure: Failure }
  /** HTTP 409. RC-24 */
  | { readonly kind: 'conflict'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** A pairing code of the backend. RC-47 */
export interface PairingCode {
  readonly pairingCode: Secret;
  readonly manualPairingCode: Secret | null;
  readonly environmentId: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** The result of `remoteControl/pairing/start` and of `engine.pair()`. Show it only to the person who pairs. RC-47 */
export interface PairingResult {
  readonly pairingCode: string;
  /** A short code for typing; null when it was not requested or the backend has none. */
  readonly manualPairingCode: string | null;
  readonly environmentId: string;
  /** Unix seconds. */
  readonly expiresAt: number;
}

export type PairOutcome = { readonly kind: 'granted'; readonly code: PairingCode } | RequestFailure;

export type PairStatusOutcome = { readonly kind: 'known'; readonly claimed: boolean } | RequestFailure;

/** A device that is paired with an environment. RC-49 */
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

/** One page of paired controllers, as JSON-RPC returns it. */
export interface ControllersPage {
  readonly data: readonly Controller[];
  readonly nextCursor: string | null;
}

export type ListControllersOutcome =
  | { readonly kind: 'listed'; readonly page: ControllersPage }
  | RequestFailure;

export type RevokeControllerOutcome = { readonly kind: 'revoked' } | RequestFailure;

/** How the start of a shared app server ended. */
export type LaunchOutcome =
  /** It accepts connections on its socket. */
  | { readonly kind: 'listening' }
  /** It exited before it listened, or could not be started. */
  | { readonly kind: 'exited'; readonly failure: Failure }
  /** The engine has no file descriptors left, which says nothing about the app server. */
  | { readonly kind: 'starved'; readonly failure: Failure };
