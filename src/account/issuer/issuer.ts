/** What is asked of the OAuth issuer. Methods answer with outcomes; they reject only for a bug or an abort. */
import * as v from 'valibot';
import type { Dialer } from '../../net/dialer.js';
import { type HttpRequest, isSuccess, jsonOf, sendRequest } from '../../net/http-request.js';
import { plainFailure, type RequestContext } from '../../net/request-failure.js';
import type { TokenRefreshReason } from '../../protocol/account.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import type { Env } from '../../protocol/timing.js';
import type { IssuedTokens } from '../file/auth-write.js';
import type { IssuerAddress } from './address.js';
import {
  codeIn,
  errorMessageIn,
  intervalOf,
  pageOf,
  permanentFailureReason,
  shownMessage,
} from './answer.js';
import { DeviceCode, ExchangedApiKey, Granted, Refreshed, UserCode } from './shapes.js';

export type RedeemOutcome =
  | { readonly kind: 'granted'; readonly tokens: IssuedTokens }
  /** These credentials are dead. ACC-53 */
  | { readonly kind: 'permanent'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type ExchangeOutcome =
  | {
      readonly kind: 'granted';
      readonly idToken: Secret;
      readonly accessToken: Secret;
      readonly refreshToken: Secret;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type DeviceCodeOutcome =
  | {
      readonly kind: 'granted';
      readonly deviceAuthId: Secret;
      readonly userCode: string;
      /** The page with the code typed in already, where the issuer names one on its own origin. */
      readonly completeUrl: string | null;
      /** Between two polls, ms. */
      readonly interval: number;
    }
  | { readonly kind: 'unavailable'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type DevicePollOutcome =
  | { readonly kind: 'pending' }
  | { readonly kind: 'code'; readonly code: Secret; readonly verifier: Secret }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What is revoked. */
export interface Grant {
  readonly kind: 'refresh_token' | 'access_token';
  readonly token: Secret;
}

export interface Issuer {
  readonly address: IssuerAddress;
  /** ACC-51. `clientId`: the one that the refresh token was given to. */
  refresh(
    request: { refreshToken: Secret; clientId: string | undefined; reason: TokenRefreshReason },
    signal: AbortSignal,
  ): Promise<RedeemOutcome>;
  /** Best effort, within 10 s. ACC-55. Null: revoked. */
  revoke(grant: Grant, signal: AbortSignal): Promise<Failure | null>;
  /** Exchanges the authorization code of a sign-in for tokens. ACC-75 */
  exchange(
    request: { code: Secret; redirectUri: string; verifier: Secret },
    signal: AbortSignal,
  ): Promise<ExchangeOutcome>;
  /** An API key for the one who signed in; undefined when the issuer gives none. ACC-75 */
  exchangeApiKey(idToken: Secret, signal: AbortSignal): Promise<Secret | undefined>;
  /** Requests a code that a person types on another device. ACC-79 */
  requestDeviceCode(signal: AbortSignal): Promise<DeviceCodeOutcome>;
  /** Asks once whether that code was entered. ACC-80 */
  pollDevice(
    request: { deviceAuthId: Secret; userCode: string },
    signal: AbortSignal,
  ): Promise<DevicePollOutcome>;
}

export interface IssuerOptions {
  readonly address: IssuerAddress;
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly userAgent: string;
  /** Limit of one request, body included, ms. Default 30,000. */
  readonly requestTimeout?: number;
}

const REQUEST_TIMEOUT = 30_000;
const REVOKE_TIMEOUT = 10_000;

interface Post {
  readonly what: string;
  readonly url: string;
  readonly body: NonNullable<HttpRequest['body']>;
  readonly secrets: readonly Secret[];
  readonly timeout?: number;
}

type Posted =
  | {
      readonly kind: 'answered';
      readonly status: number;
      readonly json: unknown;
      readonly attempt: RequestContext;
    }
  | { readonly kind: 'failed'; readonly failure: Failure };

export function createIssuer(options: IssuerOptions): Issuer {
  const { address, env } = options;

  async function post(request: Post, signal: AbortSignal): Promise<Posted> {
    const timeout = request.timeout ?? options.requestTimeout ?? REQUEST_TIMEOUT;
    const done = await sendRequest(options, { ...request, method: 'POST', timeout }, signal);
    if (done.kind === 'answered') {
      const { attempt, response } = done;
      return { kind: 'answered', status: response.status, json: jsonOf(response), attempt };
    }
    const { failure } = done;
    // A fault of the proxy or the certificate keeps its own reason; for all others the issuer is unreachable.
    const own = failure.reason === 'proxyFailed' || failure.reason === 'tlsFailed';
    return { kind: 'failed', failure: own ? failure : { ...failure, reason: 'issuerUnreachable' } };
  }

  /** An answer that is no success, or none of the expected form. */
  function refusal(done: Extract<Posted, { kind: 'answered' }>, reason: Reason, lead: string): Failure {
    const words = errorMessageIn(done.json);
    const said = words === undefined ? '' : `: ${shownMessage(words, done.attempt.secrets)}`;
    return {
      reason,
      message: `${lead} returned status ${done.status}${said}`,
      at: env.now(),
      httpStatus: done.status,
    };
  }

  const badAnswer = (done: Extract<Posted, { kind: 'answered' }>): Failure =>
    plainFailure(done.attempt, 'issuerFailed', `answered HTTP ${done.status} without what was asked for`);

  return {
    address,

    async refresh({ refreshToken, clientId, reason }, signal) {
      const done = await post(
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
      if (isSuccess(done.status)) {
        const parsed = v.safeParse(Refreshed, done.json, { abortEarly: true });
        if (!parsed.success) return { kind: 'failed', failure: badAnswer(done) };
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
      const dead = permanentFailureReason(done.status, codeIn(done.json));
      const failure = refusal(done, dead ?? 'issuerFailed', 'token refresh: the issuer');
      return { kind: dead === undefined ? 'failed' : 'permanent', failure };
    },

    async revoke({ kind, token }, signal) {
      const done = await post(
        {
          what: 'revocation',
          url: address.revokeUrl,
          body: {
            json: {
              token: token.reveal(),
              token_type_hint: kind,
              // An access token belongs to no client.
              ...(kind === 'refresh_token' ? { client_id: address.clientId } : {}),
            },
          },
          secrets: [token],
          timeout: REVOKE_TIMEOUT,
        },
        signal,
      );
      if (done.kind === 'failed') return done.failure;
      return isSuccess(done.status) ? null : refusal(done, 'issuerFailed', 'revocation: the issuer');
    },

    async exchange({ code, redirectUri, verifier }, signal) {
      const done = await post(
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
        return {
          kind: 'failed',
          failure: refusal(done, 'loginFailed', 'Token exchange failed: token endpoint'),
        };
      }
      const parsed = v.safeParse(Granted, done.json, { abortEarly: true });
      if (!parsed.success) {
        return { kind: 'failed', failure: { ...badAnswer(done), reason: 'loginFailed' } };
      }
      const { id_token, access_token, refresh_token } = parsed.output;
      return {
        kind: 'granted',
        idToken: new Secret(id_token),
        accessToken: new Secret(access_token),
        refreshToken: new Secret(refresh_token),
      };
    },

    async exchangeApiKey(idToken, signal) {
      const done = await post(
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
      const parsed = v.safeParse(ExchangedApiKey, done.json);
      return parsed.success ? new Secret(parsed.output.access_token) : undefined;
    },

    async requestDeviceCode(signal) {
      const done = await post(
        {
          what: 'failed to request device code',
          url: `${address.issuer}/api/accounts/deviceauth/usercode`,
          body: { json: { client_id: address.clientId } },
          secrets: [],
        },
        signal,
      );
      if (done.kind === 'failed') return done;
      if (done.status === 404) {
        return {
          kind: 'unavailable',
          failure: refusal(done, 'deviceLoginUnavailable', 'device code login is not enabled: the issuer'),
        };
      }
      if (!isSuccess(done.status)) {
        return {
          kind: 'failed',
          failure: refusal(done, 'issuerFailed', 'failed to request device code: the issuer'),
        };
      }
      const parsed = v.safeParse(UserCode, done.json, { abortEarly: true });
      if (!parsed.success) return { kind: 'failed', failure: badAnswer(done) };
      const { device_auth_id, interval, verification_uri_complete } = parsed.output;
      const userCode = parsed.output.user_code ?? parsed.output.usercode;
      if (userCode === undefined) return { kind: 'failed', failure: badAnswer(done) };
      return {
        kind: 'granted',
        deviceAuthId: new Secret(device_auth_id),
        userCode,
        completeUrl: pageOf(verification_uri_complete, address.issuer),
        interval: intervalOf(interval) * 1_000,
      };
    },

    async pollDevice({ deviceAuthId, userCode }, signal) {
      const done = await post(
        {
          what: 'device auth',
          url: `${address.issuer}/api/accounts/deviceauth/token`,
          body: { json: { device_auth_id: deviceAuthId.reveal(), user_code: userCode } },
          secrets: [deviceAuthId],
        },
        signal,
      );
      if (done.kind === 'failed') return done;
      if (done.status === 403 || done.status === 404) return { kind: 'pending' };
      if (!isSuccess(done.status)) {
        const words = errorMessageIn(done.json);
        return {
          kind: 'failed',
          failure: {
            reason: 'deviceCodeDenied',
            message: `device auth failed with status ${done.status}${words === undefined ? '' : `: ${shownMessage(words, done.attempt.secrets)}`}`,
            at: env.now(),
            httpStatus: done.status,
          },
        };
      }
      const parsed = v.safeParse(DeviceCode, done.json, { abortEarly: true });
      if (!parsed.success) return { kind: 'failed', failure: badAnswer(done) };
      return {
        kind: 'code',
        code: new Secret(parsed.output.authorization_code),
        verifier: new Secret(parsed.output.code_verifier),
      };
    },
  };
}

const secretOf = (value: string | null | undefined): Secret | undefined =>
  value == null || value === '' ? undefined : new Secret(value);
