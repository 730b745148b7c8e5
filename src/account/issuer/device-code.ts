/** The device code flow: requests a code to type on another device, and polls until it was typed. ACC-79, ACC-80 */
import * as v from 'valibot';
import { isSuccess } from '../../net/http-request.js';
import type { Failure } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import type { IssuerClient, IssuerFailed } from './client.js';
import { Token } from './response.js';

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
  | { readonly kind: 'pending' }
  | { readonly kind: 'code'; readonly code: Secret; readonly verifier: Secret }
  | IssuerFailed;

/** Limits of the poll interval, seconds. */
const INTERVAL = { least: 1, most: 60, fallback: 5 };
const URL_CHARS = 500;

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
  if (done.kind === 'failed') return done;
  if (done.status === 403 || done.status === 404) return { kind: 'pending' };
  if (!isSuccess(done.status)) {
    const lead = 'device auth failed with status';
    return { kind: 'failed', failure: client.rejection(done, 'deviceCodeDenied', lead) };
  }
  const parsed = v.safeParse(PollBody, done.json, { abortEarly: true });
  if (!parsed.success) return { kind: 'failed', failure: client.badBody(done) };
  return {
    kind: 'code',
    code: new Secret(parsed.output.authorization_code),
    verifier: new Secret(parsed.output.code_verifier),
  };
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
