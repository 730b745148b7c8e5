import { describe, expect, it } from 'vitest';
import {
  bearer,
  CAPABILITY,
  capability,
  jwt,
  listening,
  signedBearer,
  type UpgradeOptions,
  upgrade,
} from './rig.js';

const now = () => Math.floor(Date.now() / 1000);

describe('query token', () => {
  it('WSA-1: is 32 bytes in base64url, new for each engine', async () => {
    const [a, b] = [await listening(), await listening()];
    expect(a.token).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(a.token).not.toBe(b.token);
    expect((await upgrade(b, { path: `/?token=${a.token}` })).status).toBe(401);
  });

  const pct = (text: string) =>
    [...text].map((c) => `%${c.charCodeAt(0).toString(16).padStart(2, '0')}`).join('');
  it.each<[string, (token: string) => UpgradeOptions, string]>([
    ['the token', (t) => ({ path: `/?token=${t}` }), 'established tokenMatched'],
    ['percent-encoded', (t) => ({ path: `/?token=${pct(t)}` }), 'established tokenMatched'],
    ['the key percent-encoded', (t) => ({ path: `/?%74oken=${t}` }), 'established tokenMatched'],
    ['among others', (t) => ({ path: `/app?a=1&&token=${t}&z` }), 'established tokenMatched'],
    ['behind two question marks', (t) => ({ path: `/??token=${t}` }), 'rejected missingToken'],
    ['the same, percent-encoded', (t) => ({ path: `/??token=${pct(t)}` }), 'rejected missingToken'],
    ['as absolute URL', (t) => ({ path: `ws://x/?token=${t}` }), 'established tokenMatched'],
    ['nothing', () => ({}), 'rejected missingToken'],
    ['an empty query', () => ({ path: '/?' }), 'rejected missingToken'],
    ['another key', (t) => ({ path: `/?TOKEN=${t}` }), 'rejected missingToken'],
    ['a fragment', (t) => ({ path: `/#?token=${t}` }), 'rejected missingToken'],
    ['in the path', (t) => ({ path: `/token=${t}` }), 'rejected missingToken'],
    ['WSA-6: as bearer', (t) => ({ headers: [bearer(t)] }), 'rejected missingToken'],
    ['twice', (t) => ({ path: `/?token=${t}&token=${t}` }), 'rejected ambiguousToken'],
    ['twice, once hidden', (t) => ({ path: `/?token=${t}&%74oken=x` }), 'rejected ambiguousToken'],
    ['twice, once empty', (t) => ({ path: `/?token=${t}&token` }), 'rejected ambiguousToken'],
    ['an empty token', () => ({ path: '/?token=' }), 'rejected invalidToken'],
    ['cut', (t) => ({ path: `/?token=${t.slice(0, -1)}` }), 'rejected invalidToken'],
    ['longer', (t) => ({ path: `/?token=${t}A` }), 'rejected invalidToken'],
    ['with a plus', (t) => ({ path: `/?token=${t}+` }), 'rejected invalidToken'],
    ['in a bracket', (t) => ({ path: `/?token[]=${t}` }), 'rejected missingToken'],
    ['8,000 characters', () => ({ path: `/?token=${'A'.repeat(8_000)}` }), 'rejected invalidToken'],
  ])('WSA-9: %s', async (_, requestFor, expected) => {
    const at = await listening();
    const { status, closed, text } = await upgrade(at, requestFor(at.token));
    expect(at.verdicts()).toEqual([`queryToken ${expected}`]);
    expect(status).toBe(expected.startsWith('established') ? 101 : 401);
    if (status === 401) {
      expect(closed).toBe(true);
      expect(text).not.toContain(at.token);
      expect(text).not.toMatch(/www-authenticate/i);
    }
  });

  it('WSA-4: without the check every client is accepted; one without the token is degraded, with a warning', async () => {
    const at = await listening({ authority: { mode: 'queryToken', enforced: false } });
    expect(at.info.enforced).toBe(false);
    expect((await upgrade(at)).status).toBe(101);
    expect((await upgrade(at, { path: '/?token=x' })).status).toBe(101);
    expect((await upgrade(at, { path: `/?token=${at.token}` })).status).toBe(101);
    expect(at.verdicts()).toEqual([
      'queryToken degraded uncheckedMissing',
      'queryToken degraded uncheckedInvalid',
      'queryToken established tokenMatched',
    ]);
    expect(at.log.filter(({ level, outcome }) => level === 'warn' && outcome === 'degraded')).toHaveLength(2);
    expect(at.engine.fullStatus.listener).toMatchObject({ enforced: false, degraded: true });
  });
});

describe('capability token', () => {
  it.each<[string, readonly (readonly [string, string])[], string]>([
    ['the token', [bearer(CAPABILITY)], 'established capabilityMatched'],
    [
      'in any case of the scheme',
      [['authorization', `bEARER ${CAPABILITY}`]],
      'established capabilityMatched',
    ],
    ['spaces around', [['Authorization', `Bearer   ${CAPABILITY}  `]], 'established capabilityMatched'],
    ['none', [], 'rejected missingBearer'],
    ['a tab', [['Authorization', `Bearer\t${CAPABILITY}`]], 'rejected malformedAuthorization'],
    ['no space', [['Authorization', `Bearer${CAPABILITY}`]], 'rejected malformedAuthorization'],
    ['the scheme alone', [['Authorization', 'Bearer']], 'rejected malformedAuthorization'],
    ['an empty header', [['Authorization', '']], 'rejected malformedAuthorization'],
    ['Basic', [['Authorization', `Basic ${CAPABILITY}`]], 'rejected malformedAuthorization'],
    ['a byte above 127', [['Authorization', `Bearer ${CAPABILITY}\xe9`]], 'rejected malformedAuthorization'],
    ['two headers', [bearer(CAPABILITY), bearer(CAPABILITY)], 'rejected malformedAuthorization'],
    ['another token', [bearer('x')], 'rejected invalidCapability'],
    ['two tokens', [bearer(`${CAPABILITY} ${CAPABILITY}`)], 'rejected invalidCapability'],
  ])('WSA-10, WSA-11: %s', async (_, headers, expected) => {
    const at = await listening({ authority: capability });
    const { status, closed, text } = await upgrade(at, { headers });
    expect(at.verdicts()).toEqual([`capability ${expected}`]);
    expect(status).toBe(expected.startsWith('established') ? 101 : 401);
    if (status !== 401) return;
    expect(closed).toBe(true);
    expect(text).toMatch(/^WWW-Authenticate: Bearer\r$/m);
    expect(text).not.toContain(CAPABILITY);
  });
});

describe('signed bearer', () => {
  it.each<[string, () => string, string]>([
    ['valid', () => jwt({ exp: now() + 60 }), 'established jwtVerified'],
    ['expired within the skew', () => jwt({ exp: now() - 15 }), 'established jwtVerified'],
    ['expired', () => jwt({ exp: now() - 45 }), 'rejected expiredJwt'],
    ['too early', () => jwt({ exp: now() + 60, nbf: now() + 90 }), 'rejected jwtNotYetValid'],
    [
      'unsigned',
      () =>
        `${jwt({ exp: now() + 60 })
          .split('.')
          .slice(0, 2)
          .join('.')}.`,
      'rejected invalidJwt',
    ],
    ['WSA-6: opaque', () => 'opaque', 'rejected invalidJwt'],
  ])('WSA-12: %s', async (_, token, expected) => {
    const at = await listening({ authority: signedBearer });
    await upgrade(at, { headers: [bearer(token())] });
    expect(at.verdicts()).toEqual([`signedBearer ${expected}`]);
  });

  it('WSA-12: checks issuer and audience when they are configured', async () => {
    const at = await listening({ authority: { ...signedBearer, issuer: 'me', audience: 'you' } });
    const exp = now() + 60;
    for (const claims of [
      { iss: 'me', aud: ['x', 'you'] },
      { iss: 'other', aud: 'you' },
      { iss: 'me', aud: 'x' },
      { iss: 'me' },
    ]) {
      await upgrade(at, { headers: [bearer(jwt({ exp, ...claims }))] });
    }
    expect(at.verdicts()).toEqual([
      'signedBearer established jwtVerified',
      'signedBearer rejected issuerMismatch',
      'signedBearer rejected audienceMismatch',
      'signedBearer rejected audienceMismatch',
    ]);
  });
});
