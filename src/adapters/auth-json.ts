/** What an auth.json of the reference client says. Never quotes from it: nearly all of it is secret. ACC-19, ACC-58 */
import * as v from 'valibot';
import { isRecord } from '../protocol/jsonrpc.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import { claimedAccountId, claimedExpiry, jwtClaims } from './jwt.js';

export type SignIn =
  | {
      readonly kind: 'usable';
      readonly accountId: string;
      readonly accessToken: Secret;
      /** Wall-clock milliseconds; undefined when the token does not say. */
      readonly expiresAt: number | undefined;
    }
  | {
      readonly kind: 'unusable';
      readonly failure: Failure;
      /** It may be half written: another look in a moment can tell more. */
      readonly unsettled: boolean;
    };

const Text = v.nullish(v.string());
// Unknown keys are fine at both levels; an id token that is no string is of no use and no harm.
const AuthJson = v.object({
  auth_mode: Text,
  OPENAI_API_KEY: Text,
  tokens: v.nullish(v.object({ access_token: Text, id_token: v.optional(v.unknown()), account_id: Text })),
});

/** Both become headers. */
const HEADER_TEXT = /^[\x21-\x7e]+$/;

export function parseAuthJson(text: string, path: string, at: number): SignIn {
  const unusable = (reason: Reason, what: string, unsettled = false): SignIn => ({
    kind: 'unusable',
    failure: { reason, message: `${path}: ${what}`, at },
    unsettled,
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return unusable('authUnreadable', text.trim() === '' ? 'it is empty' : 'it is no JSON', true);
  }
  if (!isRecord(json)) return unusable('authUnreadable', 'it is no JSON object');
  const parsed = v.safeParse(AuthJson, json, { abortEarly: true });
  if (!parsed.success) {
    return unusable('authUnreadable', `"${v.getDotPath(parsed.issues[0]) ?? 'it'}" is not of the known form`);
  }
  const { auth_mode, OPENAI_API_KEY: apiKey, tokens } = parsed.output;
  const mode = auth_mode ?? (apiKey ? 'apikey' : 'chatgpt');
  if (mode === 'apikey') return unusable('authApiKeyOnly', 'it holds an API key, not a ChatGPT sign-in');
  if (mode !== 'chatgpt') {
    const shown = /^[\w-]{1,40}$/.test(mode) ? ` "${mode}"` : '';
    return unusable('authMissing', `its sign-in of the mode${shown} is none with ChatGPT`);
  }
  if (tokens == null) {
    return apiKey
      ? unusable('authApiKeyOnly', 'it holds an API key and no ChatGPT tokens')
      : unusable('authMissing', 'it holds no sign-in');
  }
  const accessToken = tokens.access_token ?? '';
  if (!HEADER_TEXT.test(accessToken)) return unusable('authUnreadable', 'it holds no usable access token');
  const claims = jwtClaims(accessToken);
  const idClaims = typeof tokens.id_token === 'string' ? jwtClaims(tokens.id_token) : undefined;
  const accountId = tokens.account_id || claimedAccountId(idClaims) || claimedAccountId(claims);
  if (accountId === undefined)
    return unusable('authNoAccountId', 'its ChatGPT sign-in carries no account id');
  if (!HEADER_TEXT.test(accountId)) return unusable('authUnreadable', 'its account id is none');
  return {
    kind: 'usable',
    accountId,
    accessToken: new Secret(accessToken),
    expiresAt: claimedExpiry(claims),
  };
}
