/** Parses an auth.json of Codex CLI. No message quotes its content: nearly all of it is secret. ACC-19, ACC-58 */

import * as v from 'valibot';
import { type Profile, profileOf } from '../../protocol/account.js';
import { withoutByteOrderMark } from '../../protocol/byte-order-mark.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { type Failure, failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import { parseRfc3339 } from '../../system/formats.js';
import { claimedAccountId, claimedExpiry, jwtClaims } from '../jwt.js';

/** A ChatGPT sign-in with an account id. */
export interface ValidSignIn {
  readonly kind: 'valid';
  readonly accountId: string;
  readonly accessToken: Secret;
  /** Wall-clock milliseconds; undefined: the token does not say. */
  readonly expiresAt: number | undefined;
  /** Undefined: the sign-in cannot be refreshed. */
  readonly refreshToken: Secret | undefined;
  /** OAuth client that the refresh token was issued to; undefined: the file does not say. ACC-51 */
  readonly clientId: string | undefined;
  /** Wall-clock milliseconds of the last refresh; undefined: the file does not say. ACC-49 */
  readonly refreshedAt: number | undefined;
  readonly profile: Profile;
}

/** Anything else. */
interface InvalidSignIn {
  readonly kind: 'invalid';
  readonly failure: Failure;
  /** The file may be half written: a second read soon may find more. */
  readonly partial: boolean;
  /** What the file holds nevertheless. `chatgpt`: tokens without account id; `incomplete`: ChatGPT mode without tokens. */
  readonly holds: 'nothing' | 'apiKey' | 'incomplete' | 'chatgpt';
  readonly apiKey?: Secret;
  readonly profile?: Profile;
  readonly accessToken?: Secret;
  readonly refreshToken?: Secret | undefined;
}

export type SignIn = ValidSignIn | InvalidSignIn;

const Text = v.nullish(v.string());
// Unknown keys are ignored at both levels. The members of type unknown are optional: a wrong type counts as missing.
const AuthJson = v.object({
  auth_mode: Text,
  OPENAI_API_KEY: Text,
  tokens: v.nullish(
    v.object({
      access_token: Text,
      id_token: v.optional(v.unknown()),
      refresh_token: v.optional(v.unknown()),
      oauth_provenance: v.optional(v.unknown()),
      account_id: Text,
    }),
  ),
  last_refresh: v.optional(v.unknown()),
});
type AuthJson = v.InferOutput<typeof AuthJson>;

/** Access token and account id become headers. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

export function invalidSignIn(
  reason: Reason,
  message: string,
  at: number,
  more: Partial<InvalidSignIn> = {},
): InvalidSignIn {
  return {
    kind: 'invalid',
    failure: failure(reason, message, at),
    partial: false,
    holds: 'nothing',
    ...more,
  };
}

type Invalid = (reason: Reason, problem: string, more?: Partial<InvalidSignIn>) => InvalidSignIn;

/**
 * @param path For messages.
 * @param at Wall-clock milliseconds, for failures.
 */
export function parseAuthJson(text: string, path: string, at: number): SignIn {
  const invalid: Invalid = (reason, problem, more) => invalidSignIn(reason, `${path}: ${problem}`, at, more);
  let json: unknown;
  try {
    json = JSON.parse(withoutByteOrderMark(text));
  } catch {
    // A sign-out can only empty a file that is mounted. Another program may be about to write it. ACC-114
    return text.trim() === ''
      ? invalid('authMissing', 'nobody is signed in: the file is empty', { partial: true })
      : invalid('authUnreadable', 'it is not JSON', { partial: true });
  }
  if (!isRecord(json)) return invalid('authUnreadable', 'it is not a JSON object');
  const parsed = v.safeParse(AuthJson, json, { abortEarly: true });
  if (!parsed.success) {
    return invalid('authUnreadable', `"${v.getDotPath(parsed.issues[0]) ?? 'it'}" has the wrong type`);
  }
  const { auth_mode, OPENAI_API_KEY: apiKey, tokens } = parsed.output;
  const mode = auth_mode ?? (apiKey == null ? 'chatgpt' : 'apikey');
  if (mode === 'apikey') {
    return apiKey == null
      ? invalid('authMissing', 'it holds no API key')
      : invalid('authApiKeyOnly', 'it holds an API key, not a ChatGPT sign-in', {
          holds: 'apiKey',
          apiKey: new Secret(apiKey),
        });
  }
  if (mode !== 'chatgpt') {
    const shown = /^[\w-]{1,40}$/.test(mode) ? ` "${mode}"` : '';
    return invalid('authMissing', `its auth_mode${shown} is not a ChatGPT sign-in`);
  }
  if (tokens == null) {
    return apiKey
      ? invalid('authApiKeyOnly', 'it holds an API key and no ChatGPT tokens', { holds: 'incomplete' })
      : invalid('authMissing', 'it holds no sign-in', { holds: 'incomplete' });
  }
  return signInOf(tokens, parsed.output.last_refresh, invalid);
}

function signInOf(tokens: NonNullable<AuthJson['tokens']>, lastRefresh: unknown, invalid: Invalid): SignIn {
  const accessToken = tokens.access_token ?? '';
  if (!HEADER_TEXT.test(accessToken)) {
    return invalid('authUnreadable', 'its access token is missing or not visible ASCII');
  }
  const claims = jwtClaims(accessToken);
  const idClaims = typeof tokens.id_token === 'string' ? jwtClaims(tokens.id_token) : undefined;
  const { oauth_provenance: provenance, refresh_token: refreshToken } = tokens;
  const clientId = isRecord(provenance) ? provenance.client_id : undefined;
  const common = {
    accessToken: new Secret(accessToken),
    refreshToken:
      typeof refreshToken === 'string' && refreshToken !== '' ? new Secret(refreshToken) : undefined,
    // The id token names the person; without one the access token does. ACC-52
    profile: profileOf(idClaims ?? claims),
  };
  const accountId = tokens.account_id || claimedAccountId(idClaims) || claimedAccountId(claims);
  if (accountId === undefined) {
    const problem = 'its ChatGPT sign-in has no account id';
    return invalid('authNoAccountId', problem, { holds: 'chatgpt', ...common });
  }
  if (!HEADER_TEXT.test(accountId)) {
    return invalid('authUnreadable', 'its account id is not visible ASCII', { holds: 'chatgpt', ...common });
  }
  return {
    kind: 'valid',
    accountId,
    ...common,
    expiresAt: claimedExpiry(claims),
    clientId: typeof clientId === 'string' && clientId !== '' ? clientId : undefined,
    refreshedAt: typeof lastRefresh === 'string' ? parseRfc3339(lastRefresh) : undefined,
  };
}
