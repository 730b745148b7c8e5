import { isRecord } from '../protocol/jsonrpc.js';

type Claims = Readonly<Record<string, unknown>>;

/** Claim with the account of the person: an object. */
export const AUTH_CLAIM = 'https://api.openai.com/auth';

/**
 * The payload of a JWT, or undefined for any other string. The signature is not checked: the backend checks it, and
 * nothing is granted here because of a claim. ACC-32
 */
export function jwtClaims(token: string): Claims | undefined {
  // Three parts, none of them empty, the middle one base64url without padding.
  const payload = /^[^.]+\.([\w-]+)\.[^.]+$/.exec(token)?.[1];
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    return isRecord(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

/** `chatgpt_account_id` of the claims; undefined: they name none. */
export function claimedAccountId(claims: Claims | undefined): string | undefined {
  const auth = claims?.[AUTH_CLAIM];
  const id = isRecord(auth) ? auth.chatgpt_account_id : undefined;
  return typeof id === 'string' && id !== '' ? id : undefined;
}

/** Wall-clock milliseconds at which the token expires; undefined: it does not say. */
export function claimedExpiry(claims: Claims | undefined): number | undefined {
  const exp = claims?.exp;
  return typeof exp === 'number' && Number.isFinite(exp) ? exp * 1_000 : undefined;
}
