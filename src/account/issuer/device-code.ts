/** The device code flow: requests a code to type on another device, and polls until it was typed. ACC-79, ACC-80 */
import * as v from 'valibot';
import { isSuccess } from '../../net/http-request.js';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import type { IssuerClient, IssuerFailed, IssuerResponse } from './client.js';
import { errorCodeIn, Token } from './response.js';

export interface DeviceCode {
  readonly deviceAuthId: Secret;
  readonly userCode: string;
  /** The page of the issuer with the code already typed in; null: the issuer names none on its own origin. */
  readonly completeUrl: string | null;
  /** Between two polls, ms. */
  readonly interval: number;
}

export type DeviceCodeOutcome =
  | { readonly kind: 'granted'; readonly device: DeviceCode }
  /** The issuer does not offer device codes. */
  | { readonly kind: 'unavailable'; readonly failure: Failure }
  | IssuerFailed;

export type DevicePollOutcome =
  /** The code was not typed yet. `slowDown`: the issuer wants longer pauses from now on. RFC 8628 section 3.5 */
  | { readonly kind: 'pending'; readonly slowDown: boolean; readonly retryAfter: number }
  | { readonly kind: 'code'; readonly code: Secret; readonly verifier: Secret }
  /** This poll failed; the next one may succeed. `retryAfter`: the least pause, ms. */
  | { readonly kind: 'retry'; readonly failure: Failure; readonly retryAfter: number }
  /** The issuer ended the sign-in. */
  | IssuerFailed;

/** Limits of the poll interval, seconds. */
const INTERVAL = { least: 1, most: 60, fallback: 5 };
const URL_CHARS = 500;

/** Error codes that end a sign-in at any status. The others of RFC 8628 mean that the person is not done yet. */
const DENIED: ReadonlySet<string> = new Set([
  'access_denied',
  'denied',
  'authorization_declined',
  'expired_token',
]);
const PENDING = 'authorization_pending';
const SLOW_DOWN = 'slow_down';
/** Statuses below 500 that a gateway, or a limit of requests, puts in the place of an answer. */
const TEMPORARY: ReadonlySet<number> = new Set([408, 421, 425, 429]);

const UserCode = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,64}$/));
const DeviceCodeBody = v.object({
  device_auth_id: v.pipe(v.string(), v.minLength(1)),
  user_code: v.optional(UserCode),
  /** The same under a second name. */
  usercode: v.optional(UserCode),
  interval: v.optional(v.unknown()),
  verification_uri_complete: v.optional(v.unknown()),
});
const PollBody = v.object({ authorization_code: Token, code_verifier: Token });

export async function requestDeviceCode(
  client: IssuerClient,
  signal: AbortSignal,
): Promise<DeviceCodeOutcome> {
  const { address } = client;
  const done = await client.post(
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
    const lead = 'device code login is not enabled: the issuer returned status';
    return { kind: 'unavailable', failure: client.rejection(done, 'deviceLoginUnavailable', lead) };
  }
  if (!isSuccess(done.status)) {
    const lead = 'failed to request device code: the issuer returned status';
    return { kind: 'failed', failure: client.rejection(done, 'issuerFailed', lead) };
  }
  const parsed = v.safeParse(DeviceCodeBody, done.json, { abortEarly: true });
  const userCode = parsed.success ? (parsed.output.user_code ?? parsed.output.usercode) : undefined;
  if (!parsed.success || userCode === undefined) return { kind: 'failed', failure: client.badBody(done) };
  const { device_auth_id, interval, verification_uri_complete } = parsed.output;
  return {
    kind: 'granted',
    device: {
      deviceAuthId: new Secret(device_auth_id),
      userCode,
      completeUrl: issuerPage(verification_uri_complete, address.issuer),
      interval: intervalSeconds(interval) * 1_000,
    },
  };
}

/** Asks once whether the code was typed. */
export async function pollDeviceCode(
  client: IssuerClient,
  { deviceAuthId, userCode }: Pick<DeviceCode, 'deviceAuthId' | 'userCode'>,
  signal: AbortSignal,
): Promise<DevicePollOutcome> {
  const done = await client.post(
    {
      what: 'device auth',
      url: `${client.address.issuer}/api/accounts/deviceauth/token`,
      body: { json: { device_auth_id: deviceAuthId.reveal(), user_code: userCode } },
      secrets: [deviceAuthId],
    },
    signal,
  );
  // A dropped poll must not end a sign-in that a person has nearly finished.
  if (done.kind === 'failed') return { kind: 'retry', failure: done.failure, retryAfter: 0 };
  if (isSuccess(done.status) && done.json !== undefined) {
    const parsed = v.safeParse(PollBody, done.json, { abortEarly: true });
    if (!parsed.success) return { kind: 'failed', failure: client.badBody(done) };
    return {
      kind: 'code',
      code: new Secret(parsed.output.authorization_code),
      verifier: new Secret(parsed.output.code_verifier),
    };
  }
  return pollRefused(client, done);
}

/** What a response without a code means. */
function pollRefused(client: IssuerClient, response: IssuerResponse): DevicePollOutcome {
  const { status, json, retryAfter } = response;
  const code = errorCodeIn(json);
  const isDenied = code !== undefined && DENIED.has(code);
  const rejection = (reason: Reason): Failure =>
    client.rejection(response, reason, 'device auth failed with status');
  if (isDenied) return { kind: 'failed', failure: rejection('deviceCodeDenied') };
  const slowDown = code === SLOW_DOWN;
  if (slowDown || code === PENDING || status === 403 || status === 404) {
    return { kind: 'pending', slowDown, retryAfter };
  }
  // The issuer answers in JSON. A page comes from a gateway, a proxy or the sign-in page of a network.
  const temporary = json === undefined || status < 400 || status >= 500 || TEMPORARY.has(status);
  return temporary
    ? { kind: 'retry', failure: rejection('issuerFailed'), retryAfter }
    : { kind: 'failed', failure: rejection('issuerFailed') };
}

/** The issuer sends a string of seconds; a number is accepted as well. ACC-79 */
function intervalSeconds(raw: unknown): number {
  const seconds = typeof raw === 'string' && raw !== '' ? Number(raw) : raw;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds)) return INTERVAL.fallback;
  return Math.min(Math.max(seconds, INTERVAL.least), INTERVAL.most);
}

/** People are sent to this address, so it must be a page of the issuer itself. RFC 8628 section 3.3.1 */
function issuerPage(raw: unknown, issuer: string): string | null {
  if (typeof raw !== 'string' || raw.length > URL_CHARS || !URL.canParse(raw)) return null;
  const { origin, username, password, href } = new URL(raw);
  return origin === new URL(issuer).origin && username === '' && password === '' ? href : null;
}
