/** What an auth.json of the reference client says. Never quotes from it: nearly all of it is secret. ACC-19, ACC-58 */
import * as v from 'valibot';
import { type Profile, profileOf } from '../../protocol/account.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import { parseRfc3339 } from '../../system/rfc3339.js';
import { claimedAccountId, claimedExpiry, jwtClaims } from '../jwt.js';

export type SignIn =
  | {
      readonly kind: 'usable';
      readonly accountId: string;
      readonly accessToken: Secret;
      /** Wall-clock milliseconds; undefined when the token does not say. */
      readonly expiresAt: number | undefined;
      /** Undefined: the sign-in cannot be renewed. */
      readonly refreshToken: Secret | undefined;
      /** OAuth client that the refresh token was given to, where the file says so. ACC-51 */
      readonly clientId: string | undefined;
      /** Wall-clock milliseconds of the last refresh, where the file says so. ACC-49 */
      readonly refreshedAt: number | undefined;
      readonly profile: Profile;
    }
  | {
      readonly kind: 'unusable';
      readonly failure: Failure;
      /** It may be half written: another look in a moment can tell more. */
      readonly unsettled: boolean;
      /** What is there all the same. `chatgpt`: a sign-in without account id; `incomplete`: one without tokens. */
      readonly holds: 'nothing' | 'apiKey' | 'incomplete' | 'chatgpt';
      readonly apiKey?: Secret;
      readonly profile?: Profile;
      readonly accessToken?: Secret;
      readonly refreshToken?: Secret | undefined;
    };

const Text = v.nullish(v.string());
// Unknown keys are fine at both levels; an id token that is no string is of no use and no harm.
const AuthJson = v.object({
  auth_mode: Text,
  OPENAI_API_KEY: Text,
  tokens: v.nullish(
    v.object({
      access_token: Text,
      // Of no use when they are something else, and no reason to refuse the rest.
      id_token: v.optional(v.unknown()),
      refresh_token: v.optional(v.unknown()),
      oauth_provenance: v.optional(v.unknown()),
      account_id: Text,
    }),
  ),
  last_refresh: v.optional(v.unknown()),
});

/** Both become headers. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

type Unusable = Extract<SignIn, { kind: 'unusable' }>;

/** `unusable` without a file behind it. */
export function noSignIn(reason: Reason, message: string, at: number): Unusable {
  return { kind: 'unusable', failure: { reason, message, at }, unsettled: false, holds: 'nothing' };
}

export function parseAuthJson(text: string, path: string, at: number): SignIn {
  const unusable = (reason: Reason, what: string, more: Partial<Unusable> = {}): SignIn => ({
    ...noSignIn(reason, `${path}: ${what}`, at),
    ...more,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unusable('authUnreadable', text.trim() === '' ? 'it is empty' : 'it is no JSON', {
      unsettled: true,
    });
  }
  if (!isRecord(json)) return unusable('authUnreadable', 'it is no JSON object');
  const parsed = v.safeParse(AuthJson, json, { abortEarly: true });
  if (!parsed.success) {
    return unusable('authUnreadable', `"${v.getDotPath(parsed.issues[0]) ?? 'it'}" is not of the known form`);
  }
  const { auth_mode, OPENAI_API_KEY: apiKey, tokens } = parsed.output;
  const mode = auth_mode ?? (apiKey == null ? 'chatgpt' : 'apikey');
  if (mode === 'apikey') {
    return apiKey == null
      ? unusable('authMissing', 'it holds no API key')
      : unusable('authApiKeyOnly', 'it holds an API key, not a ChatGPT sign-in', {
          holds: 'apiKey',
          apiKey: new Secret(apiKey),
        });
  }
  if (mode !== 'chatgpt') {
    const shown = /^[\w-]{1,40}$/.test(mode) ? ` "${mode}"` : '';
    return unusable('authMissing', `its sign-in of the mode${shown} is none with ChatGPT`);
  }
  if (tokens == null) {
    return apiKey
      ? unusable('authApiKeyOnly', 'it holds an API key and no ChatGPT tokens', { holds: 'incomplete' })
      : unusable('authMissing', 'it holds no sign-in', { holds: 'incomplete' });
  }
  const accessToken = tokens.access_token ?? '';
  if (!HEADER_TEXT.test(accessToken)) {
    return unusable('authUnreadable', 'it holds no usable access token');
  }
  const claims = jwtClaims(accessToken);
  const idClaims = typeof tokens.id_token === 'string' ? jwtClaims(tokens.id_token) : undefined;
  const { oauth_provenance: provenance, refresh_token: refreshToken } = tokens;
  const clientId = isRecord(provenance) ? provenance.client_id : undefined;
  const kept = {
    accessToken: new Secret(accessToken),
    refreshToken:
      typeof refreshToken === 'string' && refreshToken !== '' ? new Secret(refreshToken) : undefined,
    // The id token says who it is; a sign-in without one is known by its access token. ACC-52
    profile: profileOf(idClaims ?? claims),
  };
  const accountId = tokens.account_id || claimedAccountId(idClaims) || claimedAccountId(claims);
  if (accountId === undefined) {
    return unusable('authNoAccountId', 'its ChatGPT sign-in carries no account id', {
      holds: 'chatgpt',
      ...kept,
    });
  }
  if (!HEADER_TEXT.test(accountId)) {
    return unusable('authUnreadable', 'its account id is none', { holds: 'chatgpt', ...kept });
  }
  const { last_refresh: lastRefresh } = parsed.output;
  return {
    kind: 'usable',
    accountId,
    ...kept,
    expiresAt: claimedExpiry(claims),
    clientId: typeof clientId === 'string' && clientId !== '' ? clientId : undefined,
    refreshedAt: typeof lastRefresh === 'string' ? parseRfc3339(lastRefresh) : undefined,
  };
}
