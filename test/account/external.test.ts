import { describe, expect, it } from 'vitest';
import { MARK, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

describe('external tokens', () => {
  it('ACC-31: response, completed, updated; without an account id it is an invalid request', async () => {
    const rig = await Rig.start();
    const from = rig.mark;
    expect((await rig.external(token(), 'org-1', 'pro')).result).toEqual({ type: 'chatgptAuthTokens' });
    expect(await rig.order(from, 3)).toEqual(['result', 'completed true', 'updated chatgptAuthTokens pro']);
    const refused = await rig.login({ type: 'chatgptAuthTokens', accessToken: token(), idToken: 'ignored' });
    expect(refused.error?.code).toBe(-32600);
  });

  it('ACC-32: a token that is not a JWT is refused and the previous account stays; an expired one is accepted', async () => {
    const rig = await Rig.start();
    await rig.externalIn(token({ email: 'good@example.com' }), 'org-1', 'pro');
    const from = rig.mark;
    const payload = Buffer.from('{"z":"???>>>"}').toString('base64url');
    const forms = [
      `a.${payload}.`,
      `.${payload}.c`,
      `a.${payload}=.c`,
      `a.${payload.replaceAll('_', '/')}.c`,
    ];
    for (const bad of ['', 'bad', 'a.b', 'a.%%%.c', `a.${btoa('no json')}.c`, ...forms]) {
      const { error } = await rig.external(bad, 'org-bad');
      expect(error?.code).toBe(-32603);
      expect(error?.message).toMatch(/^failed to set external auth: /);
    }
    expect(rig.seq(from).every((one) => one === 'error -32603')).toBe(true);
    expect(await rig.account()).toMatchObject({ email: 'good@example.com' });
    await rig.externalIn(token({ email: 'old@example.com', exp: 1_000 }), 'org-2');
    expect(await rig.account()).toMatchObject({ email: 'old@example.com' });
    expect(rig.asks()).toEqual([]);
  });

  it('ACC-33, ACC-34: email and user come from the claims, the account id from the parameter, the plan from either', async () => {
    const rig = await Rig.start();
    await rig.externalIn(token({ account: 'claimed', plan: 'plus', user: 'u-1' }), 'org-1', 'pro');
    expect(await rig.call('account/read')).toMatchObject({ account: { planType: 'pro' }, userId: 'u-1' });
    expect(rig.engine.fullStatus.account?.accountId).toBe('org-1');
    await rig.externalIn(token({ plan: 'plus' }), 'org-2');
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
    await rig.externalIn(
      token({
        email: null,
        plan: null,
        user: null,
        claims: {
          'https://api.openai.com/profile': { email: 'p@example.com' },
          'https://api.openai.com/auth': { user_id: 'u-2' },
        },
      }),
      'org-3',
      null,
    );
    expect(await rig.call('account/read')).toMatchObject({
      account: { email: 'p@example.com', planType: 'unknown' },
      userId: 'u-2',
    });
  });

  it.each([
    { 'https://api.openai.com/auth': 'text' },
    { 'https://api.openai.com/auth': null, email: 7 },
    { 'https://api.openai.com/profile': [], email: '' },
    { exp: 'soon' },
    { exp: Number.MAX_VALUE },
  ])('ACC-33: claims of a wrong type count as missing: %j', async (claims) => {
    const rig = await Rig.start();
    await rig.externalIn(token({ email: null, claims }), 'org-1');
    expect(await rig.account()).toMatchObject({ type: 'chatgpt', email: null });
  });

  it('ACC-35: they are not written to disk, come before the stored sign-in, and a restart forgets them', async () => {
    const rig = await Rig.start({ auth: signIn(token({ email: 'stored@example.com' })) });
    const before = rig.rawAuth();
    await rig.externalIn(token({ email: 'over@example.com' }), 'org-1');
    expect(await rig.account(true)).toMatchObject({ email: 'over@example.com' });
    expect(rig.rawAuth()).toBe(before);
    await rig.close();
    const next = await Rig.start({ home: rig.home, at: rig.at });
    expect(await next.account()).toMatchObject({ email: 'stored@example.com' });
    expect(rig.at.of('refresh')).toEqual([]);
  });

  it('ACC-36: a new sign-in replaces them without a logout', async () => {
    const rig = await Rig.start();
    await rig.externalIn(token(), 'org-1', 'pro');
    await rig.externalIn(token(), 'org-2', 'team');
    expect(rig.engine.fullStatus.account).toMatchObject({ accountId: 'org-2', plan: 'team' });
  });

  it('ACC-37: with --forced-workspace the parameter must be one of the listed ids exactly', async () => {
    const rig = await Rig.start({ forcedWorkspaces: ['ws-1', 'ws-2'] });
    const from = rig.mark;
    expect((await rig.external(token({ account: 'ws-1' }), 'org-x')).error).toMatchObject({
      code: -32600,
      message: 'External auth must use one of workspace(s) ["ws-1", "ws-2"], but received "org-x".',
    });
    for (const id of ['WS-1', 'ws-1,ws-2', ''])
      expect((await rig.external(token(), id)).error?.code).toBe(-32600);
    expect(rig.seq(from).every((one) => one.startsWith('error'))).toBe(true);
    await rig.externalIn(token({ account: 'org-x' }), 'ws-2');
  });

  it('ACC-39: a logout ends them and the stored sign-in is in use again; with `all` that ends as well', async () => {
    const rig = await Rig.start({ auth: signIn(token({ plan: 'plus' })) });
    const before = rig.rawAuth();
    await rig.externalIn(token(), 'org-1', 'pro');
    let from = rig.mark;
    expect(await rig.call('account/logout')).toEqual({});
    expect(await rig.order(from, 2)).toEqual(['result', 'updated chatgpt plus']);
    expect(rig.rawAuth()).toBe(before);
    await rig.externalIn(token(), 'org-1', 'pro');
    from = rig.mark;
    await rig.call('account/logout', { all: true });
    expect(await rig.order(from, 2)).toEqual(['result', 'updated null null']);
    expect(rig.rawAuth()).toBeNull();
  });

  it('ACC-40: backend calls carry the token and the account id of the parent app', async () => {
    const rig = await Rig.start();
    const access = token();
    await rig.externalIn(access, 'org-1');
    await rig.call('remoteControl/enable', {});
    const [enroll] = rig.at.of('enroll');
    expect([enroll?.bearer, enroll?.headers['chatgpt-account-id']]).toEqual([access, 'org-1']);
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-47, ACC-89: the message of the parent app is shown without secrets', async () => {
    const rig = await Rig.start();
    const access = token();
    rig.at.always('enroll', { status: 401, json: { access_token: access } });
    await rig.externalIn(access, 'org-1');
    rig.onAsk = () => ({
      error: { code: -32000, message: `on Tuesday; it held ${access} and rt-${MARK}-9` },
    });
    const { message } = await rig.refused('remoteControl/enable', {});
    expect(message).toContain('on Tuesday');
    const audit = JSON.stringify(await rig.call('engine/audit/read'));
    expect(audit).toContain('on Tuesday');
    expect(await rig.leaks()).toEqual([]);
  });
});
