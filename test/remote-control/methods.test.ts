/** `remoteControl/*` as a local client calls it, over the control socket, with a real backend that has faults. */
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { Controller } from '../../src/controller/controller.js';
import { it, type Rig } from '../support/engine-rig.js';
import { type Answer, claimController, errorOf, fault, pairController, resultOf } from '../support/peers.js';
import { storedRecords } from '../support/sqlite.js';

describe('remoteControl/status/read', () => {
  it('RC-42: returns the status of the engine', async ({ rig }) => {
    const engine = await rig.connected();
    expect(await resultOf(rig, 'remoteControl/status/read')).toEqual(engine.status);
    expect(Object.keys(engine.status)).toEqual(['status', 'serverName', 'installationId', 'environmentId']);
  });
});

describe('remoteControl/disable', () => {
  const SITUATIONS: readonly (readonly [string, Answer | undefined, string])[] = [
    ['connected', undefined, 'active.connected'],
    ['enrolling', { route: 'enroll', answer: 'hang' }, 'active.enrolling.requesting'],
    ['in the handshake', { route: 'socket', answer: 'hang' }, 'active.connecting'],
    [
      'backing off',
      { route: 'enroll', answer: 'status', status: 400, times: 99 },
      'active.backingOff.failed',
    ],
    [
      'waiting for a Retry-After',
      { route: 'enroll', answer: 'status', status: 429, headers: { 'retry-after': '600' } },
      'active.backingOff.retryAfter',
    ],
  ];

  it.for(SITUATIONS)(
    'RC-43: %s: within a second all connections are closed, and no request follows',
    async ([, answer, state], { rig }) => {
      await rig.lab.signIn();
      const backend = await rig.lab.backend();
      if (answer !== undefined) fault(backend, answer);
      const engine = await rig.start({
        timing: { requestTimeout: 30_000, handshakeTimeout: 30_000, backoffBase: 60_000, backoffCap: 60_000 },
      });
      await rig.reached(engine, (report) => report.state === state, state);
      const started = performance.now();
      expect(await resultOf(rig, 'remoteControl/disable', { ephemeral: true })).toMatchObject({
        status: 'disabled',
        environmentId: null,
      });
      await rig.until(() => rig.lab.tap.open === 0, 'connections closed');
      expect(performance.now() - started).toBeLessThan(1_000);
      const requests = rig.lab.tap.requests.length;
      const again = await resultOf(rig, 'remoteControl/disable', { ephemeral: true });
      expect(again.status).toBe('disabled');
      expect(rig.lab.tap.requests.length).toBe(requests);
      if (answer !== undefined) return;
      const closed = backend.events.find(
        ({ kind, detail }) => kind === 'socketClosed' && detail.side === 'server',
      );
      expect(closed?.detail.code).toBe(1000);
    },
  );

  it('RC-43: closes each virtual client; enable connects again with the same identity and token', async ({
    rig,
  }) => {
    const engine = await rig.connected();
    const backend = await rig.lab.backend();
    const controller = await claimController(engine, backend);
    expect(engine.fullStatus.remoteClients).toHaveLength(1);
    await resultOf(rig, 'remoteControl/disable', { ephemeral: true });
    expect(engine.fullStatus.remoteClients).toEqual([]);
    expect(await resultOf(rig, 'remoteControl/enable', { ephemeral: true })).toMatchObject({
      status: 'connecting',
    });
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 0 });
    await controller.close();
  });

  it('RC-23: an identity that arrives after remote control was switched off is not stored', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    const backend = await rig.lab.backend();
    fault(backend, { route: 'enroll', answer: 'truth', delayMs: 150 });
    const engine = await rig.start();
    await rig.reached(engine, ({ state }) => state === 'active.enrolling.requesting', 'enrolling');
    await resultOf(rig, 'remoteControl/disable', { ephemeral: true });
    await rig.until(() => backend.servers.length === 1, 'response of the backend');
    expect(engine.status).toMatchObject({ status: 'disabled', environmentId: null });
    await engine.stop();
    expect(await storedRecords(join(rig.lab.home, 'rc-engine.sqlite'))).toEqual([]);
  });
});

describe('remoteControl/enable', () => {
  it('RC-42b: responds once the identity is known', async ({ rig }) => {
    await rig.lab.signIn();
    const engine = await rig.start({ remoteControl: 'off' });
    const { environmentId } = await resultOf(rig, 'remoteControl/enable');
    expect(environmentId).toBe((await rig.lab.backend()).servers[0]?.environmentId);
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(await resultOf(rig, 'remoteControl/enable', { ephemeral: true })).toEqual(engine.status);
  });

  it.for([
    ['nobody signed in', async () => {}, 'authMissing'],
    ['an API key only', (rig: Rig) => rig.lab.signInWithApiKey(), 'authApiKeyOnly'],
  ] as const)(
    'RC-26: %s: refused with the reason, and remote control stays off',
    async ([, prepare, reason], { rig }) => {
      await prepare(rig);
      const engine = await rig.start({ remoteControl: 'off' });
      expect(await errorOf(rig, 'remoteControl/enable')).toMatchObject({ code: -32600, data: { reason } });
      expect(engine.status.status).toBe('disabled');
    },
  );

  it('ACC-69: an account that the backend refuses is an error, remote control stays off, and enable may be repeated', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'status', status: 401, times: 5 });
    const engine = await rig.start({ remoteControl: 'off' });
    const error = await errorOf(rig, 'remoteControl/enable');
    expect(error).toMatchObject({ code: -32600 });
    expect(engine.status).toMatchObject({ status: 'disabled', environmentId: null });
    (await rig.lab.backend()).fault({ action: 'clear' });
    expect(await resultOf(rig, 'remoteControl/enable')).toMatchObject({ environmentId: expect.any(String) });
  });

  it('RC-26, RC-42b: ephemeral: responds at once, and connects as soon as someone has signed in', async ({
    rig,
  }) => {
    const backend = await rig.lab.backend();
    const engine = await rig.start({ remoteControl: 'off' });
    expect(await resultOf(rig, 'remoteControl/enable', { ephemeral: true })).toMatchObject({
      status: 'connecting',
      environmentId: null,
    });
    await rig.reached(
      engine,
      ({ state }) => state === 'active.awaitingAuth.missing',
      'waiting for a sign-in',
    );
    expect(engine.status.status).toBe('connecting');
    await rig.lab.signIn();
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(backend.servers).toHaveLength(1);
  });

  it('RC-28: ephemeral: tokens that the backend refuses do not switch remote control off', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'status', status: 401, times: 2 });
    const engine = await rig.start({ remoteControl: 'off' });
    expect(await resultOf(rig, 'remoteControl/enable', { ephemeral: true })).toMatchObject({
      status: 'connecting',
    });
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(rig.reports.slice(1).map(({ status }) => status)).not.toContain('disabled');
  });

  it('returns errored while it waits for the next attempt to enroll', async ({ rig }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'status', status: 500, times: 1 });
    // The response tells the status at its own time, after the preference is on disk: the wait must outlast that.
    const engine = await rig.start({
      remoteControl: 'off',
      timing: { backoffBase: 60_000, backoffCap: 60_000 },
    });
    expect(await resultOf(rig, 'remoteControl/enable')).toMatchObject({
      status: 'errored',
      environmentId: null,
    });
    expect(engine.fullStatus.remoteControl.state).toBe('active.backingOff.failed');
  });

  it('keeps trying when the backend cannot enroll for a while', async ({ rig }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'status', status: 500, times: 2 });
    const engine = await rig.start({ remoteControl: 'off' });
    expect(await resultOf(rig, 'remoteControl/enable')).toHaveProperty('environmentId');
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(engine.fullStatus.counters.enrollRequests).toBe(3);
  });

  it('ACC-7, ACC-9: invalid params are refused, and the experimental capability is required', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    const engine = await rig.connected();
    expect(await errorOf(rig, 'remoteControl/enable', { ephemeral: 'yes' })).toMatchObject({
      code: -32600,
      message: expect.stringMatching(/^Invalid request: .*ephemeral/),
    });
    const { token } = await pairController(engine, await rig.lab.backend());
    const remote = new Controller({ baseUrl: (await rig.lab.backend()).url, token });
    await remote.connect();
    await remote.request('initialize', { clientInfo: { name: 'x', version: '1' } });
    await expect(remote.request('remoteControl/status/read')).rejects.toThrow(
      /requires experimentalApi capability/,
    );
    await remote.close();
    expect(engine.status.status).toBe('connected');
  });
});
