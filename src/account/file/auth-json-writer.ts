/** The content of an auth.json after a sign-in or a refresh. Unknown top-level keys stay. ACC-58 */
import { withoutByteOrderMark } from '../../protocol/byte-order-mark.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Secret } from '../../protocol/secret.js';
import type { GrantedTokens } from '../issuer/authorization-code.js';
import type { IssuedTokens } from '../issuer/refresh-token.js';

export interface NewSignIn extends GrantedTokens {
  readonly accountId: string | undefined;
  /** An API key that the issuer returned as well. ACC-75 */
  readonly apiKey: Secret | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly ownerId: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

type Json = Record<string, unknown>;

/** The object in the file; empty when the file holds none. */
function objectIn(text: string | undefined): Json {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(withoutByteOrderMark(text));
    return isRecord(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

const write = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`;
const rfc3339 = (at: number): string => new Date(at).toISOString();

/** Keys of the credentials: a new sign-in replaces all of them. */
const CREDENTIAL_KEYS = ['auth_mode', 'OPENAI_API_KEY', 'tokens', 'last_refresh'];
const otherKeys = (json: Json): Json =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !CREDENTIAL_KEYS.includes(key)));

/**
 * The content after a refresh: issued tokens replace the stored ones, everything else stays. The provenance of
 * another issuer is dropped.
 * @param text The content before.
 * @param issuer The issuer of the new tokens.
 * @param at Wall-clock milliseconds.
 */
export function afterRefresh(text: string, issued: IssuedTokens, issuer: string, at: number): string {
  const json = objectIn(text);
  const { oauth_provenance: provenance, ...tokens } = isRecord(json.tokens) ? json.tokens : {};
  const sameIssuer = isRecord(provenance) && provenance.issuer === issuer;
  return write({
    ...json,
    tokens: {
      ...tokens,
      ...(issued.idToken === undefined ? {} : { id_token: issued.idToken.reveal() }),
      ...(issued.accessToken === undefined ? {} : { access_token: issued.accessToken.reveal() }),
      ...(issued.refreshToken === undefined ? {} : { refresh_token: issued.refreshToken.reveal() }),
      ...(sameIssuer ? { oauth_provenance: provenance } : {}),
    },
    last_refresh: rfc3339(at),
  });
}

/** The content after a sign-in with ChatGPT. */
export function afterSignIn(text: string | undefined, signIn: NewSignIn): string {
  return write({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: signIn.apiKey?.reveal() ?? null,
    tokens: {
      id_token: signIn.idToken.reveal(),
      access_token: signIn.accessToken.reveal(),
      refresh_token: signIn.refreshToken.reveal(),
      oauth_provenance: { issuer: signIn.issuer, client_id: signIn.clientId },
      login_owner_id: signIn.ownerId,
      account_id: signIn.accountId ?? null,
    },
    last_refresh: rfc3339(signIn.at),
    ...otherKeys(objectIn(text)),
  });
}

/** The content after a sign-in with an API key. ACC-28 */
export function afterApiKey(text: string | undefined, key: Secret): string {
  return write({ auth_mode: 'apikey', OPENAI_API_KEY: key.reveal(), ...otherKeys(objectIn(text)) });
}
