import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type CredentialFacts, NOTHING_PRESENTED } from '../../protocol/authority.js';
import { copyOf, isPresent, parsedValue, readClaims, readMembers } from './jwt-claims.js';

/** What a signed token must satisfy. */
export interface SignedTokenRules {
  /** The shared secret. */
  readonly key: KeyObject;
  /** Required issuer; undefined: any. */
  readonly issuer: string | undefined;
  /** Required audience; undefined: any. */
  readonly audience: string | undefined;
  /** Accepted clock skew, s. */
  readonly skew: number;
}

interface SignedTokenResult {
  readonly facts: CredentialFacts;
  /** The `exp` claim, Unix seconds; null when the token is not valid. */
  readonly expiresAt: number | null;
}

const INVALID: SignedTokenResult = {
  facts: { ...NOTHING_PRESENTED, presented: 'one' },
  expiresAt: null,
};
/** Header members that must be strings when they are present. RFC 7515 4.1 */
const STRING_MEMBERS = ['typ', 'cty', 'kid', 'jku', 'x5u', 'x5t', 'x5t#S256'];

/**
 * Examines a compact JWS. The algorithm is always HS256: the header can only make the token invalid, never choose how
 * it is checked. WSA-12, RFC 7515, RFC 7519, RFC 8725
 * @param now Wall-clock ms.
 */
export function examineSignedToken(token: string, rules: SignedTokenRules, now: number): SignedTokenResult {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 1 || second < 0 || token.indexOf('.', second + 1) >= 0) return INVALID;
  // The signature comes first, so that only what the owner of the secret signed is parsed.
  if (!isSignature(token.slice(second + 1), token.slice(0, second), rules.key)) return INVALID;
  if (!isAcceptedHeader(token.slice(0, first))) return INVALID;
  const claims = readClaims(token.slice(first + 1, second));
  if (claims === undefined) return INVALID;
  const seconds = now / 1000;
  const facts = sharedFacts({
    presented: 'one',
    matches: true,
    expired: seconds >= claims.exp + rules.skew,
    notYetValid: claims.nbf !== undefined && seconds < claims.nbf - rules.skew,
    issuerMatches: rules.issuer === undefined || claims.iss === rules.issuer,
    audienceMatches: rules.audience === undefined || claims.aud.includes(rules.audience),
  });
  return { facts, expiresAt: claims.exp };
}

/** Compares in constant time, and as text, so that a second base64url spelling of the same bytes is not accepted. */
function isSignature(presented: string, signed: string, key: KeyObject): boolean {
  const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64url'), 'latin1');
  const given = Buffer.from(presented, 'utf8');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const allFacts: CredentialFacts[] = [];

/** Equal facts become the same object, so that the verdict about them can be looked up by identity. */
function sharedFacts(facts: CredentialFacts): CredentialFacts {
  const index =
    (facts.expired ? 1 : 0) |
    (facts.notYetValid ? 2 : 0) |
    (facts.issuerMatches ? 4 : 0) |
    (facts.audienceMatches ? 8 : 0);
  allFacts[index] ??= facts;
  return allFacts[index];
}

/** A header holds no secret, and all tokens of an issuer have the same. */
const acceptedHeaders = new Set<string>();
const MAX_CACHED_HEADERS = 16;
const MAX_CACHED_LENGTH = 256;

function isAcceptedHeader(segment: string): boolean {
  if (acceptedHeaders.has(segment)) return true;
  const header = readMembers(segment);
  // No critical extension is supported, so any `crit` makes the token invalid. RFC 7515 4.1.11
  if (header === undefined || parsedValue(header, 'alg') !== 'HS256' || header.has('crit')) return false;
  if (
    STRING_MEMBERS.some((name) => isPresent(header, name) && typeof parsedValue(header, name) !== 'string')
  ) {
    return false;
  }
  if (acceptedHeaders.size < MAX_CACHED_HEADERS && segment.length < MAX_CACHED_LENGTH) {
    acceptedHeaders.add(copyOf(segment));
  }
  return true;
}
