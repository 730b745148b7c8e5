/** Exchanges the authorization code of a sign-in for tokens, and the id token for an API key. ACC-75 */
import * as v from 'valibot';
import { isSuccess } from '../../net/http-request.js';
import { Secret } from '../../protocol/secret.js';
import type { IssuerClient, IssuerFailed } from './client.js';
import { IdToken, Token } from './response.js';

export interface AuthorizationCode {
  readonly code: Secret;
  readonly verifier: Secret;
  readonly redirectUri: string;
}

export interface GrantedTokens {
  readonly idToken: Secret;
  readonly accessToken: Secret;
  readonly refreshToken: Secret;
}

export type ExchangeOutcome = { readonly kind: 'granted'; readonly tokens: GrantedTokens } | IssuerFailed;

const ExchangeBody = v.object({ id_token: IdToken, access_token: Token, refresh_token: Token });
const ApiKeyBody = v.object({ access_token: Token });

export async function exchangeCode(
  client: IssuerClient,
  { code, verifier, redirectUri }: AuthorizationCode,
  signal: AbortSignal,
): Promise<ExchangeOutcome> {
  const { address } = client;
  const done = await client.post(
    {
      what: 'Token exchange failed',
      url: `${address.issuer}/oauth/token`,
      body: {
        form: {
          grant_type: 'authorization_code',
          client_id: address.clientId,
          code: code.reveal(),
          redirect_uri: redirectUri,
          code_verifier: verifier.reveal(),
        },
      },
      secrets: [code, verifier],
    },
    signal,
  );
  if (done.kind === 'failed') return done;
  if (!isSuccess(done.status)) {
    const lead = 'Token exchange failed: token endpoint returned status';
    return { kind: 'failed', failure: client.rejection(done, 'loginFailed', lead) };
  }
  const parsed = v.safeParse(ExchangeBody, done.json, { abortEarly: true });
  if (!parsed.success) return { kind: 'failed', failure: client.badBody(done, 'loginFailed') };
  const { id_token, access_token, refresh_token } = parsed.output;
  return {
    kind: 'granted',
    tokens: {
      idToken: new Secret(id_token),
      accessToken: new Secret(access_token),
      refreshToken: new Secret(refresh_token),
    },
  };
}

/** An API key for the person who signed in. Undefined: the issuer gives none; that is no failure of the sign-in. */
export async function exchangeApiKey(
  client: IssuerClient,
  idToken: Secret,
  signal: AbortSignal,
): Promise<Secret | undefined> {
  const { address } = client;
  const done = await client.post(
    {
      what: 'API key exchange',
      url: `${address.issuer}/oauth/token`,
      body: {
        form: {
          grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
          client_id: address.clientId,
          requested_token: 'openai-api-key',
          subject_token: idToken.reveal(),
          subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
        },
      },
      secrets: [idToken],
    },
    signal,
  );
  if (done.kind === 'failed' || !isSuccess(done.status)) return undefined;
  const parsed = v.safeParse(ApiKeyBody, done.json);
  return parsed.success ? new Secret(parsed.output.access_token) : undefined;
}
