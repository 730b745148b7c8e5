/**
 * Who may connect to the local listener, and why. The statechart, the log, the audit, the counters and the record of
 * each connection share these types. WSA-2
 */
import type { Reason } from './reasons.js';

/** What a listener requires of a connection; each listener has exactly one mode. */
export type AuthorityMode = 'queryToken' | 'capability' | 'signedBearer' | 'filesystem';

/** How an upgrade can end. */
export const UPGRADE_OUTCOMES = ['established', 'degraded', 'rejected'] as const;
/** `degraded`: accepted without the authority that the listener requires. */
export type UpgradeOutcome = (typeof UPGRADE_OUTCOMES)[number];

/** How one upgrade ended. It contains nothing that the client presented. */
export interface Verdict {
  readonly mode: AuthorityMode;
  readonly outcome: UpgradeOutcome;
  readonly reason: Reason;
}

/** The kind of the request, judged before its credential. WSA-8, WSA-16 */
export type RequestKind = 'upgrade' | 'malformed' | 'headersTooLarge' | 'tooSlow' | 'gone';

/**
 * Whether the listener accepts one more connection. `onlyEstablished`: it is full, and a degraded connection makes room
 * for one with the credential. WSA-16, WSA-20, WSA-61
 */
export type Admission = 'open' | 'onlyEstablished' | 'notReady' | 'tooManyHandshakes' | 'tooManyConnections';

/**
 * The result of the comparison with the presented credential. A credential of another mode counts as `none`: bearer
 * modes ignore the query, and query-token mode ignores `Authorization`. WSA-6 In filesystem mode the way to the socket is
 * the credential: always `one`, and it matches while only this user can enter the directory of the socket. WSA-50
 */
export interface CredentialFacts {
  readonly presented: 'none' | 'one' | 'several' | 'malformed';
  /** It equals the token, has the digest, or is a valid JWT with the right signature and claims of the right types. */
  readonly matches: boolean;
  /** `exp` plus skew has passed. Only in signed-bearer mode, as the members below. */
  readonly expired: boolean;
  /** `nbf` minus skew is in the future. */
  readonly notYetValid: boolean;
  /** True when no issuer is configured. */
  readonly issuerMatches: boolean;
  /** True when no audience is configured. */
  readonly audienceMatches: boolean;
}

export const NOTHING_PRESENTED: CredentialFacts = {
  presented: 'none',
  matches: false,
  expired: false,
  notYetValid: false,
  issuerMatches: true,
  audienceMatches: true,
};

/** Everything that the decision about one upgrade depends on. */
export interface UpgradeFacts {
  readonly mode: AuthorityMode;
  /** False only in query-token mode with `--no-token-check`. WSA-4 */
  readonly enforced: boolean;
  readonly hasOrigin: boolean;
  readonly request: RequestKind;
  readonly admission: Admission;
  readonly credential: CredentialFacts;
}
