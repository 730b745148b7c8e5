import { describe, expect, it } from 'vitest';
import { granted, signIn, token, workspaces } from '../support/issuer.js';
import { get, Rig } from './rig.js';

const ROUTED = { workspaceRouting: true };

describe('workspace routing', () => {
  it('ACC-60: off by default: no lookup, and null in account/read', async () => {
    const rig = await Rig.start();
    await rig.externalIn(token(), 'org-1');
    expect(await rig.call('account/read')).toMatchObject({
      account: { workspaceName: null },
      workspaceRouting: null,
    });
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-60, ACC-61: with routing, one lookup for each token, and the workspace in account/read', async () => {
    const rig = await Rig.start(ROUTED);
    const access = token();
    await rig.externalIn(access, 'org-1');
    const answers = await Promise.all([1, 2, 3].map(() => rig.call('account/read')));
    for (const answer of answers) {
      expect(answer).toMatchObject({
        account: { workspaceName: 'Acme org-1' },
        workspaceRouting: {
          chatgptAccountId: 'org-1',
          backendOrigin: 'https://localhost:9',
          accountRoutingOverride: 'NO_CONSTRAINT',
        },
      });
    }
    const [lookup, ...more] = rig.at.of('check');
    expect(more).toEqual([]);
    expect([lookup?.method, lookup?.bearer, lookup?.headers['chatgpt-account-id']]).toEqual([
      'GET',
      access,
      'org-1',
    ]);
    await rig.externalIn(token(), 'org-1');
    expect(rig.at.of('check')).toHaveLength(2);
  });

  it('ACC-63 is left out: for a business plan the workspace is looked up, and no configuration bundle is requested', async () => {
    const rig = await Rig.start({ ...ROUTED, auth: signIn(token({ plan: 'enterprise' })) });
    expect(await rig.order(0, 2)).toEqual(['result', 'updated chatgpt enterprise']);
    await rig.call('account/read');
    expect(rig.at.seen.map(({ route }) => route)).toEqual(['check']);
  });

  it('ACC-12, ACC-60: a new connection is notified of a stored account after the lookup, and not when that fails', async () => {
    const rig = await Rig.start({ ...ROUTED, auth: signIn(token({ plan: 'plus' })) });
    expect(await rig.order(0, 2)).toEqual(['result', 'updated chatgpt plus']);
    expect(rig.at.of('check')).toHaveLength(1);
    rig.at.always('check', { status: 500 });
    const failing = await Rig.start({ ...ROUTED, at: rig.at, auth: signIn(token()) });
    expect(await failing.order(0, 1)).toEqual(['result']);
  });

  it.each([
    ['404', { status: 404 }],
    ['HTML', { text: '<html>' }],
    ['another workspace', { json: workspaces('org-2') }],
    [
      'a duplicate workspace',
      { json: { accounts: [...workspaces('org-1').accounts, ...workspaces('org-1').accounts] } },
    ],
    [
      'an origin with a path',
      { json: workspaces('org-1', { workspace_backend_origin: 'https://x.example/y' }) },
    ],
    [
      'an origin with a user',
      { json: workspaces('org-1', { workspace_backend_origin: 'https://u@x.example' }) },
    ],
    ['an http origin', { json: workspaces('org-1', { workspace_backend_origin: 'http://x.example' }) }],
    [
      'NO_CONSTRAINT and an http base URL',
      { json: workspaces('org-1', { workspace_backend_origin: 'NO_CONSTRAINT' }) },
    ],
    ['no override', { json: workspaces('org-1', { account_routing_override: null }) }],
    ['an unknown override', { json: workspaces('org-1', { account_routing_override: 'mars' }) }],
  ])(
    'ACC-38, ACC-61, ACC-62: with %s the sign-in completes as a failure, the account stays, and reads fail until a lookup succeeds',
    async (_what, answer) => {
      const rig = await Rig.start(ROUTED);
      rig.at.always('check', answer);
      const from = rig.mark;
      await rig.external(token(), 'org-1', 'pro');
      expect(await rig.order(from, 2)).toEqual(['result', 'completed false']);
      expect(String((await rig.completed(from)).error)).toMatch(/^workspace routing discovery/);
      expect((await rig.refused('account/read', {})).code).toBe(-32603);
      expect(await rig.call('getAuthStatus').catch(() => 'failed')).toMatchObject({
        authMethod: 'chatgptAuthTokens',
      });
      expect((await rig.login({ type: 'apiKey', apiKey: 'k' })).error?.code).toBe(-32600);
      rig.at.always('check', { json: workspaces('org-1') });
      expect(await rig.account()).toMatchObject({ workspaceName: 'Acme org-1' });
    },
  );

  it('ACC-61: an origin may end with a slash', async () => {
    const rig = await Rig.start(ROUTED);
    rig.at.always('check', {
      json: workspaces('org-1', { workspace_backend_origin: 'https://localhost:9/' }),
    });
    await rig.externalIn(token(), 'org-1');
    expect(await rig.call('account/read')).toMatchObject({
      workspaceRouting: { backendOrigin: 'https://localhost:9' },
    });
  });

  it.each([
    ['known', { json: workspaces('acct-1') }, ['completed true', 'updated chatgpt pro']],
    ['missing', { status: 404 }, ['completed false']],
  ] as const)(
    'ACC-60, ACC-62, ACC-87: a browser sign-in completes after the lookup; the workspace is %s',
    async (_what, answer, notified) => {
      const rig = await Rig.start(ROUTED);
      rig.at.always('exchange', granted(token()));
      let reply = (): void => {};
      const after = new Promise<void>((resolve) => {
        reply = resolve;
      });
      rig.at.always('check', { ...answer, after });
      const login = await rig.browser({ useHostedLoginSuccessPage: true });
      const from = rig.mark;
      await get(login.callback({ code: 'code', state: login.state }));
      await rig.at.asked('check');
      expect(await rig.call('engine/account/read')).toMatchObject({ mode: 'chatgpt', login: 'browser' });
      expect(rig.seq(from).filter((one) => one.startsWith('completed'))).toEqual([]);
      reply();
      expect((await rig.order(from, notified.length + 1)).slice(1)).toEqual(notified);
    },
  );

  it('ACC-62: after a 401 the recovery gets a new token, and the lookup succeeds', async () => {
    const renewed = token();
    const rig = await Rig.start({ ...ROUTED, auth: signIn(token()) });
    rig.at.always('refresh', granted(renewed));
    rig.at.always('check', ({ bearer }) =>
      bearer === renewed ? { json: workspaces('acct-1') } : { status: 401 },
    );
    expect(await rig.account()).toMatchObject({ workspaceName: 'Acme acct-1' });
  });

  it('ACC-62: when the recovery fails, the message says unauthorized', async () => {
    const rig = await Rig.start(ROUTED);
    rig.at.always('check', { status: 401 });
    rig.onAsk = () => ({ error: { code: 1, message: 'no' } });
    await rig.external(token(), 'org-1');
    expect(await rig.completed()).toMatchObject({
      success: false,
      error: 'workspace routing discovery unauthorized (401)',
    });
  });

  it('ACC-46: a parent app that changes the account during the lookup ends the lookup', async () => {
    const rig = await Rig.start(ROUTED);
    rig.at.always('check', { status: 401 });
    rig.onAsk = () => ({ result: { accessToken: token(), chatgptAccountId: 'org-2' } });
    await rig.external(token(), 'org-1');
    expect(await rig.completed()).toMatchObject({
      error: 'account changed during workspace routing discovery',
    });
    rig.at.always('check', { json: workspaces('org-2') });
    expect(await rig.account()).toMatchObject({ workspaceName: 'Acme org-2' });
  });
});
