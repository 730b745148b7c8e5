import { topLevelMembers } from '../../protocol/json-members.js';

/** The claims that are checked. Times in Unix seconds. RFC 7519 4.1 */
interface Claims {
  readonly exp: number;
  readonly nbf: number | undefined;
  readonly iss: string | undefined;
  readonly aud: readonly string[];
}

/** Members of a JSON object by name, each as the text of its value. */
type JsonMembers = ReadonlyMap<string, string>;

const BASE64URL = /^[A-Za-z0-9_-]+$/;
const INTEGER = /^-?(?:0|[1-9]\d*)$/;
const MAX_INT64 = 2n ** 63n - 1n;
const MIN_INT64 = -(2n ** 63n);
/** An integer of up to so many characters certainly fits in 64 bits. */
const SAFE_LENGTH = 18;

/**
 * Claims by payload. Only signed payloads get here, and clients that reconnect send the same token again. The signature,
 * the times and the rules are checked each time.
 */
const cache = new Map<string, Claims>();
const MAX_CACHED = 64;
/** Longer payloads are not cached. */
const MAX_CACHED_LENGTH = 1_024;

/** Reads the payload of a token; undefined when it is not valid. @param segment In base64url. */
export function readClaims(segment: string): Claims | undefined {
  const cached = cache.get(segment);
  if (cached !== undefined) return cached;
  const claims = parseClaims(segment);
  if (claims === undefined || segment.length > MAX_CACHED_LENGTH) return claims;
  if (cache.size >= MAX_CACHED) {
    for (const oldest of cache.keys()) {
      cache.delete(oldest);
      break;
    }
  }
  cache.set(copyOf(segment), claims);
  return claims;
}

/** The text without the string that it is a slice of: a slice would keep the whole token in memory. */
export const copyOf = (segment: string): string => Buffer.from(segment, 'latin1').toString('latin1');

function parseClaims(segment: string): Claims | undefined {
  const members = readMembers(segment);
  if (members === undefined) return undefined;
  const exp = integer(members.get('exp'));
  const nbf = isPresent(members, 'nbf') ? integer(members.get('nbf')) : null;
  const iss = parsedValue(members, 'iss') ?? undefined;
  const aud = parsedValue(members, 'aud') ?? [];
  if (exp === undefined || nbf === undefined) return undefined;
  if (iss !== undefined && typeof iss !== 'string') return undefined;
  const audiences: unknown = typeof aud === 'string' ? [aud] : aud;
  if (!isStringArray(audiences)) return undefined;
  return { exp, nbf: nbf ?? undefined, iss, aud: audiences };
}

const isStringArray = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((one) => typeof one === 'string');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The members of a JSON object in base64url; undefined for anything else, and when a name is repeated. */
export function readMembers(segment: string): JsonMembers | undefined {
  const bytes = decodeBase64url(segment);
  if (bytes === undefined) return undefined;
  try {
    return topLevelMembers(utf8.decode(bytes));
  } catch {
    return undefined;
  }
}

/** Strict: no padding, no other alphabet, and no second spelling of the same bytes. */
function decodeBase64url(segment: string): Buffer | undefined {
  if (!BASE64URL.test(segment)) return undefined;
  const bytes = Buffer.from(segment, 'base64url');
  return bytes.toString('base64url') === segment ? bytes : undefined;
}

export function parsedValue(members: JsonMembers, name: string): unknown {
  const text = members.get(name);
  return text === undefined ? undefined : JSON.parse(text);
}

/** A member that is null counts as absent. */
export const isPresent = (members: JsonMembers, name: string): boolean =>
  members.has(name) && members.get(name) !== 'null';

/** A 64-bit integer written as one: not 1.0 and not 1e3. */
function integer(text: string | undefined): number | undefined {
  if (text === undefined || !INTEGER.test(text)) return undefined;
  if (text.length > SAFE_LENGTH) {
    // As numbers, the limits of 64 bits would be rounded beyond themselves.
    const exact = BigInt(text);
    if (exact < MIN_INT64 || exact > MAX_INT64) return undefined;
  }
  return Number(text);
}
