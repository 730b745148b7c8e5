import { describe, expect } from 'vitest';
import type { ListeningInfo } from '../../src/listener/status.js';
import {
  APP_SERVER_METHODS,
  AUTHORITIES,
  type Authority,
  covers,
  ENGINE_METHODS,
  neededAuthority,
} from '../../src/session/authority-table.js';
import { createPolicy } from '../../src/session/policy.js';
import { Client } from '../listener/rig.js';
import { it } from '../support/engine-rig.js';
import { FakeAppServer } from '../support/fake-app-server.js';
import { claimController } from '../support/peers.js';

/** A name that each pattern matches. */
const METHODS = [
  ...Object.keys(ENGINE_METHODS),
  ...APP_SERVER_METHODS.map(({ methods }) => methods.replaceAll('*', 'made/up')),
];
/** Params that need the most authority, where a method has a condition on them. */
const PARAMS: Readonly<Record<string, object>> = {
  getAuthStatus: { includeToken: true },
  'config/value/write': { keyPath: 'model_providers.x.base_url', value: 'http://203.0.113.1' },
  'config/batchWrite': {
    edits: [
      { keyPath: 'model', value: 'x' },
      { keyPath: 'chatgpt_base_url', value: 'x' },
    ],
  },
};

const neededFor = (method: string): Authority => neededAuthority(method, () => PARAMS[method] ?? {});
const refusedFor = (authority: Authority) =>
  METHODS.filter((method) => !covers(authority, neededFor(method)));

const CONTEXTS = {
  degraded: { origin: 'listener', connectionId: 'x', degraded: true },
  remote: { origin: 'remote', connectionId: 'x' },
  listener: { origin: 'unix', connectionId: 'x' },
  stdio: { origin: 'stdio', connectionId: 'x' },
  control: { origin: 'control', connectionId: 'x' },
} as const;

describe('WSA-32: the authority table, every method for every authority', () => {
  const policy = createPolicy();
  const cases = AUTHORITIES.flatMap((authority) => METHODS.map((method) => [authority, method] as const));
  it.each(cases)('%s: %s', (authority, method) => {
    const message = { ambiguous: null, params: PARAMS[method] ?? {} };
    const refusal = policy(method, CONTEXTS[authority], message);
    expect(refusal === null).toBe(covers(authority, neededFor(method)));
    if (refusal !== null)
      expect(refusal).toMatch(/--degraded-authority|--remote-authority|control socket|needs/);
  });

  it('a controller and a degraded connection own neither the account nor the machine', () => {
    const kept = [
      'account/login/start',
      'account/logout',
      'account/somethingNew',
      'accountSession/list',
      'engine/audit/read',
      'engine/repair',
      'remoteControl/client/list',
      'remoteControl/client/revoke',
      'remoteControl/disable',
      'remoteControl/enable',
      'remoteControl/pairing/start',
      'userVerification/start',
      'modelProvider/default/set',
      'loginApiKey',
      'Account/Logout',
    ];
    for (const authority of ['degraded', 'remote'] as const) {
      for (const method of kept) expect(policy(method, CONTEXTS[authority]), method).not.toBeNull();
      expect(policy('thread/start', CONTEXTS[authority])).toBeNull();
      const token = { ambiguous: null, params: { includeToken: true } };
      expect(policy('getAuthStatus', CONTEXTS[authority], token)).not.toBeNull();
    }
  });

  it('is widened by the option for that authority, by the name of one method, or by a pattern for that origin', () => {
    expect(createPolicy({ remoteAuthority: 'full' })('account/logout', CONTEXTS.remote)).toBeNull();
    expect(createPolicy({ remoteAuthority: 'full' })('account/logout', CONTEXTS.degraded)).not.toBeNull();
    expect(createPolicy({ degradedAuthority: 'full' })('account/logout', CONTEXTS.degraded)).toBeNull();
    expect(createPolicy({ remoteAuthority: 'full' })('engine/repair', CONTEXTS.remote)).not.toBeNull();
    expect(createPolicy({ allowMethods: ['account/logout'] })('account/logout', CONTEXTS.remote)).toBeNull();
    expect(
      createPolicy({ allowMethods: ['remote:account/*'] })('account/logout', CONTEXTS.remote),
    ).toBeNull();
    expect(
      createPolicy({ allowMethods: ['degraded:account/*'] })('account/logout', CONTEXTS.remote),
    ).not.toBeNull();
    // A pattern that was meant for the owner's own clients grants others nothing.
    expect(createPolicy({ allowMethods: ['account/*'] })('account/logout', CONTEXTS.remote)).not.toBeNull();
    expect(createPolicy({ allowMethods: ['*'] })('account/logout', CONTEXTS.degraded)).not.toBeNull();
  });
});

describe('WSA-32: the same over real connections', () => {
  it('what is refused gets -32003 and never reaches the app server', { timeout: 30_000 }, async ({ rig }) => {
    const appServer = new FakeAppServer();
    let info: ListeningInfo | undefined;
    await rig.lab.signIn();
    const engine = await rig.create({
      listen: 'ws://127.0.0.1:0',
      authority: { mode: 'queryToken', enforced: false },
      appServer,
    });
    engine.once('listening', (found) => {
      info = found;
    });
    await engine.start();
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    const controller = await claimController(engine, await rig.lab.backend());
    const degraded = await Client.open(info!.url);
    const listener = await Client.open(info!.connectUrl.reveal());
    await degraded.initialize();
    await listener.initialize();
    const before = JSON.stringify(engine.fullStatus.account);
    for (const method of refusedFor('remote')) {
      const refused = controller.request(method, PARAMS[method] ?? {}, 5_000);
      await expect(refused, method).rejects.toMatchObject({ rpc: { code: -32003 } });
    }
    for (const method of refusedFor('degraded')) {
      const response = await degraded.request(method, PARAMS[method] ?? {});
      expect(response, method).toMatchObject({ error: { code: -32003 } });
    }
    for (const method of refusedFor('listener')) {
      const response = await listener.request(method, PARAMS[method] ?? {});
      expect(response, method).toMatchObject({ error: { code: -32003 } });
    }
    const received = appServer.connections.flatMap((connection) => connection.received).join('\n');
    for (const method of refusedFor('degraded')) expect(received).not.toContain(`"${method}"`);
    expect(JSON.stringify(engine.fullStatus.account)).toBe(before);
    // What is left over shows nothing of home, account and other connections.
    for (const shown of [
      await controller.request('engine/status/read', {}, 5_000),
      (await degraded.request('engine/status/read')).result,
    ]) {
      expect(Object.keys(shown as object).sort()).toEqual(['remoteControl', 'version']);
    }
    expect(await controller.request('account/read', {}, 5_000)).toMatchObject({
      account: { type: 'chatgpt' },
      userId: null,
      workspaceRouting: null,
    });
    degraded.ws.terminate();
    listener.ws.terminate();
    await controller.close();
  });
});
