import { createHash } from 'node:crypto';
import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { DEFAULT_CLIENT_ID } from '../../src/account/issuer/address.js';
import { listen } from '../support/http.js';
import { AUTHORIZE_PARAMS, granted, MARK, token } from '../support/issuer.js';
import { get, Rig } from './rig.js';

const CODE = `code-${MARK}`;

describe('browser sign-in', () => {
  it('ACC-71, ACC-72, ACC-73, ACC-75, ACC-76, ACC-77: from the authorize URL to account/login/completed', async () => {
    const rig = await Rig.start();
    const access = token({ plan: 'team' });
    rig.at.always('exchange', granted(access));
    rig.at.always('keyExchange', { json: { access_token: `sk-${MARK}` } });
    const from = rig.mark;
    const login = await rig.browser();
    expect(Object.keys(login.result).sort()).toEqual(['authUrl', 'loginId', 'type']);
    expect(login.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(login.authUrl.origin + login.authUrl.pathname).toBe(`${rig.at.origin}/oauth/authorize`);
    expect([...login.authUrl.searchParams.keys()]).toEqual(AUTHORIZE_PARAMS);
    expect(login.authUrl.search).toContain('scope=openid+profile+email+offline_access');
    expect(login.authUrl.searchParams.get('originator')).toBe('rig');
    expect(login.state).toMatch(/^[\w-]{43}$/);
    const sent = await get(login.authUrl.href);
    const back = await get(sent.location);
    expect(back.status).toBe(302);
    expect(back.location).toContain(login.page('/success?id_token='));
    const [exchange] = rig.at.of('exchange');
    const verifier = String(exchange?.fields.code_verifier);
    expect(exchange?.fields).toEqual({
      grant_type: 'authorization_code',
      client_id: DEFAULT_CLIENT_ID,
      code: CODE,
      redirect_uri: login.redirect,
      code_verifier: verifier,
    });
    expect(verifier).toMatch(/^[\w-]{86}$/);
    expect(createHash('sha256').update(verifier).digest('base64url')).toBe(
      login.authUrl.searchParams.get('code_challenge'),
    );
    expect(rig.at.of('keyExchange')[0]?.fields).toMatchObject({
      requested_token: 'openai-api-key',
      subject_token: access,
    });
    expect(rig.readAuth()).toMatchObject({
      auth_mode: 'chatgpt',
      OPENAI_API_KEY: `sk-${MARK}`,
      tokens: {
        access_token: access,
        account_id: 'acct-1',
        oauth_provenance: { issuer: rig.at.origin, client_id: DEFAULT_CLIENT_ID },
      },
    });
    expect(rig.seq(from)).toEqual(['result']);
    const success = await get(back.location);
    expect([success.status, success.body.includes(MARK)]).toEqual([200, false]);
    expect(await rig.order(from, 3)).toEqual(['result', 'completed true', 'updated chatgpt team']);
    expect((await rig.completed(from)).loginId).toBe(login.id);
    expect((await get(login.page('/success'))).error).toBe('ECONNREFUSED');
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-76: with the hosted success page the sign-in completes at once', async () => {
    const rig = await Rig.start();
    rig.at.always('exchange', granted(token()));
    const login = await rig.browser({ useHostedLoginSuccessPage: true, appBrand: 'chatgpt' });
    const from = rig.mark;
    const back = await get(login.callback({ code: CODE, state: login.state }));
    expect(back.location).toBe('https://chatgpt.com/codex/open-app?source=login&app_brand=chatgpt');
    expect(await rig.order(from, 2)).toEqual(['completed true', 'updated chatgpt pro']);
  });

  it('ACC-76: after the credentials are saved a cancel gets notFound, and the next request completes the sign-in first', async () => {
    const rig = await Rig.start();
    rig.at.always('exchange', granted(token({ plan: 'plus' })));
    const login = await rig.browser();
    const from = rig.mark;
    await get(login.callback({ code: CODE, state: login.state }));
    expect(await rig.call('account/login/cancel', { loginId: login.id })).toEqual({ status: 'notFound' });
    await rig.browser();
    expect(await rig.order(from, 4)).toEqual(['result', 'completed true', 'updated chatgpt plus', 'result']);
  });

  it('ACC-74: an unknown path gets 404, a wrong or missing state 400, and the sign-in keeps waiting', async () => {
    const rig = await Rig.start();
    rig.at.always('exchange', granted(token()));
    const login = await rig.browser();
    expect((await get(login.page('/nothing'))).status).toBe(404);
    expect((await get(login.page('/success'))).status).toBe(404);
    for (const query of [
      { code: CODE, state: 'wrong' },
      { code: CODE },
      { code: CODE, state: login.state.slice(1) },
      { error: 'access_denied', state: '' },
    ] as Record<string, string>[]) {
      expect((await get(login.callback(query))).status).toBe(400);
    }
    expect(rig.at.of('exchange')).toEqual([]);
    expect((await get(login.callback({ code: CODE, state: login.state }))).status).toBe(302);
  });

  it('ACC-74: the same code again gets the same response, and is exchanged once', async () => {
    const rig = await Rig.start();
    rig.at.always('exchange', granted(token()));
    const login = await rig.browser();
    const from = rig.mark;
    const url = login.callback({ code: CODE, state: login.state });
    const [one, two] = await Promise.all([get(url), get(url)]);
    const three = await get(url);
    expect([one.status, two.status, three.status]).toEqual([302, 302, 302]);
    expect([two.location, three.location]).toEqual([one.location, one.location]);
    const other = await get(login.callback({ code: 'another', state: login.state }));
    expect([other.status, other.location]).toEqual([400, '']);
    expect(rig.at.of('exchange')).toHaveLength(1);
    await get(one.location);
    expect(await rig.order(from, 2)).toEqual(['completed true', 'updated chatgpt pro']);
  });

  it.each([
    [
      'the issuer refuses it',
      { error: 'access_denied', error_description: 'not <b>today</b>' },
      undefined,
      /Sign-in failed: not <b>today/,
    ],
    ['there is no code', {}, undefined, /Missing authorization code/],
    [
      'the code is refused',
      { code: CODE },
      { status: 400, json: { error: 'invalid_grant', error_description: 'bad code' } },
      /400.*bad code/,
    ],
    ['the issuer fails', { code: CODE }, { status: 500 }, /500/],
    ['tokens are missing', { code: CODE }, { json: { id_token: token() } }, /./],
    [
      'the id token is not a JWT',
      { code: CODE },
      { json: { id_token: 'x.y.z', access_token: token(), refresh_token: 'r' } },
      /./,
    ],
    ['the response is not JSON', { code: CODE }, { text: '<html>' }, /./],
    ['the issuer does not respond', { code: CODE }, { fate: 'hang' as const }, /no complete answer/],
  ])(
    'ACC-74, ACC-75, ACC-78: when %s the sign-in fails with the reason, and nothing is stored',
    async (_what, query, answer, why) => {
      const rig = await Rig.start({ accountTiming: { issuerTimeout: 300 } });
      if (answer !== undefined) rig.at.always('exchange', answer);
      const login = await rig.browser();
      const from = rig.mark;
      const page = await get(
        login.callback({ ...query, state: login.state } as unknown as Record<string, string>),
      );
      expect([page.status, page.connection]).toEqual([200, 'close']);
      expect(page.body).not.toContain('<b>');
      const { loginId, success, error } = await rig.completed(from);
      expect([loginId, success]).toEqual([login.id, false]);
      expect(String(error)).toMatch(/^Login server error: /);
      expect(String(error)).toMatch(why);
      expect(rig.rawAuth()).toBeNull();
      expect((await get(login.page('/success'))).error).toBe('ECONNREFUSED');
      expect(await rig.leaks()).toEqual([]);
    },
  );

  it('ACC-75: a sign-in of a workspace that is not allowed is not stored', async () => {
    const rig = await Rig.start({ forcedWorkspaces: ['ws-1', 'ws-2'] });
    rig.at.always('exchange', granted(token({ account: 'ws-3' })));
    const login = await rig.browser();
    expect(login.authUrl.searchParams.get('allowed_workspace_id')).toBe('ws-1,ws-2');
    await get(login.callback({ code: CODE, state: login.state }));
    expect(await rig.completed()).toMatchObject({
      success: false,
      error: 'Login server error: Login is restricted to workspace id(s) ws-1, ws-2.',
    });
    expect(rig.rawAuth()).toBeNull();
  });

  it('ACC-77: without a callback the sign-in times out', async () => {
    const rig = await Rig.start({ accountTiming: { loginTimeout: 200 } });
    const login = await rig.browser();
    expect(await rig.completed()).toEqual({
      loginId: login.id,
      success: false,
      error: 'Login timed out',
      onboardingEntrypoint: null,
    });
    expect((await get(login.page('/success'))).error).toBe('ECONNREFUSED');
  });

  it('ACC-82: a login id may have any form of a UUID; another string is an error', async () => {
    const rig = await Rig.start();
    for (const write of [
      (id: string) => id.toUpperCase(),
      (id: string) => id.replaceAll('-', ''),
      (id: string) => `{${id}}`,
      (id: string) => `urn:uuid:${id}`,
    ]) {
      const { id } = await rig.browser();
      const answer = await rig.call('account/login/cancel', { loginId: write(id) });
      expect([write(id), answer.status]).toEqual([write(id), 'canceled']);
    }
    for (const loginId of ['', 'nope', '11111111-1111-4111-8111-11111111111', '1'.repeat(33)]) {
      expect((await rig.refused('account/login/cancel', { loginId })).message).toBe(
        `invalid login id: ${loginId}`,
      );
    }
  });

  it('ACC-70, ACC-76: a /cancel from another client frees the port: before the save the sign-in is cancelled, after it a success', async () => {
    const rig = await Rig.start();
    let go: () => void = () => {};
    const after = new Promise<void>((done) => (go = done));
    rig.at.script('exchange', { ...granted(token()), after });
    rig.at.always('exchange', granted(token()));
    const early = await rig.browser();
    let from = rig.mark;
    const back = get(early.callback({ code: CODE, state: early.state }));
    await rig.at.asked('exchange');
    expect((await get(early.page('/cancel'))).body).toContain('cancelled');
    expect(await rig.completed(from)).toMatchObject({
      success: false,
      error: expect.stringContaining('Login cancelled'),
    });
    expect((await back).body).toContain('Login cancelled');
    go();
    expect([await rig.order(from, 1), rig.rawAuth()]).toEqual([['completed false'], null]);

    const late = await rig.browser();
    from = rig.mark;
    await get(late.callback({ code: CODE, state: late.state }));
    expect((await get(late.page('/cancel'))).body).toContain('Signed in');
    expect(await rig.order(from, 2)).toEqual(['completed true', 'updated chatgpt pro']);
    expect((await get(late.page('/success'))).error).toBe('ECONNREFUSED');
  });

  it('ACC-74, ACC-82, ACC-83: account/login/cancel and /cancel end the sign-in, /cancel from a web page does not', async () => {
    const rig = await Rig.start();
    const one = await rig.browser();
    expect((await get(one.page('/cancel'), { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await get(one.page('/cancel'), { origin: 'https://evil.example' })).status).toBe(403);
    const cancelled = await get(one.page('/cancel'));
    expect([cancelled.status, cancelled.body.includes('Login cancelled')]).toEqual([200, true]);
    expect(await rig.completed()).toMatchObject({ error: 'Login server error: Login cancelled' });
    const two = await rig.browser();
    const from = rig.mark;
    expect(await rig.call('account/login/cancel', { loginId: two.id })).toEqual({ status: 'canceled' });
    expect(await rig.order(from, 2)).toEqual(['result', 'completed false']);
    expect(await rig.call('account/login/cancel', { loginId: two.id })).toEqual({ status: 'notFound' });
    for (const loginId of ['nope', '', two.id.slice(1)]) {
      expect(await rig.refused('account/login/cancel', { loginId })).toEqual({
        code: -32600,
        message: `invalid login id: ${loginId}`,
      });
    }
  });
});

describe('the callback port', () => {
  async function holder(): Promise<{ port: number; seen: string[]; close: () => Promise<void> }> {
    const seen: string[] = [];
    const held = await listen(
      http.createServer((request, response) => {
        seen.push(`${request.method} ${request.url}`);
        response.end('busy');
      }),
    );
    return { port: held.port, seen, close: () => held.close() };
  }

  it('ACC-70: a port in use gets one /cancel, then the next port is used', async () => {
    const held = await holder();
    const other = await holder();
    await other.close();
    const rig = await Rig.start({ loginPorts: [held.port, other.port] });
    const { redirect } = await rig.browser();
    expect([new URL(redirect).port, held.seen]).toEqual([`${other.port}`, ['GET /cancel']]);
  });

  it('ACC-70: a port that becomes free meanwhile is used', async () => {
    const held = await holder();
    const rig = await Rig.start({ loginPorts: [held.port] });
    const opening = rig.browser();
    await expect.poll(() => held.seen).toEqual(['GET /cancel']);
    await held.close();
    expect(new URL((await opening).redirect).port).toBe(`${held.port}`);
  });

  it('ACC-70: with all ports in use the sign-in is refused with the reason', async () => {
    const [one, two] = [await holder(), await holder()];
    const rig = await Rig.start({ loginPorts: [one.port, two.port] });
    const { error } = await rig.login({ type: 'chatgpt' });
    expect(error?.code).toBe(-32603);
    expect(error?.message).toMatch(/^failed to start login server: /);
    expect(two.seen).toEqual([]);
  });
});
