/** Settings of a listener and an upgrade request that lead to given facts. */
import type { EngineOptions } from '../../../../src/engine/options.js';
import type { AuthorityConfig } from '../../../../src/listener/auth/authority.js';
import type { CredentialFacts, UpgradeFacts } from '../../../../src/protocol/authority.js';
import {
  bearer,
  CAPABILITY,
  capability,
  jwt,
  signedBearer,
  type UpgradeOptions,
  upgradeText,
} from '../../../listener/rig.js';

/** Maximum number of handshakes in progress. WSA-16 */
export const MAX_HANDSHAKES = 128;
const ISSUER = 'issuer-of-paths';
const AUDIENCE = 'audience-of-paths';
const HOUR = 3_600;

export function settingsOf({ mode, enforced, request, admission }: UpgradeFacts): EngineOptions {
  return {
    authority: authorityOf(mode, enforced),
    ...(request === 'tooSlow' ? { timing: { upgradeTimeout: 400 } } : {}),
    ...(admission === 'tooManyConnections' || admission === 'onlyEstablished' ? { maxConnections: 1 } : {}),
  };
}

function authorityOf(mode: UpgradeFacts['mode'], enforced: boolean): AuthorityConfig {
  switch (mode) {
    case 'queryToken':
      return { mode, enforced };
    case 'capability':
      return capability;
    case 'signedBearer':
      return { ...signedBearer, issuer: ISSUER, audience: AUDIENCE };
    case 'filesystem':
      return { mode };
  }
}

/** The bytes of the request. `token` is the token in the connect URL of the listener. */
export function requestOf(facts: UpgradeFacts, token: string): string {
  const credential = credentialOf(facts, token);
  const headers = [
    ...(credential.headers ?? []),
    ...(facts.hasOrigin ? [['Origin', 'https://page.test'] as const] : []),
  ];
  switch (facts.request) {
    case 'malformed':
      return upgradeText({ ...credential, headers, key: 'no key' });
    case 'headersTooLarge':
      return upgradeText({ ...credential, headers: [...headers, ['X-Long', 'x'.repeat(17 * 1024)]] });
    case 'tooSlow':
      return upgradeText({ ...credential, headers }).slice(0, 40);
    default:
      return upgradeText({ ...credential, headers });
  }
}

function credentialOf({ mode, credential }: UpgradeFacts, token: string): UpgradeOptions {
  // The way to the socket is the credential.
  if (mode === 'filesystem') return {};
  if (mode === 'queryToken') return { path: queryOf(credential, token) };
  const valid = mode === 'capability' ? CAPABILITY : signed(credential);
  const one = credential.matches ? valid : `${valid}x`;
  switch (credential.presented) {
    case 'none':
      return {};
    case 'one':
      return { headers: [bearer(one)] };
    case 'several':
      return { headers: [bearer(one), bearer(one)] };
    case 'malformed':
      return { headers: [['Authorization', `Basic ${one}`]] };
  }
}

function queryOf({ presented, matches }: CredentialFacts, token: string): string {
  const one = `token=${matches ? token : 'another'}`;
  switch (presented) {
    case 'none':
      return '/';
    case 'one':
      return `/?${one}`;
    case 'several':
      return `/?${one}&${one}`;
    case 'malformed':
      return '/?token=%zz';
  }
}

function signed({ expired, notYetValid, issuerMatches, audienceMatches }: CredentialFacts): string {
  const now = Math.floor(Date.now() / 1_000);
  return jwt({
    exp: expired ? now - HOUR : now + 2 * HOUR,
    nbf: notYetValid ? now + HOUR : now - HOUR,
    iss: issuerMatches ? ISSUER : 'another',
    aud: audienceMatches ? [AUDIENCE] : ['another'],
  });
}
