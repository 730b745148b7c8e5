/** `remoteControl/pairing/*` and `remoteControl/client/*` as a local client calls them, with a real backend. */
import { describe, expect } from 'vitest';
import { claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import { it } from '../support/engine-rig.js';
import type { Json } from '../support/lab.js';
import { type Answer, call, errorOf, fault, pairController, resultOf } from '../support/peers.js';

describe('remoteControl/pairing', () => {
  it('RC-47, RC-48: returns a code with its expiry in seconds, and whether it was claimed', async ({
    rig,
  }) => {
    const engine = await rig.connected();
    const backend = await rig.lab.backend();
    const first = await resultOf(rig, 'remoteControl/pairing/start', { manualCode: true });
    expect(first).toEqual({
      pairingCode: expect.any(String),
      manualPairingCode: expect.any(String),
      environmentId: engine.status.environmentId,
      expiresAt: expect.any(Number),
    });
    expect(Number(first.expiresAt) - Date.now() / 1000).toBeGreaterThan(500);
    expect(Number(first.expiresAt) - Date.now() / 1000).toBeLessThan(700);
    const status = (params: object) => resultOf(rig, 'remoteControl/pairing/status', params);
    expect(await status({ pairingCode: first.pairingCode })).toEqual({ claimed: false });
    await claim(
      { baseUrl: backend.url },
      { kind: 'manual', code: new Secret(String(first.manualPairingCode)) },
    );
    expect(await status({ manualPairingCode: first.manualPairingCode })).toEqual({ claimed: true });
    for (const params of [{}, { pairingCode: 'a', manualPairingCode: 'b' }, { pairingCode: 5 }]) {
      expect(await errorOf(rig, 'remoteControl/pairing/status', params)).toMatchObject({ code: -32600 });
    }
    expect(await errorOf(rig, 'remoteControl/pairing/status', { pairingCode: 'unknown' })).toMatchObject({
      message: expect.stringMatching(/^Not found: /),
    });
  });

  it('RC-48: an older code that is claimed does not end the one that is shown', async ({ rig }) => {
    await rig.connected();
    const { url } = await rig.lab.backend();
    const older = await resultOf(rig, 'remoteControl/pairing/start');
    await claim({ baseUrl: url }, { kind: 'pairing', code: new Secret(String(older.pairingCode)) });
    const newer = await resultOf(rig, 'remoteControl/pairing/start');
    const status = (code: unknown) => resultOf(rig, 'remoteControl/pairing/status', { pairingCode: code });
    const pairing = async () => {
      const { records } = await rig.lab.ask('engine/audit/read');
      return (records as Json[]).findLast(({ subject }) => subject === 'pairing')?.reason;
    };
    expect(await status(older.pairingCode)).toEqual({ claimed: true });
    expect(await pairing()).toBe('pairingCodeShown');
    await claim({ baseUrl: url }, { kind: 'pairing', code: new Secret(String(newer.pairingCode)) });
    expect(await status(newer.pairingCode)).toEqual({ claimed: true });
    expect(await pairing()).toBe('pairingClaimed');
  });

  it('RC-47: waits for an enrollment in progress, and never enrolls itself', async ({ rig }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'truth', delayMs: 100 });
    const engine = await rig.start();
    const both = await Promise.all([
      resultOf(rig, 'remoteControl/pairing/start'),
      resultOf(rig, 'remoteControl/pairing/start', { manualCode: true }),
    ]);
    expect(both.map(({ environmentId }) => environmentId)).toEqual([
      engine.status.environmentId,
      engine.status.environmentId,
    ]);
    expect(both.map(({ manualPairingCode }) => manualPairingCode === null)).toEqual([true, false]);
    expect(engine.fullStatus.counters.enrollRequests).toBe(1);
  });

  it.for([401, 403])('RC-47: %i leads to one refresh and one more attempt', async (status, { rig }) => {
    const engine = await rig.connected();
    fault(await rig.lab.backend(), { route: 'pair', answer: 'status', status });
    expect(await resultOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      pairingCode: expect.any(String),
    });
    expect(engine.fullStatus.counters).toMatchObject({
      enrollRequests: 1,
      refreshRequests: 1,
      linksOpened: 1,
    });
    fault(await rig.lab.backend(), { route: 'pair', answer: 'status', status, times: 2 });
    expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({ code: -32600 });
    expect(rig.lab.requests('pair')).toBe(4);
    expect(engine.status.status).toBe('connected');
  });

  it('RC-47: an expired token is refreshed first, while the link stays open', async ({ rig }) => {
    const backend = await rig.lab.backend();
    fault(backend, {
      route: 'enroll',
      answer: 'patch',
      members: { expires_at: new Date(Date.now() + 31_000).toISOString() },
    });
    // The link opens with a token that is soon too old to be used.
    const engine = await rig.connected({ timing: { refreshRequired: 30_500, refreshProactive: 30_600 } });
    await rig.until(
      () => Number(engine.fullStatus.remoteControl.tokenExpiresAt) - Date.now() < 30_500,
      'old token',
    );
    expect(await resultOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      pairingCode: expect.any(String),
    });
    expect(engine.fullStatus.counters).toMatchObject({
      enrollRequests: 1,
      refreshRequests: 1,
      linksOpened: 1,
    });
  });

  it('RC-47: 404 clears the enrollment, pairing is unavailable, and remote control enrolls again', async ({
    rig,
  }) => {
    const engine = await rig.connected();
    const { environmentId } = engine.status;
    fault(await rig.lab.backend(), { route: 'pair', answer: 'status', status: 404 });
    expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      code: -32600,
      message: expect.stringMatching(/unavailable until enrollment completes/),
    });
    await rig.reached(
      engine,
      (report) => report.status === 'connected' && report.environmentId !== environmentId,
      'new identity',
    );
    expect(engine.fullStatus.counters.enrollRequests).toBe(2);
    expect(await resultOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      environmentId: engine.status.environmentId,
    });
  });

  it('RC-47: a code for another server is refused', async ({ rig }) => {
    const engine = await rig.connected();
    fault(await rig.lab.backend(), { route: 'pair', answer: 'otherServer' });
    expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      data: { reason: 'identityMismatch' },
    });
    expect(engine.status.status).toBe('connected');
  });

  it.for([
    ['garbage', { answer: 'garbage' }, 'backendBadAnswer'],
    ['a server error', { answer: 'status', status: 500 }, 'backendUnavailable'],
    ['nothing', { answer: 'hang' }, 'backendTimeout'],
  ] as const)(
    'RC-47: %s instead of a code is an error, and the link stays',
    async ([, what, reason], { rig }) => {
      const engine = await rig.connected();
      fault(await rig.lab.backend(), { route: 'pair', ...what } as Answer);
      expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({ data: { reason } });
      expect(engine.fullStatus.counters.linksOpened).toBe(1);
      expect(await resultOf(rig, 'remoteControl/pairing/start')).toMatchObject({
        pairingCode: expect.any(String),
      });
    },
  );

  it('is unavailable while remote control is off, or cannot enroll', async ({ rig }) => {
    await rig.lab.signIn();
    const off = await rig.start({ remoteControl: 'off' });
    expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({ data: { reason: 'disabled' } });
    expect(await errorOf(rig, 'remoteControl/pairing/status', { pairingCode: 'x' })).toMatchObject({
      data: { reason: 'pairingUnavailable' },
    });
    await off.stop();
    fault(await rig.lab.backend(), { route: 'enroll', answer: 'status', status: 400, times: 99 });
    const engine = await rig.start();
    await rig.reached(engine, ({ status }) => status === 'errored', 'errored');
    expect(await errorOf(rig, 'remoteControl/pairing/start')).toMatchObject({
      message: expect.stringMatching(/until enrollment completes: .*HTTP 400/),
      data: { reason: 'pairingUnavailable' },
    });
  });

  it('a pairing that is in progress when remote control is switched off fails with that reason', async ({
    rig,
  }) => {
    const engine = await rig.connected({ timing: { requestTimeout: 30_000 } });
    fault(await rig.lab.backend(), { route: 'pair', answer: 'hang' });
    const pairing = errorOf(rig, 'remoteControl/pairing/start');
    await rig.until(() => rig.lab.tap.requests.some((line) => line.includes('/pair ')), 'request');
    await resultOf(rig, 'remoteControl/disable', { ephemeral: true });
    expect(await pairing).toMatchObject({
      message: expect.stringMatching(/[Pp]airing/),
      data: { reason: 'pairingUnavailable' },
    });
    expect(engine.status.status).toBe('disabled');
  });
});

describe('remoteControl/client', () => {
  it('RC-49: lists the controllers of an environment in pages, in both orders', async ({ rig }) => {
    const engine = await rig.connected();
    const backend = await rig.lab.backend();
    const clients = [];
    for (let n = 0; n < 3; n += 1) clients.push((await pairController(engine, backend)).clientId);
    const { environmentId } = engine.status;
    const list = (params: object) => resultOf(rig, 'remoteControl/client/list', { environmentId, ...params });
    const all = await list({});
    expect(all).toEqual({ data: expect.any(Array), nextCursor: null });
    const ids = (page: Json) => (page.data as Json[]).map(({ clientId }) => clientId);
    expect(ids(all).sort()).toEqual([...clients].sort());
    expect((all.data as Json[])[0]).toEqual({
      clientId: expect.any(String),
      displayName: null,
      deviceType: null,
      platform: null,
      osVersion: null,
      deviceModel: null,
      appVersion: null,
      lastSeenAt: expect.toSatisfy((at) => at === null || Number.isInteger(at)),
    });
    const first = await list({ limit: 2, order: 'asc' });
    const rest = await list({ limit: 2, order: 'asc', cursor: first.nextCursor });
    expect([...ids(first), ...ids(rest)]).toHaveLength(3);
    expect(new Set([...ids(first), ...ids(rest)])).toEqual(new Set(clients));
    expect(ids(await list({ order: 'desc' }))).toEqual([...ids(first), ...ids(rest)].reverse());
    for (const params of [
      { limit: 0 },
      { limit: 101 },
      { limit: 1.5 },
      { order: 'random' },
      { environmentId: '' },
      { environmentId: '..' },
    ]) {
      expect(await errorOf(rig, 'remoteControl/client/list', { environmentId, ...params })).toMatchObject({
        code: -32600,
        message: expect.stringMatching(/^Invalid request: /),
      });
    }
  });

  it('RC-49: a revoked controller is disconnected at once', async ({ rig }) => {
    const engine = await rig.connected();
    const backend = await rig.lab.backend();
    const { clientId, token } = await pairController(engine, backend);
    const controller = new Controller({ baseUrl: backend.url, token });
    await controller.connect();
    const ended = new Promise<string | undefined>((resolve) =>
      controller.onClose((error) => resolve(error?.message)),
    );
    const { environmentId } = engine.status;
    expect(await resultOf(rig, 'remoteControl/client/revoke', { environmentId, clientId })).toEqual({});
    expect(await ended).toMatch(/revoked/);
    expect((await resultOf(rig, 'remoteControl/client/list', { environmentId })).data).toEqual([]);
    expect(await errorOf(rig, 'remoteControl/client/revoke', { environmentId, clientId })).toMatchObject({
      message: expect.stringMatching(/^Not found: /),
    });
    await controller.close();
  });

  it('RC-49: path segments are percent-encoded; ids that lead to another route are refused before any request', async ({
    rig,
  }) => {
    await rig.connected();
    await call(rig, 'remoteControl/client/revoke', { environmentId: 'a/b?c', clientId: 'ü%2e' });
    expect(rig.lab.tap.requests.at(-1)).toBe(
      'DELETE /backend-api/wham/remote/control/environments/a%2Fb%3Fc/clients/%C3%BC%252e HTTP/1.1',
    );
    const requests = rig.lab.tap.requests.length;
    for (const clientId of ['', '.', '..', '\ud800']) {
      expect(
        await errorOf(rig, 'remoteControl/client/revoke', { environmentId: 'e', clientId }),
      ).toMatchObject({
        code: -32600,
      });
    }
    expect(rig.lab.tap.requests.length).toBe(requests);
  });

  it.for([
    [400, -32602, /^Invalid params: .*HTTP 400/],
    [403, -32600, /^Denied: .*HTTP 403/],
    [404, -32600, /^Not found: .*HTTP 404/],
    [500, -32600, /HTTP 500/],
  ] as const)('RC-49: HTTP %i is the JSON-RPC error %i', async ([status, code, said], { rig }) => {
    const engine = await rig.connected();
    fault(await rig.lab.backend(), { route: 'clients', answer: 'status', status, times: 3 });
    const { environmentId } = engine.status;
    expect(await errorOf(rig, 'remoteControl/client/list', { environmentId })).toMatchObject({
      code,
      message: expect.stringMatching(said),
    });
    expect(engine.status.status).toBe('connected');
  });
});
