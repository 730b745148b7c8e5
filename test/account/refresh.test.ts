import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CLIENT_ID } from '../../src/account/issuer/address.js';
import { acquireFileLock, withLocks } from '../../src/system/file-lock.js';
import { granted, LoopbackIssuer, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';
import { Rig } from './rig.js';

const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1_000) + seconds;
const NONE = { account: null, userId: null, requiresOpenaiAuth: true, workspaceRouting: null };
const never = new AbortController().signal;

describe('refreshing a stored sign-in', () => {
  it('ACC-48, ACC-51, ACC-52: the refresh token is spent once, with this very request, and the answer is saved', async () => {
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

  it('ACC-48: three reads at once spend three tokens one after the other, each the newest', async () => {
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

  it('ACC-48: a file replaced by another account in the middle of a refresh is neither overwritten nor taken', async () => {
    const rig = await Rig.start({ auth: signIn(token({ email: 'mine@example.com' })) });
    const other = signIn(token({ account: 'acct-2', email: 'other@example.com' }), { account: 'acct-2' });
    rig.at.always('refresh', async () => {
      await rig.replaceAuth(other);
      return granted(token({ plan: 'plus' }));
    });
    expect(await rig.account(true)).toMatchObject({ email: 'mine@example.com' });
    expect(rig.readAuth()).toEqual(other);
    expect(rig.engine.fullStatus.remoteControl.accountDiffersOnDisk).toBe(true);
  });

  it('ACC-48, ACC-50: newer tokens of the same account on disk are taken instead of the network', async () => {
    for (const pause of [0, 150]) {
      const rig = await Rig.start({ auth: signIn(token()) });
      await rig.replaceAuth(signIn(token({ plan: 'team' }), { refresh: `rt-${MARK}-9` }));
      // With and without the watch having seen it first.
      await new Promise((resolve) => setTimeout(resolve, pause));
      const before = rig.rawAuth();
      expect(await rig.account(true)).toMatchObject({ planType: 'team' });
      expect(rig.at.of('refresh')).toEqual([]);
      expect(rig.rawAuth()).toBe(before);
    }
  });

  it.each([
    ['about to end', { exp: inSeconds(290) }, 0, 'proactive_expiry'],
    ['ended', { exp: inSeconds(-100) }, 0, 'proactive_expiry'],
    ['good for a while', { exp: inSeconds(400) }, 30, undefined],
    ['silent about it, after 9 days', { exp: null }, 9, 'scheduled'],
    ['silent about it, after 7 days', { exp: null }, 7, undefined],
  ])('ACC-49: before use, a token that is %s: %j', async (_what, wish, days, reason) => {
    const rig = await Rig.start({ auth: signIn(token(wish), { lastRefresh: daysAgo(days) }) });
    rig.at.always('refresh', granted(token()));
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_reason)).toEqual(reason ? [reason] : []);
    expect(rig.at.of('enroll')).toHaveLength(1);
  });

  it('ACC-49: clock skew: a clock that is hours off refreshes early at worst, and once', async () => {
    let skew = 3 * 3_600_000;
    const env = { now: () => Date.now() + skew, random: () => 0.5 };
    const rig = await Rig.start({ auth: signIn(token({ exp: inSeconds(3_600) })), env });
    rig.at.always('refresh', granted(token({ exp: inSeconds(30 * 86_400) })));
    await rig.account();
    await rig.account();
    skew = -3 * 3_600_000;
    await rig.account();
    expect(rig.at.of('refresh')).toHaveLength(1);
  });

  it('ACC-49: when it fails the old token is used', async () => {
    const access = token({ exp: inSeconds(100) });
    const rig = await Rig.start({ auth: signIn(access) });
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('enroll')[0]?.bearer).toBe(access);
  });

  it('ACC-18, ACC-50: another account on disk, or no file, costs nothing and changes nothing', async () => {
    const rig = await Rig.start({ auth: signIn(token({ email: 'mine@example.com' })) });
    await rig.replaceAuth(
      signIn(token({ account: 'acct-2', email: 'x@example.com' }), { account: 'acct-2' }),
    );
    const before = rig.rawAuth();
    for (const refresh of [true, false, true]) {
      expect(await rig.account(refresh)).toMatchObject({ email: 'mine@example.com' });
    }
    expect(rig.rawAuth()).toBe(before);
    const { rmSync } = await import('node:fs');
    rmSync(rig.authPath);
    expect(await rig.account(true)).toMatchObject({ email: 'mine@example.com' });
    expect(rig.rawAuth()).toBeNull();
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-51: tokens with a provenance are refreshed with its client id; --client-id is for the others', async () => {
    const rig = await Rig.start({
      clientId: 'app_mine',
      auth: signIn(token(), { tokens: { oauth_provenance: { issuer: 'x', client_id: 'app_theirs' } } }),
    });
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    await rig.account(true);
    expect(rig.at.of('refresh').map(({ fields }) => fields.client_id)).toEqual(['app_theirs', 'app_mine']);
    // ACC-58: the provenance of another issuer is gone after the first one.
    expect(rig.readAuth().tokens.oauth_provenance).toBeUndefined();
  });

  it('ACC-52: what the answer leaves out stays', async () => {
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

  it('ACC-52: an empty token in the answer is as good as none', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const access = token({ plan: 'plus' });
    rig.at.always('refresh', { json: { access_token: access, refresh_token: '', id_token: '' } });
    await rig.account(true);
    expect(rig.readAuth().tokens).toMatchObject({ access_token: access, refresh_token: `rt-${MARK}-1` });
  });

  it('ACC-27: a sign-in that begins in the middle of a refresh does not keep it from its answer', async () => {
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
    'ACC-17, ACC-53, ACC-54: HTTP %s %j is %s for good: nobody is shown, the file stays, nothing is sent again',
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

  it('ACC-54: another refresh token beside the same access token ends it, too', async () => {
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

  it('ACC-12, ACC-49: a client is told of the account after tokens that are about to end were renewed', async () => {
    const exp = Math.floor(Date.now() / 1_000) - 60;
    const rig = await Rig.start({ auth: signIn(token({ exp })), initialize: false });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    await rig.initialize();
    expect(await rig.order(0, 2)).toEqual(['result', 'updated chatgpt plus']);
    const dead = await Rig.start({ auth: signIn(token({ exp })), initialize: false });
    dead.at.always('refresh', oauthError(400, 'refresh_token_expired'));
    await dead.initialize();
    await dead.at.asked('refresh');
    expect([await dead.account(), dead.seq()]).toEqual([null, ['result', 'result']]);
  });

  it('ACC-54: new credentials on disk for the same account end it', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    rig.at.always('refresh', oauthError(401, 'refresh_token_expired'));
    expect(await rig.account(true)).toBeNull();
    await rig.replaceAuth(signIn(token({ plan: 'plus' }), { refresh: `rt-${MARK}-5` }));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.at.of('refresh')).toHaveLength(1);
  });

  it.each([
    ['500', { status: 500, json: { error: 'server' } }, 'issuerFailed'],
    ['400 of another kind', oauthError(400, 'zzz'), 'issuerFailed'],
    ['invalid_grant with another status', oauthError(403, 'invalid_grant'), 'issuerFailed'],
    ['an id token that is none', { json: { id_token: 'x', access_token: token() } }, 'issuerFailed'],
    ['a list', { text: '[]' }, 'issuerFailed'],
    [
      'the word only in a message',
      { status: 400, json: { error: { message: 'refresh_token_expired' } } },
      'issuerFailed',
    ],
    ['429', { status: 429 }, 'issuerFailed'],
    ['garbage', { text: '<html>' }, 'issuerFailed'],
    ['a redirect', { status: 307, headers: { location: 'http://127.0.0.1:1/x' } }, 'issuerFailed'],
    ['a cut connection', { fate: 'drop' as const }, 'issuerUnreachable'],
    ['silence', { fate: 'hang' as const }, 'issuerUnreachable'],
    ['far too much', { text: 'x'.repeat(1_100_000) }, 'issuerUnreachable'],
  ])(
    'ACC-17, ACC-53, ACC-54, ACC-92: %s may pass: the account stays and it is tried again on demand',
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

  it('a sign-in without refresh token says so', async () => {
    const rig = await Rig.start({ auth: signIn(token(), { refresh: null }) });
    await rig.account(true);
    expect(rig.engine.fullStatus.account?.problem?.reason).toBe('refreshTokenMissing');
    expect(rig.at.seen).toEqual([]);
  });
});

describe('signing out', () => {
  it.each([
    ['accepted', {}],
    ['refused', { status: 500 }],
    ['cut', { fate: 'drop' as const }],
  ])(
    'ACC-55: the refresh token is revoked once (%s), the file is deleted, then comes the answer',
    async (_what, answer) => {
      const rig = await Rig.start({ auth: signIn(token()) });
      rig.at.always('revoke', answer);
      await rig.order(0, 2);
      const from = rig.mark;
      expect(await rig.call('account/logout')).toEqual({});
      expect(rig.rawAuth()).toBeNull();
      expect(await rig.order(from, 2)).toEqual(['result', 'updated null null']);
      expect(rig.at.of('revoke').map(({ fields }) => fields)).toEqual([
        { token: `rt-${MARK}-1`, token_type_hint: 'refresh_token', client_id: DEFAULT_CLIENT_ID },
      ]);
      expect(await rig.account()).toBeNull();
      expect(await rig.leaks()).toEqual([]);
    },
  );

  it('ACC-55: without a refresh token the access token is revoked; of two accounts, both', async () => {
    const access = token();
    const rig = await Rig.start({ auth: signIn(access, { refresh: null }) });
    await rig.call('account/read');
    await rig.call('account/logout');
    expect(rig.at.of('revoke').map(({ fields }) => fields)).toEqual([
      { token: access, token_type_hint: 'access_token' },
    ]);

    const other = await Rig.start({ auth: signIn(token()) });
    await other.call('account/read');
    await other.replaceAuth(signIn(token({ account: 'acct-2' }), { account: 'acct-2', refresh: 'rt-other' }));
    await other.call('account/read', { refreshToken: true });
    await other.call('account/logout');
    expect(other.at.of('revoke').map(({ fields }) => fields.token)).toEqual(
      expect.arrayContaining([`rt-${MARK}-1`, 'rt-other']),
    );
    expect(other.rawAuth()).toBeNull();
  });

  it('ACC-56: signed out it succeeds the same way, every time', async () => {
    const rig = await Rig.start();
    for (let round = 0; round < 3; round += 1) {
      const from = rig.mark;
      expect(await rig.call('account/logout')).toEqual({});
      expect(await rig.order(from, 2)).toEqual(['result', 'updated null null']);
    }
    expect(rig.at.seen).toEqual([]);
  });
});

describe('auth.json', () => {
  it('ACC-57: file is the storage: a key that is stored is there after a restart', async () => {
    const rig = await Rig.start();
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    await rig.close();
    expect(await (await Rig.start({ home: rig.home })).account()).toEqual({ type: 'apiKey' });
  });

  it('ACC-58: it is replaced by rename with mode 0600, and keeps keys that nobody here knows', async () => {
    const auth = signIn(token(), {
      extra: { their_key: { a: [1, 'x'] } },
      tokens: { their_token_key: 'y', login_owner_id: 'owner' },
    });
    const rig = await Rig.start({ auth });
    chmodSync(rig.authPath, 0o644);
    const before = statSync(rig.authPath).ino;
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    expect(rig.authMode).toBe(0o600);
    expect(statSync(rig.authPath).ino).not.toBe(before);
    const saved = rig.readAuth();
    expect(saved.their_key).toEqual({ a: [1, 'x'] });
    expect(saved.tokens).toMatchObject({ their_token_key: 'y', login_owner_id: 'owner' });
    expect(readdirSync(rig.home).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('ACC-58: a link stays a link, and the file behind it is replaced', async () => {
    const home = await tmpFolder();
    mkdirSync(join(home, 'real'));
    const real = join(home, 'real', 'auth.json');
    writeFileSync(real, JSON.stringify(signIn(token())));
    symlinkSync(real, join(home, 'auth.json'));
    const rig = await Rig.start({ home });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    const { lstatSync, readFileSync } = await import('node:fs');
    expect(lstatSync(join(home, 'auth.json')).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(real, 'utf8')).tokens.refresh_token).toBe(`rt-${MARK}-2`);
  });

  it('ACC-59: while another process holds the lock nothing is spent or written; then it goes on', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    let read: Promise<unknown> | undefined;
    await withLocks(acquireFileLock, [`${rig.authPath}.engine-lock`], 1_000, never, async () => {
      read = rig.account(true);
      await new Promise((resolve) => setTimeout(resolve, 250));
      expect(rig.at.seen).toEqual([]);
    });
    expect(await read).toMatchObject({ planType: 'plus' });
  });

  it('ACC-59: a lock that is never let go is a failure that says so, and spends nothing', async () => {
    const rig = await Rig.start({ auth: signIn(token()), accountTiming: { lockTimeout: 100 } });
    await withLocks(acquireFileLock, [`${rig.authPath}.engine-lock`], 1_000, never, async () => {
      expect(await rig.account(true)).toMatchObject({ planType: 'pro' });
    });
    expect(JSON.stringify(await rig.call('engine/audit/read'))).toContain('authFileNotWritable');
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-48, ACC-59: two engines on one file that refresh at once spend the token once, and both have the new one', async () => {
    const at = await LoopbackIssuer.start();
    const shared = join(await tmpFolder(), 'auth.json');
    writeFileSync(shared, JSON.stringify(signIn(token())));
    const spent: unknown[] = [];
    at.always('refresh', async ({ fields }) => {
      const again = spent.includes(fields.refresh_token);
      spent.push(fields.refresh_token);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return again ? oauthError(401, 'refresh_token_reused') : granted(token({ plan: 'plus' }));
    });
    const rigs = await Promise.all([1, 2].map(() => Rig.start({ at, authFile: shared })));
    const plans = await Promise.all(rigs.map((rig) => rig.account(true)));
    expect(plans.map((account) => account?.planType)).toEqual(['plus', 'plus']);
    expect(spent).toEqual([`rt-${MARK}-1`]);
    expect(existsSync(shared)).toBe(true);
  });
});
