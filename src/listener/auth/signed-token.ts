import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { type CredentialFacts, NOTHING_PRESENTED } from '../../protocol/authority.js';
import { topLevelMembers } from '../../protocol/json-members.js';

export interface SignedTokenRules {
  readonly key: KeyObject;
  /** Undefined: not checked. */
  readonly issuer: string | undefined;
  readonly audience: string | undefined;
  /** Seconds. */
  readonly skew: number;
}

export interface SignedTokenFinding {
  readonly facts: CredentialFacts;
  /** Unix seconds, as the token says; null when it is not valid. */
  readonly expiresAt: number | null;
}

interface Claims {
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iss: string | undefined;
  readonly aud: readonly string[];
}

const INVALID: SignedTokenFinding = {
  facts: { ...NOTHING_PRESENTED, presented: 'one' },
  expiresAt: null,
};
const INTEGER = /^-?(?:0|[1-9]\d*)$/;
const BASE64URL = /^[A-Za-z0-9_-]+$/;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** So many signs are within 64 bits whatever they are. */
const SURELY_SHORT = 18;
/** Header members that are text where they are there at all. RFC 7515 4.1 */
const HEADER_TEXTS = ['typ', 'cty', 'kid', 'jku', 'x5u', 'x5t', 'x5t#S256'];

/**
 * Looks at a compact JWS with a fixed algorithm, HS256: what the token's header says can only refuse it, never
 * choose how it is checked. WSA-12, RFC 7515, RFC 7519, RFC 8725
 * @param now Wall-clock ms.
 */
export function examineSignedToken(token: string, rules: SignedTokenRules, now: number): SignedTokenFinding {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 1 || second < 0 || token.indexOf('.', second + 1) >= 0) return INVALID;
  if (!isSignature(token.slice(second + 1), token.slice(0, second), rules.key)) return INVALID;
  // Only what the owner of the secret signed is parsed at all.
  if (!isAcceptedHeader(token.slice(0, first))) return INVALID;
  const claims = claimsOf(token.slice(first + 1, second));
  if (claims === undefined) return INVALID;
  const seconds = now / 1000;
  const facts = shared({
    presented: 'one',
    matches: true,
    expired: seconds >= claims.exp + rules.skew,
    notYetValid: claims.nbf !== undefined && seconds < claims.nbf - rules.skew,
    issuerMatches: rules.issuer === undefined || claims.iss === rules.issuer,
    audienceMatches: rules.audience === undefined || claims.aud.includes(rules.audience),
  });
  return { facts, expiresAt: claims.exp };
}

/** Compared as text in constant time, so that no second base64url spelling of the same bytes is accepted. */
function isSignature(presented: string, signed: string, key: KeyObject): boolean {
  const expected = Buffer.from(createHmac('sha256', key).update(signed).digest('base64url'), 'latin1');
  const given = Buffer.from(presented, 'utf8');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

const findings: CredentialFacts[] = [];

/** Equal findings are one object, so that a decision about them is found by it. */
function shared(facts: CredentialFacts): CredentialFacts {
  const at =
    (facts.expired ? 1 : 0) |
    (facts.notYetValid ? 2 : 0) |
    (facts.issuerMatches ? 4 : 0) |
    (facts.audienceMatches ? 8 : 0);
  findings[at] ??= facts;
  return findings[at];
}

/** Strictly base64url: no padding, no other alphabet, no second spelling of the same bytes. */
function decode(segment: string): Buffer | undefined {
  if (!BASE64URL.test(segment)) return undefined;
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The members of a JSON object; undefined for anything else, and where a name comes twice. */
function members(segment: string): ReadonlyMap<string, string> | undefined {
  const bytes = decode(segment);
  if (bytes === undefined) return undefined;
  try {
    return topLevelMembers(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

const accepted = new Set<string>();
const MAX_ACCEPTED = 16;
/** Claims of payloads whose signature was right, by the payload: whoever comes again comes with the same token. */
const readBefore = new Map<string, Claims>();
const MAX_READ_BEFORE = 64;
/** Longer ones are not kept. */
const MAX_KEPT = 1_024;

function isAcceptedHeader(segment: string): boolean {
  // A header is no secret, and all tokens of an issuer have the same.
  if (accepted.has(segment)) return true;
  const header = members(segment);
  // No critical extension is understood here, so any at all must refuse the token. RFC 7515 4.1.11
  if (header === undefined || value(header, 'alg') !== 'HS256' || header.has('crit')) return false;
  if (HEADER_TEXTS.some((name) => present(header, name) && typeof value(header, name) !== 'string')) {
    return false;
  }
  if (accepted.size < MAX_ACCEPTED && segment.length < 256) accepted.add(copyOf(segment));
  return true;
}

/** A slice of a token would keep the whole token, signature and all, in memory. */
const copyOf = (segment: string): string => Buffer.from(segment, 'latin1').toString('latin1');

/** The signature is compared each time; only the reading of what was signed is not done twice. */
function claimsOf(segment: string): Claims | undefined {
  const known = readBefore.get(segment);
  if (known !== undefined) return known;
  const claims = readClaims(segment);
  if (claims === undefined || segment.length > MAX_KEPT) return claims;
  if (readBefore.size >= MAX_READ_BEFORE) {
    for (const oldest of readBefore.keys()) {
      readBefore.delete(oldest);
      break;
    }
  }
  readBefore.set(copyOf(segment), claims);
  return claims;
}

function readClaims(segment: string): Claims | undefined {
  const found = members(segment);
  if (found === undefined) return undefined;
  const exp = integer(found.get('exp'));
  const nbf = present(found, 'nbf') ? integer(found.get('nbf')) : null;
  const iss = value(found, 'iss') ?? undefined;
  const aud = value(found, 'aud') ?? [];
  if (exp === undefined || nbf === undefined) return undefined;
  if (iss !== undefined && typeof iss !== 'string') return undefined;
  const list: unknown[] | string = typeof aud === 'string' ? [aud] : Array.isArray(aud) ? aud : 'wrong';
  if (typeof list === 'string' || !list.every((one) => typeof one === 'string')) return undefined;
  return { exp, nbf: nbf ?? undefined, iss, aud: list };
}

const value = (found: ReadonlyMap<string, string>, name: string): unknown => {
  const text = found.get(name);
  return text === undefined ? undefined : JSON.parse(text);
};

/** Null counts as absent. */
const present = (found: ReadonlyMap<string, string>, name: string): boolean =>
  found.has(name) && found.get(name) !== 'null';

/** A whole number of 64 bits, written as one: 1.0 and 1e3 are none. */
function integer(text: string | undefined): number | undefined {
  if (text === undefined || !INTEGER.test(text)) return undefined;
  if (text.length > SURELY_SHORT) {
    // As a number the two ends would be rounded past themselves.
    const exact = BigInt(text);
    if (exact < MIN_INT64 || exact > MAX_INT64) return undefined;
  }
  return Number(text);
}
