/** What `rc-engine doctor` uses of the features, so that a check does what the engine would do. */
import { parseIssuer } from '../account/issuer/address.js';
import { claimedExpiry, jwtClaims } from '../account/jwt.js';
import type { Dialer } from '../net/dialer.js';
import { EngineError } from '../protocol/errors.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import { SYSTEM_ENV } from '../protocol/timing.js';
import { dialSocket } from '../remote-control/link/dial.js';

export { LOGIN_PORTS } from '../account/options.js';
export { probeAppServer } from '../app-server/probe.js';

/** Wall-clock ms at which an access token expires; undefined: it does not say. */
export const tokenExpiry = (token: Secret | undefined): number | undefined =>
  token === undefined ? undefined : claimedExpiry(jwtClaims(token.reveal()));

/**
 * The issuer that a sign-in would use, without a slash at its end.
 * @throws EngineError `usage`
 */
export function issuerOf(settings: { readonly issuer?: string }, env: NodeJS.ProcessEnv): string {
  const parsed = parseIssuer(settings, env);
  if (!parsed.ok) throw new EngineError('usage', parsed.message);
  return parsed.address.issuer;
}

/**
 * Requests the upgrade of the backend's socket without a token.
 * @param timeout ms
 * @returns null when the backend opened it, which it should not
 */
export async function requestUpgrade(
  url: string,
  dialer: Dialer,
  timeout: number,
  signal: AbortSignal,
): Promise<Failure | null> {
  const result = await dialSocket(
    { url, dialer, env: SYSTEM_ENV, timing: { handshakeTimeout: timeout }, headers: {}, secrets: [] },
    signal,
  );
  if (result.kind !== 'open') return result.failure;
  result.socket.terminate();
  return null;
}
