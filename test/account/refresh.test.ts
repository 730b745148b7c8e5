import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CLIENT_ID } from '../../src/account/issuer/address.js';
import { granted, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;
const NONE = { account: null, userId: null, requiresOpenaiAuth: true, workspaceRouting: null };

describe('refresh of a managed sign-in', () => {
  it('ACC-48, ACC-51, ACC-52: one request redeems the refresh token, and the response is saved', async () => {
    const rig = await Rig.start({ auth: signIn(token(), { lastRefresh: '2026-01-02T03:04:05Z' }) });
    const renewed = token({ email: 'new@example.com', plan: 'plus' });
    rig.at.always('refresh', granted(renewed));
    expect(await rig.account()).toMatchObject({ planType: 'pro' });
    expect(rig.at.of('refresh')).toEqual([]);
    expect(await rig.account(true)).toMatchObject({ email: 'new@example.com', planType: 'plus' });
    const [seen, ...more] = rig.at.of('refresh');
    expect(more).toEqual([]);
    expect(seen?.fields).toEqual({
      client_id: DEFAULT_CLIENT_ID,
      grant_type: 'refresh_token',
      refresh_reason: 'forced',
      refresh_token: `rt-${MARK}-1`,
    });
    expect([seen?.bearer, seen?.headers['content-type']]).toEqual([undefined, 'application/json']);
    const saved = rig.readAuth();
    expect(saved.tokens).toEqual({
      id_token: renewed,
      access_token: renewed,
      refresh_token: `rt-${MARK}-2`,
      account_id: 'acct-1',
    });
    expect(Math.abs(Date.parse(saved.last_refresh) - Date.now())).toBeLessThan(10_000);
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-48: three reads at once redeem three tokens one after the other, each the newest', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    let n = 1;
    rig.at.always('refresh', () => granted(token(), `rt-${MARK}-${++n}`));
    await Promise.all([1, 2, 3].map(() => rig.call('account/read', { refreshToken: true })));
    expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_token)).toEqual([
      `rt-${MARK}-1`,
      `rt-${MARK}-2`,
      `rt-${MARK}-3`,
    ]);
  });

  it('ACC-48: a file that is replaced by another account during a refresh is not overwritten, and memory has the new tokens', async () => {
    const rig = await Rig.start({ auth: signIn(token({ email: 'mine@example.com' })) });
    const other = signIn(token({ account: 'acct-2', email: 'other@example.com' }), { account: 'acct-2' });
    rig.at.always('refresh', async () => {
      await rig.replaceAuth(other);
      return granted(token({ plan: 'plus', email: 'mine@example.com' }));
    });
    expect(await rig.account(true)).toMatchObject({ email: 'mine@example.com', planType: 'plus' });
    expect(rig.readAuth()).toEqual(other);
    expect(rig.engine.fullStatus.remoteControl.accountDiffersOnDisk).toBe(true);
  });

  it('ACC-48, ACC-50: newer tokens of the same account on disk are adopted without a request', async () => {
    for (const pause of [0, 150]) {
      const rig = await Rig.start({ auth: signIn(token()) });
      await rig.replaceAuth(signIn(token({ plan: 'team' }), { refresh: `rt-${MARK}-9` }));
      // Without and with time for the watch to notice the change.
      await new Promise((resolve) => setTimeout(resolve, pause));
      const before = rig.rawAuth();
      expect(await rig.account(true)).toMatchObject({ planType: 'team' });
      expect(rig.at.of('refresh')).toEqual([]);
      expect(rig.rawAuth()).toBe(before);
    }
  });

  it.each([
    ['about to expire', { exp: inSeconds(290) }, 0, 'proactive_expiry'],
    ['expired', { exp: inSeconds(-100) }, 0, 'proactive_expiry'],
    ['valid for a while', { exp: inSeconds(400) }, 30, undefined],
    ['without expiry, after 9 days', { exp: null }, 9, 'scheduled'],
    ['without expiry, after 7 days', { exp: null }, 7, undefined],
  ])('ACC-49: before use, a token that is %s: %j', async (_what, claims, days, reason) => {
    const rig = await Rig.start({ auth: signIn(token(claims), { lastRefresh: daysAgo(days) }) });
    rig.at.always('refresh', granted(token()));
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_reason)).toEqual(reason ? [reason] : []);
    expect(rig.at.of('enroll')).toHaveLength(1);
  });

  it('ACC-49: with a clock that is hours off, the token is refreshed once, early at worst', async () => {
    let skew = 3 * 3_600_000;
    const env = { now: () => Date.now() + skew, monotonic: () => performance.now(), random: () => 0.5 };
    const rig = await Rig.start({ auth: signIn(token({ exp: inSeconds(3_600) })), env });
    rig.at.always('refresh', granted(token({ exp: inSeconds(30 * 86_400) })));
    await rig.account();
    await rig.account();
    skew = -3 * 3_600_000;
    await rig.account();
    expect(rig.at.of('refresh')).toHaveLength(1);
  });

  it('ACC-49: when the refresh fails, the old token is used', async () => {
    const access = token({ exp: inSeconds(100) });
    const rig = await Rig.start({ auth: signIn(access) });
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('enroll')[0]?.bearer).toBe(access);
  });

  it('ACC-18, ACC-50: with another account on disk, or no file, nothing is redeemed and nothing changes', async () => {
    const rig = await Rig.start({ auth: signIn(token({ email: 'mine@example.com' })) });
    await rig.replaceAuth(
      signIn(token({ account: 'acct-2', email: 'x@example.com' }), { account: 'acct-2' }),
    );
    const before = rig.rawAuth();
    for (const refresh of [true, false, true]) {
      expect(await rig.account(refresh)).toMatchObject({ email: 'mine@example.com' });
    }
    expect(rig.rawAuth()).toBe(before);
    rmSync(rig.authPath);
    expect(await rig.account(true)).toMatchObject({ email: 'mine@example.com' });
    expect(rig.rawAuth()).toBeNull();
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-51: tokens with a provenance are refreshed with its client id, others with --client-id', async () => {
    const rig = await Rig.start({
      clientId: 'app_mine',
      auth: signIn(token(), { tokens: { oauth_provenance: { issuer: 'x', client_id: 'app_theirs' } } }),
    });
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    await rig.account(true);
    expect(rig.at.of('refresh').map(({ fields }) => fields.client_id)).toEqual(['app_theirs', 'app_mine']);
    // ACC-58: the first refresh drops the provenance of another issuer.
    expect(rig.readAuth().tokens.oauth_provenance).toBeUndefined();
  });

  it('ACC-52: tokens that the response leaves out stay', async () => {
    const access = token();
    const rig = await Rig.start({ auth: signIn(access) });
    rig.at.script(
      'refresh',
      { json: { refresh_token: `rt-${MARK}-7` } },
      { json: { id_token: token({ plan: 'edu' }) } },
    );
    await rig.account(true);
    expect(rig.readAuth().tokens).toMatchObject({ access_token: access, refresh_token: `rt-${MARK}-7` });
    expect(await rig.account(true)).toMatchObject({ planType: 'edu' });
    expect(rig.readAuth().tokens).toMatchObject({ access_token: access, refresh_token: `rt-${MARK}-7` });
  });

  it('ACC-52: an empty token in the response counts as missing', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const access = token({ plan: 'plus' });
    rig.at.always('refresh', { json: { access_token: access, refresh_token: '', id_token: '' } });
    await rig.account(true);
    expect(rig.readAuth().tokens).toMatchObject({ access_token: access, refresh_token: `rt-${MARK}-1` });
  });

  it('ACC-27: a sign-in that begins during a refresh does not delay the response', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    let go: () => void = () => {};
    const after = new Promise<void>((done) => (go = done));
    rig.at.always('refresh', { ...granted(token({ plan: 'plus' })), after });
    const read = rig.account(true);
    await rig.at.asked('refresh');
    const { result } = await rig.login({ type: 'chatgptDeviceCode' });
    expect(result).toMatchObject({ userCode: 'ABCD-1234' });
    go();
    expect(await read).toMatchObject({ planType: 'plus' });
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
  });

  it.each([
    [401, { error: { code: 'refresh_token_expired' } }, 'refreshTokenExpired'],
    [400, { error: { code: '' }, code: 'refresh_token_expired' }, 'refreshTokenExpired'],
    [400, { error: 5, code: 'refresh_token_reused' }, 'refreshTokenReused'],
    [400, { error: 'Refresh_Token_Reused' }, 'refreshTokenReused'],
    [403, { code: 'refresh_token_invalidated' }, 'refreshTokenRevoked'],
    [401, { error: { code: 'other' } }, 'refreshTokenRefused'],
    [400, { error: 'invalid_grant' }, 'refreshTokenRefused'],
    [401, {}, 'refreshTokenRefused'],
  ])(
    'ACC-17, ACC-53, ACC-54: HTTP %s %j is the permanent failure %s: account null, the file stays, no further request',
    async (status, json, reason) => {
      const rig = await Rig.start({ auth: signIn(token()) });
      const before = rig.rawAuth();
      rig.at.always('refresh', { status, json });
      for (const refreshToken of [true, true, false]) {
        expect(await rig.call('account/read', { refreshToken })).toEqual(NONE);
      }
      expect(await rig.call('getAuthStatus', { includeToken: true, refreshToken: true })).toEqual({
        authMethod: 'chatgpt',
        authToken: null,
        requiresOpenaiAuth: true,
      });
      expect(rig.at.of('refresh')).toHaveLength(1);
      expect(rig.rawAuth()).toBe(before);
      expect(rig.engine.fullStatus.account).toMatchObject({ state: 'chatgpt.expired', problem: { reason } });
    },
  );

  it('ACC-54: another refresh token beside the same access token ends the permanent failure', async () => {
    const access = token();
    const rig = await Rig.start({ auth: signIn(access) });
    rig.at.always('refresh', oauthError(401, 'refresh_token_expired'));
    expect(await rig.account(true)).toBeNull();
    await rig.replaceAuth(signIn(access, { refresh: `rt-${MARK}-5` }));
    expect(await rig.account(true)).toMatchObject({ planType: 'pro' });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_token)).toEqual([
      `rt-${MARK}-1`,
      `rt-${MARK}-5`,
    ]);
  });

  it('ACC-12, ACC-49: a new connection is notified of the account after a due refresh', async () => {
    const exp = Math.floor(Date.now() / 1_000) - 60;
    const rig = await Rig.start({ auth: signIn(token({ exp })), initialize: false });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    await rig.initialize();
    expect(await rig.order(0, 2)).toEqual(['result', 'updated chatgpt plus']);
    const expired = await Rig.start({ auth: signIn(token({ exp })), initialize: false });
    expired.at.always('refresh', oauthError(400, 'refresh_token_expired'));
    await expired.initialize();
    await expired.at.asked('refresh');
    expect([await expired.account(), expired.seq()]).toEqual([null, ['result', 'result']]);
  });

  it('ACC-54: new credentials on disk for the same account end the permanent failure', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    rig.at.always('refresh', oauthError(401, 'refresh_token_expired'));
    expect(await rig.account(true)).toBeNull();
    await rig.replaceAuth(signIn(token({ plan: 'plus' }), { refresh: `rt-${MARK}-5` }));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.at.of('refresh')).toHaveLength(1);
  });

  it.each([
    ['500', { status: 500, json: { error: 'server' } }, 'issuerFailed'],
    ['400 with another code', oauthError(400, 'zzz'), 'issuerFailed'],
    ['invalid_grant with another status', oauthError(403, 'invalid_grant'), 'issuerFailed'],
    ['an id token that is not a JWT', { json: { id_token: 'x', access_token: token() } }, 'issuerFailed'],
    ['an array', { text: '[]' }, 'issuerFailed'],
    [
      'the code only in a message',
      { status: 400, json: { error: { message: 'refresh_token_expired' } } },
      'issuerFailed',
    ],
    ['429', { status: 429 }, 'issuerFailed'],
    ['HTML', { text: '<html>' }, 'issuerFailed'],
    ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/x' } }, 'issuerFailed'],
    ['a dropped connection', { fate: 'drop' as const }, 'issuerUnreachable'],
    ['no response', { fate: 'hang' as const }, 'issuerUnreachable'],
    ['a body that is too large', { text: 'x'.repeat(1_100_000) }, 'issuerUnreachable'],
  ])(
    'ACC-17, ACC-53, ACC-54, ACC-92: %s is a transient failure: the account stays, and the next read tries again',
    async (_what, answer, reason) => {
      const rig = await Rig.start({ auth: signIn(token()), accountTiming: { issuerTimeout: 300 } });
      const before = rig.rawAuth();
      rig.at.script('refresh', answer);
      expect(await rig.account(true)).toMatchObject({ planType: 'pro' });
      expect(rig.rawAuth()).toBe(before);
      const audit = await rig.call('engine/audit/read');
      expect(JSON.stringify(audit)).toContain(`"reason":"${reason}"`);
      rig.at.always('refresh', granted(token({ plan: 'plus' })));
      expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
      expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_token)).toEqual([
        `rt-${MARK}-1`,
        `rt-${MARK}-1`,
      ]);
      expect(await rig.leaks()).toEqual([]);
    },
  );

  it('ACC-53: a sign-in without refresh token has its own reason', async () => {
    const rig = await Rig.start({ auth: signIn(token(), { refresh: null }) });
    await rig.account(true);
    expect(rig.engine.fullStatus.account?.problem?.reason).toBe('refreshTokenMissing');
    expect(rig.at.seen).toEqual([]);
  });
});
