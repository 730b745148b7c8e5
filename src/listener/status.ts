import type { AuthorityMode } from '../protocol/authority.js';
import type { Secret } from '../protocol/secret.js';
import type { CountedVerdict } from './auth/upgrade-decision.js';
import type { CertificateStatus } from './certificate.js';

/** Reported once, when the listener listens. The only secret is the connect URL. WSA-5 */
export interface ListeningInfo {
  /** `ws://`, `wss://` or `unix://`, without the token. */
  readonly url: string;
  /** With the token in query-token mode, else the same as `url`. */
  readonly connectUrl: Secret;
  /** Which credential the listener requires. */
  readonly authMode: AuthorityMode;
  /** False with `--no-token-check`: connections without the token are accepted as degraded. */
  readonly enforced: boolean;
  /** Connections are encrypted with TLS. */
  readonly secure: boolean;
  /** Connections are closed when their signed token expires. */
  readonly closeOnTokenExpiry: boolean;
  /** One sentence each, for people. */
  readonly warnings: readonly string[];
}

/** A rejected connection in the status. */
export interface Rejection {
  /** RFC 3339. */
  readonly time: string;
  /** A reason code; `rc-engine explain` shows its meaning. */
  readonly reason: string;
  /** `ADDRESS:PORT`, or `unix`. */
  readonly peer: string;
  /** What is wrong with the request, if it is malformed. */
  readonly detail: string | null;
}

/** The listener in the status. Holds no secret. */
export interface ListenerStatus {
  /** `ws://`, `wss://` or `unix://`, without the token. */
  readonly url: string;
  /** Which credential the listener requires. */
  readonly authMode: AuthorityMode;
  /** False with `--no-token-check`. */
  readonly enforced: boolean;
  /** Connections without a valid credential are accepted. */
  readonly degraded: boolean;
  /** Further connections get 503. */
  readonly maxConnections: number;
  /** Connections that are open now. */
  readonly openConnections: number;
  /** The certificate of a `wss://` listener; null without TLS. */
  readonly certificate: CertificateStatus | null;
  /** How often each combination of mode, outcome and reason occurred. */
  readonly decisions: readonly Readonly<CountedVerdict>[];
  /** At most 20, the newest last. */
  readonly lastRejections: readonly Rejection[];
}
