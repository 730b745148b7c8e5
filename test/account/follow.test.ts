import { describe, expect, it } from 'vitest';
import { AccountFake } from '../support/account-app-server.js';
import { granted, MARK, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

const REFRESH = 'account/chatgptAuthTokens/refresh';
const of = (rig: Rig) => rig.engine.fullStatus.appServerAccount;

describe('an app server that speaks the account methods', () => {
  it('ACC-103: it has the account before its first client uses it; clients hear of that from the engine only', async () => {
    const app = new AccountFake();
    const access = token({ plan: 'pro' });
    const rig = await Rig.start({ appServer: app, auth: signIn(access) });
    await rig.order(0, 2);
    expect(app.received.map(({ origin, method }) => `${origin} ${method}`)).toEqual([
      'engine initialize',
      'engine initialized',
      'engine account/read',
      'engine account/login/start',
      'stdio initialize',
      'stdio initialized',
    ]);
    expect(app.logins()).toEqual([
      { type: 'chatgptAuthTokens', accessToken: access, chatgptAccountId: 'acct-1', chatgptPlanType: 'pro' },
    ]);
    expect(JSON.stringify(app.received)).not.toContain('rt-');
    expect(of(rig)).toMatchObject({ state: 'following.settled', reason: 'appServerAccountShared' });
    expect(JSON.stringify(rig.log)).not.toContain('FORGED');
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-103: tokens of a parent app and an API key are handed over before the sign-in is answered', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app });
    await rig.call('thread/list');
    const access = token();
    await rig.external(access, 'org-7', 'team');
    expect(app.logins()).toMatchObject([
      { accessToken: access, chatgptAccountId: 'org-7', chatgptPlanType: 'team' },
    ]);
    const renewed = token();
    await rig.external(renewed, 'org-7', 'team');
    expect(app.logins()[1]).toMatchObject({ accessToken: renewed });
    await rig.call('account/logout');
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(app.logins()[2]).toEqual({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-102: a sign-out ends it before the response; the client over stdio goes on with a new one', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.order(0, 2);
    app.mute.add('turn/start');
    const turn = rig.send('turn/start', {});
    const from = rig.mark;
    await rig.call('account/logout');
    expect(app.restarts).toHaveLength(1);
    expect((await rig.response(turn)).error).toMatchObject({ code: -32002 });
    expect(await rig.call('thread/list')).toEqual({ echo: 'thread/list' });
    expect(rig.seq(from)).toEqual(['result', 'updated null null', 'error -32002', 'result']);
    expect(app.ofEngine.slice(4)).toEqual([]);
    await expect.poll(() => of(rig)).toMatchObject({ state: 'idle' });
  });

  it('ACC-102: an API key that it stored is deleted there before it ends', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app });
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    await rig.call('account/logout');
    expect(app.ofEngine.at(-1)).toMatchObject({ method: 'account/logout' });
    expect(app.restarts).toHaveLength(1);
  });

  it('ACC-103: tokens are signed out there before an API key is handed over', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.order(0, 2);
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(app.ofEngine.slice(3).map(({ method }) => method)).toEqual([
      'account/login/start',
      'account/logout',
      'account/login/start',
    ]);
    expect(app.restarts).toEqual([]);
  });

  it('ACC-103: one that refuses the next account is ended before the sign-in is answered', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.order(0, 2);
    app.refuses.add('account/login/start');
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(app.restarts).toHaveLength(1);
    expect(await rig.call('thread/list')).toEqual({ echo: 'thread/list' });
    await expect.poll(() => of(rig)).toMatchObject({ state: 'separate', reason: 'appServerAccountRefused' });
  });

  it('ACC-102: nobody was signed in: a sign-out ends nothing', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app });
    await rig.call('account/logout');
    expect(app.restarts).toEqual([]);
  });

  it('ACC-104: its request for new tokens is answered by the engine, which refreshes them; a second one within 30 s is refused', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.order(0, 2);
    const renewed = token({ plan: 'plus' });
    rig.at.always('refresh', () => granted(renewed, 'rt-2'));
    app.ask(0, REFRESH, { reason: 'unauthorized', previousAccountId: 'org-1' });
    await expect.poll(() => app.responses().length).toBe(1);
    expect(app.responses()[0]).toMatchObject({
      id: 0,
      origin: 'engine',
      result: { accessToken: renewed, chatgptAccountId: 'acct-1', chatgptPlanType: 'plus' },
    });
    app.ask(1, REFRESH, { reason: 'unauthorized', previousAccountId: 'org-1' });
    await expect.poll(() => app.responses().length).toBe(2);
    expect(app.responses()[1]).toMatchObject({ id: 1, error: { code: -32603 } });
    expect(rig.at.of('refresh')).toHaveLength(1);
    expect(rig.asks()).toEqual([]);
  }, 20_000);

  it('ACC-104: with tokens of a parent app it gets those of the parent app', async () => {
    const app = new AccountFake();
    const rig = await Rig.start({ appServer: app });
    const renewed = token();
    rig.onAsk = () => ({
      result: { accessToken: renewed, chatgptAccountId: 'org-1', chatgptPlanType: null },
    });
    await rig.external(token(), 'org-1', 'pro');
    app.ask(7, REFRESH, { reason: 'unauthorized', previousAccountId: 'org-1' });
    await expect.poll(() => app.responses().length).toBe(1);
    expect(app.responses()[0]).toMatchObject({ id: 7, result: { accessToken: renewed } });
    expect(rig.asks()).toHaveLength(1);
  });
});

describe('an agent with a sign-in of its own', () => {
  it.each([
    ['a provider without accounts', { requires: false }, false],
    ['a sign-in of its own', { account: { type: 'apiKey' } }, false],
    ['neither', {}, true],
    ['no account methods', { ignorant: true }, true],
  ])(
    'ACC-15: with %s and nobody at the engine, clients learn whether they must sign in',
    async (_, theirs, needed) => {
      const app = Object.assign(new AccountFake(), theirs);
      const rig = await Rig.start({ appServer: app });
      await rig.call('thread/list');
      expect(await rig.call('account/read')).toMatchObject({ account: null, requiresOpenaiAuth: needed });
      expect(await rig.call('getAuthStatus')).toMatchObject({ authMethod: null, requiresOpenaiAuth: needed });
      expect(app.logins()).toEqual([]);
      await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
      expect(await rig.call('account/read')).toMatchObject({ requiresOpenaiAuth: true });
    },
  );

  it.each([
    ['another account', { account: { type: 'chatgpt', email: 'other@example.com' }, userId: 'u-other' }],
    ['an API key', { account: { type: 'apiKey' }, userId: null }],
  ])('ACC-103: with %s it gets no token, and the status says so', async (_, theirs) => {
    const app = Object.assign(new AccountFake(), theirs);
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.call('thread/list');
    expect(app.logins()).toEqual([]);
    expect(of(rig)).toMatchObject({ state: 'separate', reason: 'appServerAccountOwn' });
  });

  it('ACC-103: one that does not know the account methods gets no token', async () => {
    const app = new AccountFake();
    app.ignorant = true;
    const rig = await Rig.start({ appServer: app, auth: signIn(token()) });
    await rig.call('thread/list');
    expect(app.logins()).toEqual([]);
    expect(of(rig)).toMatchObject({ state: 'separate', reason: 'appServerAccountRefused' });
  });
});

describe('one child per client', () => {
  it('ACC-101, ACC-102: children get no token, and are restarted when the stored account changes', async () => {
    const app = new AccountFake('perClient');
    const rig = await Rig.start({ appServer: app });
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(app.restarts).toHaveLength(1);
    expect(await rig.call('thread/list')).toEqual({ echo: 'thread/list' });
    await rig.call('account/logout');
    expect(app.restarts).toHaveLength(2);
    await rig.external(token(), 'org-1');
    // A new child could not read tokens that are only in memory.
    expect(app.restarts).toHaveLength(2);
    expect(app.ofEngine).toEqual([]);
    await expect.poll(() => of(rig)).toMatchObject({ state: 'idle', reason: 'appServerAccountPerClient' });
  });
});
