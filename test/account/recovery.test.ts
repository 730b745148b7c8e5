import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { LineClient } from '../support/control.js';
import { granted, LoopbackIssuer, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

/** The backend accepts only these tokens. */
function onlyFor(at: LoopbackIssuer, good: readonly string[]): void {
  at.always('enroll', ({ bearer }) =>
    good.includes(bearer ?? '')
      ? {
          json: {
            server_id: 'srv-1',
            environment_id: 'env-1',
            remote_control_token: `server-${MARK}`,
            expires_at: new Date(Date.now() + 3_600_000).toISOString(),
          },
        }
      : { status: 401, json: { detail: 'expired' } },
  );
}

describe('recovery after a 401', () => {
  it('ACC-64, ACC-65, ACC-69: the file is read again, then the refresh token is redeemed, then the call is repeated with the new token', async () => {
    const first = token();
    const renewed = token({ plan: 'plus' });
    const rig = await Rig.start({ auth: signIn(first) });
    onlyFor(rig.at, [renewed]);
    rig.at.always('refresh', granted(renewed));
    expect(await rig.call('remoteControl/enable', {})).toMatchObject({ environmentId: 'env-1' });
    expect(rig.at.seen.filter(({ route }) => route !== 'other').map(({ route }) => route)).toEqual([
      'enroll',
      'enroll',
      'refresh',
      'enroll',
    ]);
    expect(rig.at.of('refresh')[0]?.fields.refresh_reason).toBe('unauthorized_recovery');
    expect(rig.readAuth().tokens.refresh_token).toBe(`rt-${MARK}-2`);
    expect(rig.asks()).toEqual([]);
  });

  it('ACC-64: each failing request has its own recovery, with a refresh of its own', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const [second, third] = [token(), token()];
    rig.at.script('refresh', granted(second), granted(third));
    onlyFor(rig.at, [third]);
    const { message } = await rig.refused('remoteControl/enable', {});
    expect(message).toMatch(/HTTP 401/);
    expect(await rig.call('remoteControl/enable', {})).toMatchObject({ environmentId: 'env-1' });
    expect(rig.at.seen.filter(({ route }) => route !== 'other').map(({ route }) => route)).toEqual([
      ...['enroll', 'enroll', 'refresh', 'enroll'],
      ...['enroll', 'enroll', 'refresh', 'enroll'],
    ]);
  });

  it('RC-28: the connection loop redeems one refresh token for a backend that refuses the new tokens as well', async () => {
    const timing = { ...DEFAULT_TIMING, backoffBase: 10, backoffCap: 20, authPoll: 10 };
    const [good, others] = [token(), Array.from({ length: 50 }, () => token())];
    // Set before the engine starts, because it enrolls at once.
    const at = await LoopbackIssuer.start();
    at.script('refresh', ...others.map((one) => granted(one)));
    onlyFor(at, [good]);
    const auth = signIn(token());
    const rig = await Rig.start({ at, auth, remoteControl: 'on', clientName: 'rig', timing });
    await rig.at.asked('enroll', 12);
    expect(rig.at.of('refresh')).toHaveLength(1);
    await rig.replaceAuth(signIn(good));
    await rig.until(() => (rig.engine.status.environmentId === 'env-1' ? true : undefined), 'enrolled');
  });

  /** Remote control waits, because the backend refuses the tokens that the only refresh brought, too. */
  async function spent(accepted: string): Promise<Rig> {
    const timing = { ...DEFAULT_TIMING, backoffBase: 400, backoffCap: 400 };
    const at = await LoopbackIssuer.start();
    at.script('refresh', granted(token()), granted(accepted));
    onlyFor(at, [accepted]);
    const rig = await Rig.start({
      at,
      auth: signIn(token()),
      remoteControl: 'on',
      clientName: 'rig',
      timing,
    });
    await expect
      .poll(() => rig.engine.fullStatus.remoteControl.state, { timeout: 10_000 })
      .toBe('active.awaitingAuth.refused');
    expect(at.of('refresh')).toHaveLength(1);
    return rig;
  }

  it.each([{ ephemeral: true }, { ephemeral: false }])(
    'ACC-68: remoteControl/enable %j starts a recovery with all its steps',
    async (params) => {
      const rig = await spent(token());
      rig.send('remoteControl/enable', params);
      await expect.poll(() => rig.engine.status.environmentId, { timeout: 5_000 }).toBe('env-1');
      expect(rig.at.of('refresh')).toHaveLength(2);
    },
    20_000,
  );

  it('ACC-68: repair starts a recovery with all its steps', async () => {
    const rig = await spent(token());
    const control = await LineClient.connect(join(rig.home, 'control.sock'));
    await control.initialize();
    await control.call('engine/repair', { step: 'retry' });
    control.close();
    await expect.poll(() => rig.engine.status.environmentId, { timeout: 5_000 }).toBe('env-1');
    expect(rig.at.of('refresh')).toHaveLength(2);
  }, 20_000);

  it('ACC-68: another account of the parent app has its own recovery', async () => {
    const [first, second, good] = [token({ account: 'a' }), token({ account: 'b' }), token({ account: 'b' })];
    const rig = await Rig.start();
    onlyFor(rig.at, [good]);
    await rig.externalIn(first, 'a');
    const replies = [second, good];
    rig.onAsk = () => ({
      result: { accessToken: replies.shift() ?? good, chatgptAccountId: 'b', chatgptPlanType: null },
    });
    rig.send('remoteControl/enable', { ephemeral: true });
    await expect.poll(() => rig.engine.status.environmentId, { timeout: 5_000 }).toBe('env-1');
    expect(rig.asks()).toHaveLength(2);
  }, 20_000);

  it('ACC-65: newer tokens from another program on disk are enough', async () => {
    const other = token();
    const rig = await Rig.start({ auth: signIn(token()) });
    onlyFor(rig.at, [other]);
    rig.at.script('enroll', async () => {
      await rig.replaceAuth(signIn(other));
      return { status: 401 };
    });
    await rig.call('remoteControl/enable', {});
    expect(rig.at.of('refresh')).toEqual([]);
  });

  it('ACC-65, ACC-50: another account on disk ends the recovery and is not adopted', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    onlyFor(rig.at, []);
    await rig.replaceAuth(signIn(token({ account: 'acct-2' }), { account: 'acct-2' }));
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('accountDiffersOnDisk');
    expect(rig.engine.fullStatus.account?.accountId).toBe('acct-1');
    expect(rig.at.of('refresh')).toEqual([]);
  });

  it('ACC-66: a failed request to the parent app is no used step: the next failing call sends another', async () => {
    const renewed = token();
    const rig = await Rig.start();
    onlyFor(rig.at, [renewed]);
    await rig.externalIn(token(), 'org-1');
    rig.onAsk = () => ({ error: { code: 1, message: 'not now' } });
    await rig.refused('remoteControl/enable', {});
    rig.onAsk = () => ({ result: { accessToken: renewed, chatgptAccountId: 'org-1' } });
    await rig.call('remoteControl/enable', {});
    expect(rig.asks()).toHaveLength(2);
  });

  it('ACC-67, ACC-68: an API key has no recovery: remote control reports authApiKeyOnly', async () => {
    const rig = await Rig.start({ auth: { OPENAI_API_KEY: `sk-${MARK}` } });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('authApiKeyOnly');
    expect(rig.at.seen).toEqual([]);
  });

  it.each([
    [undefined, 'authMissing'],
    ['{broken', 'authUnreadable'],
    [signIn(token({ account: null }), { account: null }), 'authNoAccountId'],
  ])('ACC-68: with %j remote control reports %s', async (auth, reason) => {
    const rig = await Rig.start(auth === undefined ? {} : { auth });
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe(reason);
  });

  it('RC-28, ACC-68: after the last step remote control waits with the reason, and continues after a sign-in', async () => {
    const fresh = token();
    // Set before the engine starts, because it enrolls at once.
    const at = await LoopbackIssuer.start();
    at.always('refresh', oauthError(400, 'refresh_token_reused'));
    onlyFor(at, [fresh]);
    const rig = await Rig.start({ at, auth: signIn(token()), remoteControl: 'on', clientName: 'rig' });
    const deadline = Date.now() + 10_000;
    while (rig.engine.fullStatus.remoteControl.reason !== 'refreshTokenReused' && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(rig.engine.fullStatus.remoteControl.reason).toBe('refreshTokenReused');
    rig.at.always('exchange', granted(fresh, `rt-${MARK}-8`));
    rig.at.always('devicePoll', {
      json: { authorization_code: 'c', code_challenge: 'x', code_verifier: 'v' },
    });
    const signedInAt = Date.now();
    await rig.login({ type: 'chatgptDeviceCode' });
    await rig.completed();
    while (rig.engine.status.environmentId !== 'env-1' && Date.now() < signedInAt + 4_000) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(rig.engine.status.environmentId).toBe('env-1');
    expect(Date.now() - signedInAt).toBeLessThan(2_000);
  }, 20_000);

  it('ACC-69: an unreachable issuer has its own reason, and the account stays', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    onlyFor(rig.at, []);
    rig.at.always('refresh', { fate: 'drop' });
    const { code, message } = await rig.refused('remoteControl/enable', {});
    expect(code).toBe(-32600);
    expect(message).toContain('401');
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('issuerUnreachable');
    expect(await rig.account()).toMatchObject({ type: 'chatgpt' });
  });

  it('RC-49, ACC-64: a refused remoteControl/client/list has its own recovery, with all steps', async () => {
    const first = token();
    const renewed = token();
    const rig = await Rig.start({ auth: signIn(first) });
    rig.at.always('refresh', granted(renewed));
    rig.at.always('other', ({ bearer }) =>
      bearer === renewed ? { json: { items: [], cursor: null } } : { status: 401 },
    );
    expect(await rig.call('remoteControl/client/list', { environmentId: 'env-1' })).toEqual({
      data: [],
      nextCursor: null,
    });
    expect(rig.at.of('other').map(({ bearer }) => bearer)).toEqual([first, renewed]);
  });
});

describe('a given token', () => {
  it('ACC-86: it is the account, is never refreshed, and other sign-ins are refused', async () => {
    const given = token({ account: 'acct-ci', plan: 'team' });
    const { Secret } = await import('../../src/protocol/secret.js');
    const rig = await Rig.start({ accessToken: { token: new Secret(given) }, auth: signIn(token()) });
    expect(await rig.account(true)).toMatchObject({ planType: 'team' });
    expect(rig.engine.fullStatus.account).toMatchObject({ source: 'environment', accountId: 'acct-ci' });
    onlyFor(rig.at, []);
    await rig.refused('remoteControl/enable', {});
    expect(rig.engine.fullStatus.remoteControl.lastFailure?.reason).toBe('authRejected');
    expect(rig.at.seen.map(({ route, bearer }) => [route, bearer])).toEqual([['enroll', given]]);
    expect((await rig.login({ type: 'apiKey', apiKey: 'k' })).error?.code).toBe(-32600);
    expect((await rig.ask('account/logout')).error).toBeDefined();
    expect(rig.readAuth().tokens.account_id).toBe('acct-1');
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-86: it needs an account id, from its claims or from the settings', async () => {
    const { Secret } = await import('../../src/protocol/secret.js');
    const bare = await Rig.start({ accessToken: { token: new Secret(`opaque-${MARK}`) } });
    expect(bare.engine.fullStatus.account?.problem?.reason).toBe('authNoAccountId');
    const named = await Rig.start({
      accessToken: { token: new Secret(`opaque-${MARK}`), accountId: 'acct-9' },
    });
    await named.call('remoteControl/enable', {});
    expect(named.at.of('enroll')[0]?.headers['chatgpt-account-id']).toBe('acct-9');
  });
});
