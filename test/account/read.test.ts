import { describe, expect, it } from 'vitest';
import { MARK, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

const NONE = { account: null, userId: null, requiresOpenaiAuth: true, workspaceRouting: null };

describe('the handshake', () => {
  it('ACC-1, ACC-6: ids are returned unchanged, jsonrpc is not needed and not sent to a client whose initialize had none, malformed lines are skipped', async () => {
    const rig = await Rig.start();
    for (const junk of ['{bad', '[]', '42', 'null', '"x"']) rig.write(junk);
    rig.write({ jsonrpc: '2.0', id: 'a-1', method: 'account/read', params: {} });
    expect((await rig.response('a-1')).result).toEqual(NONE);
    expect(rig.log.filter((one) => 'jsonrpc' in one)).toEqual([]);
  });

  it('ACC-3, ACC-4: requests before a successful initialize are refused, and so is a second initialize', async () => {
    const rig = await Rig.start({ initialize: false });
    expect(await rig.refused('account/read', {})).toEqual({ code: -32600, message: 'Not initialized' });
    expect(await rig.refused('account/login/start', { type: 'apiKey', apiKey: 'k' })).toMatchObject({
      code: -32600,
    });
    rig.write({ method: 'account/whatever' });
    expect(await rig.refused('initialize', {})).toMatchObject({ code: -32600 });
    expect(await rig.refused('account/read', {})).toMatchObject({ message: 'Not initialized' });
    await rig.initialize(null);
    expect((await rig.ask('initialize', { clientInfo: { name: 'r', version: '1' } })).error).toMatchObject({
      code: -32600,
      message: 'Already initialized',
    });
    expect(rig.rawAuth()).toBeNull();
  });

  it('ACC-5: a request between the response to initialize and the notification initialized is served', async () => {
    const rig = await Rig.start({ initialize: false });
    await rig.ask('initialize', { clientInfo: { name: 'r', version: '1' }, capabilities: null });
    expect(await rig.call('account/read')).toEqual(NONE);
  });

  it('ACC-7, ACC-8: wrong params get -32600 "Invalid request", and params is required except for logout', async () => {
    const rig = await Rig.start();
    for (const [method, params] of [
      ['account/read', undefined],
      ['account/read', { refreshToken: 'x' }],
      ['account/read', { refreshToken: null }],
      ['account/read', 'x'],
      ['getAuthStatus', undefined],
      ['getAuthStatus', { includeToken: 'x' }],
      ['account/login/start', undefined],
      ['account/login/start', { type: 'bogus' }],
      ['account/login/start', { type: 'apiKey', apiKey: 7 }],
      ['account/login/start', { type: 'chatgpt', codexStreamlinedLogin: null }],
      ['account/login/start', { type: 'chatgpt', useHostedLoginSuccessPage: 1 }],
      ['account/login/start', { type: 'chatgpt', appBrand: 'mine' }],
      ['account/login/cancel', undefined],
      ['account/login/cancel', {}],
      ['account/logout', { some: 1 }],
      ['account/logout', []],
      ['account/logout', { all: 'yes' }],
    ] as const) {
      const { code, message } = await rig.refused(method, params);
      expect([method, code]).toEqual([method, -32600]);
      expect(message).toMatch(/^Invalid request: /);
    }
    expect(rig.seq().filter((one) => one.startsWith('completed') || one.startsWith('updated'))).toEqual([]);
    for (const params of [undefined, null, {}])
      expect((await rig.ask('account/logout', params)).result).toEqual({});
  });

  it('ACC-12: a new connection is notified of a ChatGPT account, not of an API key', async () => {
    const rig = await Rig.start({ auth: signIn(token({ plan: 'plus' })) });
    expect(await rig.order(0, 2)).toEqual(['result', 'updated chatgpt plus']);
    const key = await Rig.start({ auth: { auth_mode: 'apikey', OPENAI_API_KEY: `sk-${MARK}` } });
    expect(await key.order(0, 1)).toEqual(['result']);
  });

  it.each([false, true])(
    'ACC-25, ACC-100: account/updated has three keys; the one at connect gives a reason, later ones null (routing %s)',
    async (workspaceRouting) => {
      const rig = await Rig.start({ auth: signIn(token({ plan: 'plus' })), workspaceRouting });
      await rig.order(0, 2);
      await rig.externalIn(token(), 'org-1', 'pro');
      await rig.call('account/logout', { all: true });
      const updates = (): unknown[] =>
        rig.log.filter(({ method }) => method === 'account/updated').map(({ params }) => params);
      await rig.until(() => (updates().length === 3 ? true : undefined), 'three notifications');
      expect(updates()).toEqual([
        { authMode: 'chatgpt', planType: 'plus', reason: 'workspaceRoutingReady' },
        { authMode: 'chatgptAuthTokens', planType: 'pro', reason: null },
        { authMode: null, planType: null, reason: null },
      ]);
    },
  );

  it('ACC-2: notifications carry the time when they were sent', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    await rig.order(0, 2);
    const updated = rig.log.find((one) => one.method === 'account/updated');
    expect(Math.abs(Number(updated?.emittedAtMs) - Date.now())).toBeLessThan(5_000);
  });
});

describe('account/read', () => {
  it('ACC-13, ACC-14: shows the account, its plan and its user', async () => {
    const rig = await Rig.start({ auth: signIn(token({ plan: 'team', user: 'user-77' })) });
    expect(await rig.call('account/read')).toEqual({
      account: { type: 'chatgpt', email: 'user@example.com', planType: 'team', workspaceName: null },
      userId: 'user-77',
      requiresOpenaiAuth: true,
      workspaceRouting: null,
    });
    expect(await rig.call('getAuthStatus')).toMatchObject({ authMethod: 'chatgpt' });
  });

  it('ACC-15: requiresOpenaiAuth is true with the built-in app server', async () => {
    const rig = await Rig.start();
    expect(await rig.call('account/read')).toMatchObject({ requiresOpenaiAuth: true });
    expect(await rig.call('getAuthStatus')).toMatchObject({ requiresOpenaiAuth: true });
  });

  it('ACC-16: refreshToken has no effect for an API key and when nobody is signed in', async () => {
    const rig = await Rig.start();
    expect(await rig.call('account/read', { refreshToken: true })).toEqual(NONE);
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(await rig.account(true)).toEqual({ type: 'apiKey' });
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-19: ChatGPT mode without tokens is an error, an unreadable file counts as signed out, a key alone is an API key', async () => {
    const incomplete = await Rig.start({ auth: { auth_mode: 'chatgpt', OPENAI_API_KEY: null } });
    expect(await incomplete.refused('account/read', {})).toEqual({
      code: -32600,
      message: 'plan type is required for chatgpt authentication',
    });
    expect(await incomplete.call('getAuthStatus')).toMatchObject({ authMethod: null });
    for (const text of ['{oops', '', '[]', '"x"']) {
      expect(await (await Rig.start({ auth: text })).call('account/read')).toEqual(NONE);
    }
    const key = await Rig.start({ auth: { OPENAI_API_KEY: `sk-${MARK}` } });
    expect(await key.account()).toEqual({ type: 'apiKey' });
  });

  it('ACC-20: API keys in the environment sign nobody in', async () => {
    process.env.OPENAI_API_KEY = `sk-${MARK}`;
    process.env.CODEX_API_KEY = `sk-${MARK}`;
    try {
      expect(await (await Rig.start()).call('account/read')).toEqual(NONE);
    } finally {
      delete process.env.OPENAI_API_KEY;
      delete process.env.CODEX_API_KEY;
    }
  });

  it.each([
    ['some_new_plan', 'unknown'],
    [null, 'unknown'],
    [7, 'unknown'],
    ['PRO', 'unknown'],
    ['enterprise', 'enterprise'],
    ['hc', 'enterprise'],
    ['education', 'edu'],
    ['sci', 'sci'],
    ['ent26', 'ent26'],
    ['enterprise_cbp_automation', 'enterprise_cbp_automation'],
    ['self_serve_business_prolite', 'self_serve_business_prolite'],
  ])('ACC-21: the plan %j reads as %s', async (plan, shown) => {
    const rig = await Rig.start({ auth: signIn(token({ plan, email: null })) });
    expect(await rig.account()).toMatchObject({ email: null, planType: shown });
  });

  it('ACC-22: getAuthStatus returns the token only with includeToken', async () => {
    const access = token();
    const rig = await Rig.start({ auth: signIn(access) });
    expect(await rig.call('getAuthStatus', { includeToken: true })).toMatchObject({ authToken: access });
    expect(await rig.call('getAuthStatus', {})).toMatchObject({ authToken: null });
    const key = await Rig.start({ auth: { auth_mode: 'apikey', OPENAI_API_KEY: `sk-${MARK}` } });
    expect(await key.call('getAuthStatus', { includeToken: true })).toEqual({
      authMethod: 'apikey',
      authToken: `sk-${MARK}`,
      requiresOpenaiAuth: true,
    });
  });
});
