/**
 * Who may connect to the local listener, and why: the words that its statechart, its log line, the audit ring, the
 * counters and each connection's own record share. WSA-2
 */
import type { Reason } from './reasons.js';

/** What a listener asks for; each has exactly one. */
export type AuthorityMode = 'queryToken' | 'capability' | 'signedBearer';

export const UPGRADE_OUTCOMES = ['established', 'degraded', 'rejected'] as const;
export type UpgradeOutcome = (typeof UPGRADE_OUTCOMES)[number];

/** How one upgrade ended. Holds nothing that was presented. */
export interface Verdict {
  readonly mode: AuthorityMode;
  readonly outcome: UpgradeOutcome;
  readonly reason: Reason;
}

/** What kind of request it was, before anybody looks at a credential. WSA-8, WSA-16 */
export type RequestKind = 'upgrade' | 'malformed' | 'headersTooLarge' | 'tooSlow' | 'gone';

/** Whether the listener takes another connection at all. WSA-16, WSA-20 */
export type Admission = 'open' | 'notReady' | 'tooManyHandshakes' | 'tooManyConnections';

/**
 * What was presented, as the comparators found it. Facts of another mode than the listener's are `none`: bearer
 * modes do not look at the query, query-token mode does not look at `Authorization`. WSA-6
 */
export interface CredentialFacts {
  readonly presented: 'none' | 'one' | 'several' | 'malformed';
  /** It is the token, has the digest, or is a well-formed JWT with the right signature and claims of right types. */
  readonly matches: boolean;
  /** `exp` plus skew has passed. Signed bearer only, as the ones below. */
  readonly expired: boolean;
  /** `nbf` minus skew lies ahead. */
  readonly notYetValid: boolean;
  /** True where no issuer is configured. */
  readonly issuerMatches: boolean;
  /** True where no audience is configured. */
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

/** One upgrade as plain facts: all that the decision depends on. */
export interface UpgradeFacts {
  readonly mode: AuthorityMode;
  /** False only in query-token mode with `--no-token-check`. WSA-4 */
  readonly enforced: boolean;
  readonly hasOrigin: boolean;
  readonly request: RequestKind;
  readonly admission: Admission;
  readonly credential: CredentialFacts;
}
