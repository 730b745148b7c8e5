import { describe, expect, it } from 'vitest';
import { MARK, signIn, token } from '../support/issuer.js';
import { get, Rig } from './rig.js';

const EXTERNAL_ACTIVE =
  'External auth is active. Use account/login/start (chatgptAuthTokens) to update it or account/logout to clear it.';
const KEY = `sk-${MARK}`;

describe('account/login/start', () => {
  it('ACC-24, ACC-25, ACC-28: an API key is stored as given; the order is response, completed, updated', async () => {
    const rig = await Rig.start();
    for (const apiKey of [KEY, '', `${KEY}-2`]) {
      const from = rig.mark;
      expect((await rig.login({ type: 'apiKey', apiKey })).result).toEqual({ type: 'apiKey' });
      expect(await rig.order(from, 3)).toEqual(['result', 'completed true', 'updated apikey null']);
      expect(await rig.completed(from)).toEqual({
        loginId: null,
        success: true,
        error: null,
        onboardingEntrypoint: null,
      });
      expect(rig.readAuth()).toMatchObject({ auth_mode: 'apikey', OPENAI_API_KEY: apiKey });
      expect(rig.authMode).toBe(0o600);
    }
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-28: an API key replaces a ChatGPT sign-in and its tokens', async () => {
    const rig = await Rig.start({ auth: signIn(token(), { extra: { theirs: 1 } }) });
    await rig.login({ type: 'apiKey', apiKey: KEY });
    expect(rig.readAuth()).toEqual({ auth_mode: 'apikey', OPENAI_API_KEY: KEY, theirs: 1 });
    expect(await rig.account()).toEqual({ type: 'apiKey' });
  });

  it('ACC-9: external tokens need the capability, other sign-ins do not', async () => {
    for (const capabilities of [null, {}, { experimentalApi: false }]) {
      const rig = await Rig.start({ capabilities });
      expect((await rig.external(token(), 'org-1')).error).toMatchObject({
        code: -32600,
        message: 'account/login/start.chatgptAuthTokens requires experimentalApi capability',
      });
      expect((await rig.login({ type: 'apiKey', apiKey: KEY })).result).toBeDefined();
    }
  });

  it('ACC-10: opted-out notifications are not sent on that connection, the refresh request is', async () => {
    const rig = await Rig.start({
      capabilities: { experimentalApi: true, optOutNotificationMethods: ['account/updated', 'no/such'] },
    });
    const renewed = token();
    rig.at.always('enroll', ({ bearer }) => (bearer === renewed ? { status: 500 } : { status: 401 }));
    await rig.external(token(), 'org-1', 'pro');
    await rig.completed();
    rig.onAsk = () => ({
      result: { accessToken: renewed, chatgptAccountId: 'org-1', chatgptPlanType: null },
    });
    await rig.ask('remoteControl/enable', {});
    expect(rig.asks()).toHaveLength(1);
    expect(rig.seq().filter((one) => one.startsWith('updated'))).toEqual([]);
  });

  it('ACC-23: Bedrock, gateway and other types are refused as unknown', async () => {
    const rig = await Rig.start();
    for (const type of ['amazonBedrock', 'amazonBedrockAccessKeys', 'gcp', '', null]) {
      expect((await rig.login({ type, apiKey: 'k', region: 'r' })).error?.code).toBe(-32600);
    }
  });

  it('ACC-26: the request that displaces a sign-in gets its response after the completed false of that sign-in', async () => {
    const rig = await Rig.start();
    const first = await rig.browser();
    let from = rig.mark;
    const second = await rig.browser();
    expect(await rig.order(from, 2)).toEqual(['completed false', 'result']);
    expect(await rig.completed(from)).toMatchObject({ loginId: first.id, success: false });
    from = rig.mark;
    await rig.login({ type: 'apiKey', apiKey: KEY });
    expect(await rig.order(from, 4)).toEqual([
      'completed false',
      'result',
      'completed true',
      'updated apikey null',
    ]);
    expect(await rig.completed(from)).toMatchObject({ loginId: second.id });
    await rig.browser();
    from = rig.mark;
    await rig.external(token(), 'org-1', 'plus');
    expect(await rig.order(from, 4)).toEqual([
      'completed false',
      'result',
      'completed true',
      'updated chatgptAuthTokens plus',
    ]);
    await rig.call('account/logout', { all: true });
    const last = await rig.browser();
    from = rig.mark;
    await rig.call('account/logout');
    expect(await rig.order(from, 3)).toEqual(['completed false', 'result', 'updated null null']);
    expect((await get(last.page('/success'))).error).toBe('ECONNREFUSED');
  });

  it('ACC-26: a refusal by policy leaves the pending sign-in alone, a later refusal does not', async () => {
    const rig = await Rig.start({ forcedLoginMethod: 'chatgpt', forcedWorkspaces: ['ws-1'] });
    const pending = await rig.browser();
    let from = rig.mark;
    expect((await rig.login({ type: 'apiKey', apiKey: KEY })).error?.code).toBe(-32600);
    expect(await rig.order(from, 1)).toEqual(['error -32600']);
    from = rig.mark;
    expect((await rig.external(token(), 'ws-2')).error?.code).toBe(-32600);
    expect(await rig.order(from, 2)).toEqual(['completed false', 'error -32600']);
    expect(await rig.call('account/login/cancel', { loginId: pending.id })).toEqual({ status: 'notFound' });
  });

  it('ACC-27: a logout that arrives before a sign-in has completed gets its response after the notifications of the sign-in', async () => {
    const rig = await Rig.start({ workspaceRouting: true });
    const renewed = token({ plan: 'plus' });
    rig.at.always('check', (seen) => (seen.bearer === renewed ? { json: acme('org-1') } : { status: 401 }));
    let answer: (reply: { result: unknown }) => void = () => {};
    rig.onAsk = () =>
      new Promise((resolve) => {
        answer = resolve;
      });
    const from = rig.mark;
    await rig.external(token(), 'org-1', 'pro');
    await rig.until(() => rig.asks()[0], 'the refresh request');
    const logout = rig.send('account/logout');
    const read = rig.send('account/read', {});
    answer({ result: { accessToken: renewed, chatgptAccountId: 'org-1', chatgptPlanType: 'pro' } });
    await rig.response(logout);
    await rig.response(read);
    const seq = await rig.order(from, 6);
    expect(seq.filter((one) => one !== 'ask')).toEqual([
      'result',
      'completed true',
      'updated chatgptAuthTokens pro',
      'result',
      'updated null null',
      'result',
    ]);
    expect((await rig.response(read)).result).toMatchObject({ account: null });
    expect(rig.at.of('check')).toHaveLength(2);
  });

  it('ACC-27: a read right behind a sign-in or a logout shows its result', async () => {
    const rig = await Rig.start();
    let from = rig.mark;
    const external = { type: 'chatgptAuthTokens', accessToken: token(), chatgptAccountId: 'org-1' };
    rig.send('account/login/start', external);
    expect(await rig.account()).toMatchObject({ type: 'chatgpt' });
    expect(rig.seq(from)).toEqual(['result', 'completed true', 'updated chatgptAuthTokens pro', 'result']);
    from = rig.mark;
    rig.send('account/logout');
    expect(await rig.call('getAuthStatus')).toMatchObject({ authMethod: null });
    expect(rig.seq(from)).toEqual(['result', 'updated null null', 'result']);
    rig.send('account/login/start', { type: 'apiKey', apiKey: 'sk-1' });
    expect(await rig.account()).toEqual({ type: 'apiKey' });
    const first = rig.send('account/read', {});
    rig.send('account/logout');
    expect((await rig.response(first)).result).toMatchObject({ account: { type: 'apiKey' } });
    await rig.login({ type: 'apiKey', apiKey: 'sk-1' });
    // A sign-in that waits for the issuer or a person delays no read.
    rig.at.always('usercode', { fate: 'hang' });
    rig.send('account/login/start', { type: 'chatgptDeviceCode' });
    await rig.at.asked('usercode');
    expect(await rig.account()).toEqual({ type: 'apiKey' });
  });

  it('ACC-29: while external tokens are in use, every other sign-in is refused with the same message', async () => {
    const rig = await Rig.start();
    await rig.externalIn(token(), 'org-1', 'pro');
    const from = rig.mark;
    for (const params of [
      { type: 'apiKey', apiKey: KEY },
      { type: 'chatgpt' },
      { type: 'chatgptDeviceCode' },
    ]) {
      expect((await rig.login(params)).error).toMatchObject({ code: -32600, message: EXTERNAL_ACTIVE });
    }
    expect(await rig.order(from, 3)).toEqual(['error -32600', 'error -32600', 'error -32600']);
    expect(await rig.account()).toMatchObject({ type: 'chatgpt', planType: 'pro' });
    expect(rig.rawAuth()).toBeNull();
  });

  it('ACC-30: a forced method refuses the others before any request is sent', async () => {
    const api = await Rig.start({ forcedLoginMethod: 'api' });
    expect((await api.login({ type: 'chatgpt' })).error?.message).toBe(
      'ChatGPT login is disabled. Use API key login instead.',
    );
    expect((await api.login({ type: 'chatgptDeviceCode' })).error?.code).toBe(-32600);
    expect((await api.external(token(), 'org-1')).error?.message).toBe(
      'External ChatGPT auth is disabled. Use API key login instead.',
    );
    expect((await api.login({ type: 'apiKey', apiKey: KEY })).result).toBeDefined();
    expect(api.at.seen).toEqual([]);
    const chatgpt = await Rig.start({ forcedLoginMethod: 'chatgpt' });
    expect((await chatgpt.login({ type: 'apiKey', apiKey: KEY })).error).toMatchObject({
      code: -32600,
      message: 'API key login is disabled. Use ChatGPT login instead.',
    });
    expect(chatgpt.rawAuth()).toBeNull();
  });

  it('ACC-30, ACC-37: a stored sign-in of a forbidden kind or workspace counts as signed out, and its file stays', async () => {
    const key = await Rig.start({ forcedLoginMethod: 'chatgpt', auth: { OPENAI_API_KEY: KEY } });
    expect(await key.account()).toBeNull();
    const other = await Rig.start({ forcedWorkspaces: ['ws-1'], auth: signIn(token()) });
    expect(await other.account()).toBeNull();
    expect(other.engine.fullStatus.account?.problem?.reason).toBe('authWrongWorkspace');
    expect(other.readAuth().tokens.account_id).toBe('acct-1');
  });

  it('ACC-91: while nobody is signed in, a sign-in by another program is adopted and clients are notified', async () => {
    const rig = await Rig.start();
    const from = rig.mark;
    await rig.replaceAuth(signIn(token({ plan: 'plus' })));
    expect(await rig.order(from, 1)).toEqual(['updated chatgpt plus']);
  });
});

const acme = (id: string) => ({
  accounts: [
    { id, name: 'Acme', workspace_backend_origin: 'https://localhost:9', account_routing_override: 'us' },
  ],
});
