import { describe, expect, it } from 'vitest';
import { DEFAULT_CLIENT_ID } from '../../src/account/issuer/address.js';
import { granted, MARK, token } from '../support/issuer.js';
import { Rig } from './rig.js';

const GIVEN = {
  json: { authorization_code: `code-${MARK}`, code_challenge: 'x', code_verifier: `ver-${MARK}` },
};

describe('device code sign-in', () => {
  it('ACC-79, ACC-80: the code and its URL at once, then polling, exchange, save, completed, updated', async () => {
    const rig = await Rig.start();
    const access = token({ plan: 'plus' });
    rig.at.script('devicePoll', { status: 403 }, { status: 404 }, GIVEN);
    rig.at.always('exchange', granted(access));
    const from = rig.mark;
    const { result } = await rig.login({ type: 'chatgptDeviceCode' });
    expect(result).toEqual({
      type: 'chatgptDeviceCode',
      loginId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      verificationUrl: `${rig.at.origin}/codex/device`,
      userCode: 'ABCD-1234',
    });
    expect(await rig.order(from, 3)).toEqual(['result', 'completed true', 'updated chatgpt plus']);
    expect(rig.at.of('usercode')[0]?.fields).toEqual({ client_id: DEFAULT_CLIENT_ID });
    expect(rig.at.of('devicePoll').map(({ fields }) => fields)).toEqual(
      Array(3).fill({ device_auth_id: `dev-${MARK}`, user_code: 'ABCD-1234' }),
    );
    expect(rig.at.of('exchange')[0]?.fields).toEqual({
      grant_type: 'authorization_code',
      client_id: DEFAULT_CLIENT_ID,
      code: `code-${MARK}`,
      redirect_uri: `${rig.at.origin}/deviceauth/callback`,
      code_verifier: `ver-${MARK}`,
    });
    expect(rig.at.of('keyExchange')).toEqual([]);
    expect(rig.readAuth().tokens.access_token).toBe(access);
    expect(await rig.leaks()).toEqual([]);
  });

  it.each([
    ['/codex/device?user_code=ABCD-1234', true],
    ['https://elsewhere.example/codex/device?user_code=ABCD-1234', false],
    [7, false],
  ])(
    'ACC-79: the URL with the code is passed on if it is on the origin of the issuer: %s',
    async (uri, own) => {
      const rig = await Rig.start();
      const complete = typeof uri === 'string' && uri.startsWith('/') ? `${rig.at.origin}${uri}` : uri;
      rig.at.always('usercode', {
        json: { device_auth_id: 'dev', user_code: 'ABCD-1234', verification_uri_complete: complete },
      });
      const { result } = await rig.login({ type: 'chatgptDeviceCode' });
      const keys = ['type', 'loginId', 'verificationUrl', 'userCode'];
      expect(Object.keys(result ?? {})).toEqual(own ? [...keys, 'verificationUrlComplete'] : keys);
      if (own) expect(result).toMatchObject({ verificationUrlComplete: complete });
    },
  );

  it('ACC-79: the issuer may send the code as usercode', async () => {
    const rig = await Rig.start();
    rig.at.always('usercode', { json: { device_auth_id: 'dev', usercode: 'WXYZ-9', interval: '1' } });
    expect((await rig.login({ type: 'chatgptDeviceCode' })).result).toMatchObject({ userCode: 'WXYZ-9' });
  });

  it('ACC-79: an issuer without device codes gives -32600, a failing one -32603, and no notification is sent', async () => {
    const rig = await Rig.start();
    rig.at.script('usercode', { status: 404 }, { status: 500 }, { text: 'x' }, { fate: 'drop' });
    const from = rig.mark;
    const codes: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      codes.push((await rig.login({ type: 'chatgptDeviceCode' })).error?.code);
    }
    expect(codes).toEqual([-32600, -32603, -32603, -32603]);
    expect(rig.seq(from).every((one) => one.startsWith('error'))).toBe(true);
  });

  it.each([
    ['denied', { status: 400, json: { error: 'denied' } }, /^device auth failed with status 400/],
    ['expired', { status: 410 }, /^device auth failed with status 410/],
    ['denied with 500', { status: 500, json: { error: 'denied' } }, /^device auth failed with status 500/],
    ['expired with 403', { status: 403, json: { error: 'expired_token' } }, /with status 403: expired_token/],
    ['refused with another code', { status: 400, json: { error: 'invalid_client' } }, /with status 400/],
    ['answered with wrong members', { json: { authorization_code: 7 } }, /./],
  ])(
    'ACC-80, ACC-81: a code that is %s ends the sign-in with the status in the message, without a prefix',
    async (_what, answer, why) => {
      const rig = await Rig.start();
      rig.at.always('devicePoll', answer);
      await rig.login({ type: 'chatgptDeviceCode' });
      const { success, error } = await rig.completed();
      expect(success).toBe(false);
      expect(String(error)).toMatch(why);
      expect(String(error)).not.toMatch(/Login server error/);
      expect(rig.rawAuth()).toBeNull();
    },
  );

  it.each([
    ['a dropped connection', { fate: 'drop' as const }],
    ['500', { status: 500 }],
    ['503 with a page', { status: 503, text: '<html>busy</html>' }],
    ['429', { status: 429, json: { error: 'too_many_requests' } }],
    ['408', { status: 408 }],
    ['400 with a page', { status: 400, text: '<html>' }],
    ['a redirect', { status: 302, headers: { location: 'http://127.0.0.1:1/' } }],
    ['200 with a page', { text: '<html>sign in to this network</html>' }],
    ['authorization_pending', { status: 400, json: { error: 'authorization_pending' } }],
  ])('ACC-80, ACC-110: %s in place of a poll does not end the sign-in', async (_what, answer) => {
    const rig = await Rig.start();
    rig.at.script('devicePoll', answer, GIVEN);
    rig.at.always('exchange', granted(token()));
    await rig.login({ type: 'chatgptDeviceCode' });
    expect(await rig.completed()).toMatchObject({ success: true, error: null });
  });

  it.each([
    ['Retry-After', { status: 429, headers: { 'retry-after': '3' } }, 2_900],
    ['slow_down', { status: 400, json: { error: 'slow_down' } }, 5_900],
  ])(
    'ACC-110: after %s the next poll comes later',
    async (_what, answer, least) => {
      const rig = await Rig.start();
      rig.at.script('devicePoll', answer, GIVEN);
      rig.at.always('exchange', granted(token()));
      await rig.login({ type: 'chatgptDeviceCode' });
      await rig.at.asked('devicePoll');
      const from = performance.now();
      await rig.at.asked('devicePoll', 2, 10_000);
      expect(performance.now() - from).toBeGreaterThan(least);
    },
    15_000,
  );

  it('ACC-80, ACC-81: a refused exchange and a forbidden workspace end the sign-in', async () => {
    const rig = await Rig.start({ forcedWorkspaces: ['ws-1'] });
    rig.at.always('devicePoll', GIVEN);
    rig.at.script(
      'exchange',
      { status: 400, json: { error: 'invalid_grant' } },
      granted(token({ account: 'ws-2' })),
    );
    await rig.login({ type: 'chatgptDeviceCode' });
    expect(String((await rig.completed()).error)).toContain('invalid_grant');
    const from = rig.mark;
    await rig.login({ type: 'chatgptDeviceCode' });
    expect(await rig.completed(from)).toMatchObject({
      error: 'Login is restricted to workspace id(s) ws-1.',
    });
  });

  it('ACC-81, ACC-82, ACC-83: a cancel gets its response first, then completed false; polling stops', async () => {
    const rig = await Rig.start();
    const { result } = await rig.login({ type: 'chatgptDeviceCode' });
    await rig.at.asked('devicePoll');
    const from = rig.mark;
    expect(await rig.call('account/login/cancel', { loginId: result?.loginId })).toEqual({
      status: 'canceled',
    });
    expect(await rig.order(from, 2)).toEqual(['result', 'completed false']);
    expect(await rig.completed(from)).toMatchObject({ error: 'Login was not completed' });
    const polls = rig.at.of('devicePoll').length;
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    expect(rig.at.of('devicePoll')).toHaveLength(polls);
    expect(await rig.call('account/login/cancel', { loginId: result?.loginId })).toEqual({
      status: 'notFound',
    });
  });
});
