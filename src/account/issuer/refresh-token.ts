/** Redeems and revokes the tokens of a sign-in. ACC-51 … ACC-55 */
import * as v from 'valibot';
import { isSuccess } from '../../net/http-request.js';
import type { TokenRefreshReason } from '../../protocol/account.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import type { IssuerClient, IssuerFailed } from './client.js';
import { errorCodeIn, IdToken, Token } from './response.js';

export interface RefreshRequest {
  readonly refreshToken: Secret;
  /** The client that the refresh token was issued to. Undefined: the configured one. */
  readonly clientId: string | undefined;
  readonly reason: TokenRefreshReason;
}

/** What the issuer returned for a refresh; each token may be missing. ACC-52 */
export interface IssuedTokens {
  readonly idToken: Secret | undefined;
  readonly accessToken: Secret | undefined;
  readonly refreshToken: Secret | undefined;
}

export type RefreshOutcome =
  | { readonly kind: 'granted'; readonly tokens: IssuedTokens }
  /** The issuer will never refresh these credentials again. ACC-53 */
  | { readonly kind: 'permanent'; readonly failure: Failure }
  | IssuerFailed;

/** A token to revoke. */
export interface Grant {
  readonly kind: 'refresh_token' | 'access_token';
  readonly token: Secret;
}

const REVOKE_TIMEOUT = 10_000;

/** An empty token is treated as missing: the stored one stays. ACC-52 */
const renewed = (token: v.GenericSchema<string>) => v.nullish(v.union([v.literal(''), token]));
const RefreshBody = v.pipe(
  // An array passes v.object.
  v.custom<object>((value) => isRecord(value)),
  v.object({ id_token: renewed(IdToken), access_token: renewed(Token), refresh_token: renewed(Token) }),
);

const PERMANENT: Readonly<Record<string, Reason>> = {
  refresh_token_expired: 'refreshTokenExpired',
  refresh_token_reused: 'refreshTokenReused',
  refresh_token_invalidated: 'refreshTokenRevoked',
};

/** Exchanges the refresh token for new tokens. */
export async function redeemRefreshToken(
  client: IssuerClient,
  { refreshToken, clientId, reason }: RefreshRequest,
  signal: AbortSignal,
): Promise<RefreshOutcome> {
  const { address } = client;
  const done = await client.post(
    {
      what: 'token refresh',
      url: address.refreshUrl,
      body: {
        json: {
          client_id: clientId ?? address.clientId,
          grant_type: 'refresh_token',
          refresh_reason: reason,
          refresh_token: refreshToken.reveal(),
        },
      },
      secrets: [refreshToken],
    },
    signal,
  );
  if (done.kind === 'failed') return done;
  if (!isSuccess(done.status)) {
    const permanent = permanentReason(done.status, errorCodeIn(done.json));
    const lead = 'token refresh: the issuer returned status';
    const failure = client.rejection(done, permanent ?? 'issuerFailed', lead);
    return { kind: permanent === undefined ? 'failed' : 'permanent', failure };
  }
  const parsed = v.safeParse(RefreshBody, done.json, { abortEarly: true });
  if (!parsed.success) return { kind: 'failed', failure: client.badBody(done) };
  const { id_token, access_token, refresh_token } = parsed.output;
  return {
    kind: 'granted',
    tokens: {
      idToken: secretOf(id_token),
      accessToken: secretOf(access_token),
      refreshToken: secretOf(refresh_token),
    },
  };
}

/** Best effort. Null: revoked. ACC-55 */
export async function revokeGrant(
  client: IssuerClient,
  { kind, token }: Grant,
  signal: AbortSignal,
): Promise<Failure | null> {
  const { address } = client;
  // Only a refresh token belongs to a client.
  const owner = kind === 'refresh_token' ? { client_id: address.clientId } : {};
  const done = await client.post(
    {
      what: 'revocation',
      url: address.revokeUrl,
      body: { json: { token: token.reveal(), token_type_hint: kind, ...owner } },
      secrets: [token],
      timeout: REVOKE_TIMEOUT,
    },
    signal,
  );
  if (done.kind === 'failed') return done.failure;
  return isSuccess(done.status)
    ? null
    : client.rejection(done, 'issuerFailed', 'revocation: the issuer returned status');
}

/** Why the issuer will never refresh these credentials; undefined: a later attempt may succeed. ACC-53 */
function permanentReason(status: number, code: string | undefined): Reason | undefined {
  const known = code !== undefined && Object.hasOwn(PERMANENT, code) ? PERMANENT[code] : undefined;
  // RFC 6749 section 5.2: invalid, expired or revoked. Codex CLI knows the 401 only.
  const refused = status === 401 || (status === 400 && code === 'invalid_grant');
  return known ?? (refused ? 'refreshTokenRefused' : undefined);
}

const secretOf = (value: string | null | undefined): Secret | undefined =>
  value == null || value === '' ? undefined : new Secret(value);
