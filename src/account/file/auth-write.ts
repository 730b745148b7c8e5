/** What is written into an auth.json. Keys that this program does not know stay as they are. ACC-58 */
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Secret } from '../../protocol/secret.js';

/** What an issuer gave; each of them may be missing in a refresh. ACC-52 */
export interface IssuedTokens {
  readonly idToken: Secret | undefined;
  readonly accessToken: Secret | undefined;
  readonly refreshToken: Secret | undefined;
}

export interface NewSignIn {
  readonly idToken: Secret;
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
  readonly accountId: string | undefined;
  /** An API key that the issuer gave along. ACC-75 */
  readonly apiKey: Secret | undefined;
  readonly issuer: string;
  readonly clientId: string;
  readonly ownerId: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

type Json = Record<string, unknown>;

/** The object in the file, or an empty one where the file holds none. */
function objectIn(text: string | undefined): Json {
  if (text === undefined) return {};
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? { ...value } : {};
  } catch {
    return {};
  }
}

const write = (value: Json): string => `${JSON.stringify(value, null, 2)}\n`;
const rfc3339 = (at: number): string => new Date(at).toISOString();

/** Members of the credentials themselves: another sign-in replaces all of them. */
const OWN = ['auth_mode', 'OPENAI_API_KEY', 'tokens', 'last_refresh'];
const others = (json: Json): Json =>
  Object.fromEntries(Object.entries(json).filter(([key]) => !OWN.includes(key)));

/**
 * The file after a refresh: given tokens replace stored ones, all else stays, but the provenance of another issuer
 * than the one that gave these.
 * @param at wall-clock milliseconds
 */
export function refreshedText(text: string, issued: IssuedTokens, issuer: string, at: number): string {
  const json = objectIn(text);
  const { oauth_provenance: provenance, ...tokens } = isRecord(json.tokens) ? json.tokens : {};
  const known = isRecord(provenance) && provenance.issuer === issuer;
  return write({
    ...json,
    tokens: {
      ...tokens,
      ...(issued.idToken === undefined ? {} : { id_token: issued.idToken.reveal() }),
      ...(issued.accessToken === undefined ? {} : { access_token: issued.accessToken.reveal() }),
      ...(issued.refreshToken === undefined ? {} : { refresh_token: issued.refreshToken.reveal() }),
      ...(known ? { oauth_provenance: provenance } : {}),
    },
    last_refresh: rfc3339(at),
  });
}

/** The file after a sign-in with ChatGPT. */
export function signInText(text: string | undefined, signIn: NewSignIn): string {
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
    ...others(objectIn(text)),
  });
}

/** The file after a sign-in with an API key. ACC-28 */
export function apiKeyText(text: string | undefined, key: Secret): string {
  return write({ auth_mode: 'apikey', OPENAI_API_KEY: key.reveal(), ...others(objectIn(text)) });
}
