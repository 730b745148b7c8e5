/** The OAuth issuer. Methods resolve with outcomes; they reject only for a bug, or with the reason of `signal`. */
import type { Failure } from '../../protocol/outcomes.js';
import type { Secret } from '../../protocol/secret.js';
import type { IssuerAddress } from './address.js';
import {
  type AuthorizationCode,
  type ExchangeOutcome,
  exchangeApiKey,
  exchangeCode,
} from './authorization-code.js';
import { IssuerClient, type IssuerOptions } from './client.js';
import {
  type DeviceCode,
  type DeviceCodeOutcome,
  type DevicePollOutcome,
  pollDeviceCode,
  requestDeviceCode,
} from './device-code.js';
import {
  type Grant,
  type RefreshOutcome,
  type RefreshRequest,
  redeemRefreshToken,
  revokeGrant,
} from './refresh-token.js';

export interface Issuer {
  readonly address: IssuerAddress;
  /** Redeems a refresh token. ACC-51 */
  refresh(request: RefreshRequest, signal: AbortSignal): Promise<RefreshOutcome>;
  /** Best effort, within 10 s. Null: revoked. ACC-55 */
  revoke(grant: Grant, signal: AbortSignal): Promise<Failure | null>;
  /** Exchanges the authorization code of a sign-in for tokens. ACC-75 */
  exchange(code: AuthorizationCode, signal: AbortSignal): Promise<ExchangeOutcome>;
  /** An API key for the person who signed in; undefined when the issuer gives none. ACC-75 */
  exchangeApiKey(idToken: Secret, signal: AbortSignal): Promise<Secret | undefined>;
  /** Requests a code that a person types on another device. ACC-79 */
  requestDeviceCode(signal: AbortSignal): Promise<DeviceCodeOutcome>;
  /** Asks once whether that code was typed. ACC-80 */
  pollDeviceCode(device: DeviceCode, signal: AbortSignal): Promise<DevicePollOutcome>;
}

export function createIssuer(options: IssuerOptions): Issuer {
  const client = new IssuerClient(options);
  return {
    address: options.address,
    refresh: (request, signal) => redeemRefreshToken(client, request, signal),
    revoke: (grant, signal) => revokeGrant(client, grant, signal),
    exchange: (code, signal) => exchangeCode(client, code, signal),
    exchangeApiKey: (idToken, signal) => exchangeApiKey(client, idToken, signal),
    requestDeviceCode: (signal) => requestDeviceCode(client, signal),
    pollDeviceCode: (device, signal) => pollDeviceCode(client, device, signal),
  };
}
