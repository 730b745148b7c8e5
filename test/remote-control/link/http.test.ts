import type http from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createDialer, type DialerOptions } from '../../../src/net/dialer.js';
import { parseTarget } from '../../../src/net/target.js';
import { Secret } from '../../../src/protocol/secret.js';
import { ARCH, OS } from '../../../src/remote-control/link/enrollment-requests.js';
import { type BackendHttp, createBackendHttp } from '../../../src/remote-control/link/http.js';
import { connectProxy, httpServer, TEST_CA } from '../../support/http.js';

const ACCESS = 'access-token-of-the-account';
const SERVER_TOKEN = 'rct-0123456789';
const who = { account: { accountId: 'account-A' }, accessToken: new Secret(ACCESS) };
const enrollment = { serverId: 'srv_1', environmentId: 'env_1', serverName: 'höst' };
const identity = { installationId: 'inst-1', serverName: 'höst', appServerVersion: '1.2.3' };
const never = new AbortController().signal;
const later = (seconds = 3_600): string => new Date(Date.now() + seconds * 1_000).toISOString();
const grant = (changes: object = {}) => ({
  server_id: 'srv_1',
  environment_id: 'env_1',
  remote_control_token: SERVER_TOKEN,
  expires_at: later(),
  ...changes,
});

interface Setup {
  readonly dialer?: DialerOptions;
  readonly allowHosts?: readonly string[];
  readonly requestTimeout?: number;
  readonly now?: () => number;
}

function backendAt(origin: string, setup: Setup = {}): BackendHttp {
  const parsed = parseTarget(`${origin}/backend-api`, { allowHosts: setup.allowHosts ?? [] });
  if (!parsed.ok) throw new Error(parsed.message);
  return createBackendHttp({
    target: parsed.target,
    dialer: createDialer(setup.dialer ?? { env: {} }),
    env: { now: setup.now ?? Date.now },
    timing: { requestTimeout: setup.requestTimeout ?? 10_000 },
    identity,
  });
}

type Respond = (response: http.ServerResponse) => void;
const json =
  (value: unknown, status = 200, headers: Record<string, string> = {}): Respond =>
  (response) =>
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));

async function serve(respond: Respond, setup: Setup = {}) {
  const server = await httpServer((response) => respond(response));
  return { server, backend: backendAt(server.origin, setup) };
}

/** The failure of an outcome, which contains no credentials. */
function failureOf<T extends { readonly kind: string }>(outcome: T) {
  if (!('failure' in outcome)) throw new Error(`not a failure but ${outcome.kind}`);
  const text = JSON.stringify(outcome);
  expect(text).not.toContain(ACCESS);
  expect(text).not.toContain(SERVER_TOKEN);
  return outcome as T & { failure: { message: string; detail?: string; reason: string } };
}

describe('enroll', () => {
  it('RC-9: sends exactly the known headers and body, and returns the identity', async () => {
    const { server, backend } = await serve(json(grant({ future_field: true })));
    const outcome = await backend.enroll(who, never);
    expect(outcome).toMatchObject({ kind: 'granted', enrollment });
    if (outcome.kind !== 'granted') return;
    expect(outcome.token.secret.reveal()).toBe(SERVER_TOKEN);
    expect(Math.abs(outcome.token.expiresAt - Date.now() - 3_600_000)).toBeLessThan(5_000);

    const [request] = server.seen;
    expect(request).toMatchObject({ method: 'POST', url: '/backend-api/wham/remote/control/server/enroll' });
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${ACCESS}`,
      'chatgpt-account-id': 'account-A',
      'x-codex-installation-id': 'inst-1',
      'content-type': 'application/json',
    });
    const names = Object.keys(request?.headers ?? {});
    expect(names.filter((name) => name.startsWith('x-'))).toEqual(['x-codex-installation-id']);
    expect(names).not.toContain('cookie');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      name: 'höst',
      os: OS,
      arch: ARCH,
      app_server_version: '1.2.3',
      installation_id: 'inst-1',
    });
    await server.idle();
  });

  it('RC-9: names system and processor as Rust does', () => {
    expect(OS).toBe({ linux: 'linux', darwin: 'macos', win32: 'windows' }[process.platform as string]);
    expect(ARCH).toBe({ x64: 'x86_64', arm64: 'aarch64' }[process.arch as string]);
  });

  it('RC-13: returns a token that has expired already, which must be refreshed', async () => {
    const { backend } = await serve(json(grant({ expires_at: '2020-01-01T00:00:00Z' })));
    expect(await backend.enroll(who, never)).toMatchObject({
      kind: 'granted',
      token: { expiresAt: Date.parse('2020-01-01T00:00:00Z') },
    });
  });

  it.each([2, -2])(
    'RC-13: a clock that is wrong by %i hours does not change how long a token is valid',
    async (hours) => {
      const now = () => Date.now() + hours * 3_600_000;
      const { backend } = await serve(json(grant()), { now });
      const outcome = await backend.enroll(who, never);
      if (outcome.kind !== 'granted') throw new Error(outcome.failure.message);
      expect(Math.abs(outcome.token.expiresAt - now() - 3_600_000)).toBeLessThan(5_000);
    },
  );

  it.each<[string, unknown]>([
    ['no server_id', grant({ server_id: undefined })],
    ['an empty server_id', grant({ server_id: '' })],
    ['a server_id that cannot be a header', grant({ server_id: 'srv\r\nx: y' })],
    ['no environment_id', grant({ environment_id: undefined })],
    ['an environment_id of another type', grant({ environment_id: 7 })],
    ['no token', grant({ remote_control_token: undefined })],
    ['an empty token', grant({ remote_control_token: '' })],
    ['a token that cannot be a header', grant({ remote_control_token: `${SERVER_TOKEN}\n` })],
    ['no expiry', grant({ expires_at: undefined })],
    ['an expiry that is not a time', grant({ expires_at: 'tomorrow' })],
    ['an expiry on a day that does not exist', grant({ expires_at: '2026-02-30T00:00:00Z' })],
    ['an expiry as a number', grant({ expires_at: 1795208672 })],
    ['an array', [grant()]],
    ['null', null],
  ])('RC-9: a response with %s is backendBadAnswer and shows no token', async (_what, value) => {
    const { backend } = await serve(json(value));
    const fault = failureOf(await backend.enroll(who, never));
    expect(fault).toMatchObject({ kind: 'other', failure: { reason: 'backendBadAnswer', httpStatus: 200 } });
  });

  it.each([`<html>${SERVER_TOKEN}</html>`, '', `{"remote_control_token":"${SERVER_TOKEN}"`])(
    'RC-11: a response that is not JSON is backendBadAnswer and shows no token: %j',
    async (text) => {
      const { backend } = await serve((response) => response.end(text));
      const fault = failureOf(await backend.enroll(who, never));
      expect(fault).toMatchObject({ kind: 'other', failure: { reason: 'backendBadAnswer' } });
      expect(fault.failure.message).toContain('it is not JSON');
    },
  );
});

describe('refresh', () => {
  const refresh = (backend: BackendHttp, signal = never) => backend.refresh({ ...who, enrollment }, signal);

  it('RC-10: sends the same headers and only the two ids', async () => {
    const { server, backend } = await serve(json(grant()));
    expect(await refresh(backend)).toMatchObject({ kind: 'granted' });
    const [request] = server.seen;
    expect(request).toMatchObject({ method: 'POST', url: '/backend-api/wham/remote/control/server/refresh' });
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${ACCESS}`,
      'chatgpt-account-id': 'account-A',
      'x-codex-installation-id': 'inst-1',
    });
    expect(JSON.parse(request?.body ?? '')).toEqual({ server_id: 'srv_1', installation_id: 'inst-1' });
  });

  it.each([{ server_id: 'srv_2' }, { environment_id: 'env_2' }])(
    'RC-10: a response for another identity is a failure: %j',
    async (changes) => {
      const { backend } = await serve(json(grant(changes), 200, { 'x-request-id': 'req-9' }));
      const fault = failureOf(await refresh(backend));
      expect(fault).toMatchObject({
        kind: 'other',
        failure: { reason: 'identityMismatch', httpStatus: 200, requestId: 'req-9' },
      });
      expect(fault.failure.message).toContain('enrolled is srv_1 in env_1');
    },
  );

  it('RC-10: a token that has expired already is accepted, as in Codex CLI: the backend decides whether it is valid', async () => {
    const { backend } = await serve(json(grant({ expires_at: '2020-01-01T00:00:00Z' })));
    expect(await refresh(backend)).toMatchObject({ kind: 'granted' });
  });

  it.each([
    [401, 'unauthorized'],
    [403, 'unauthorized'],
    [404, 'notFound'],
    [409, 'conflict'],
    [429, 'transient'],
    [502, 'transient'],
    [418, 'other'],
  ])('RC-12: HTTP %i is %s, reported with request id, cf-ray and Retry-After', async (status, kind) => {
    const headers = { 'x-request-id': 'req-1', 'cf-ray': 'ray-1', 'retry-after': '8' };
    const { backend } = await serve(
      json({ detail: 'scripted', remote_control_token: SERVER_TOKEN }, status, headers),
    );
    const before = Date.now();
    const fault = failureOf(await refresh(backend));
    expect(fault).toMatchObject({
      kind,
      failure: { httpStatus: status, requestId: 'req-1', cfRay: 'ray-1' },
    });
    expect(fault.failure.message).toContain('/wham/remote/control/server/refresh');
    expect(fault.failure.message).toContain('scripted');
    const retryAfterAt = 'retryAfterAt' in fault.failure ? Number(fault.failure.retryAfterAt) : 0;
    expect(retryAfterAt).toBeGreaterThanOrEqual(before + 8_000);
    expect(retryAfterAt).toBeLessThanOrEqual(Date.now() + 8_000);
  });

  it.each([301, 302, 303, 307, 308])(
    'RC-3: HTTP %i is not followed, not even on the same host',
    async (status) => {
      const trap = await httpServer((response) => response.end());
      for (const location of [`${trap.origin}/steal`, '/backend-api/elsewhere', 'http://[bad']) {
        const { server, backend } = await serve((response) => response.writeHead(status, { location }).end());
        expect(failureOf(await refresh(backend))).toMatchObject({
          kind: 'other',
          failure: { reason: 'redirectRefused', httpStatus: status },
        });
        expect(server.seen).toHaveLength(1);
        await server.idle();
      }
      expect(trap.seen).toEqual([]);
    },
  );

  it('RC-11: a request without a response times out and leaves no connection', async () => {
    const { server, backend } = await serve(() => {}, { requestTimeout: 100 });
    expect(failureOf(await refresh(backend))).toMatchObject({
      kind: 'transient',
      failure: { reason: 'backendTimeout', message: expect.stringContaining('within 0.1 s') },
    });
    await server.idle();
  });

  it('RC-11: the limit covers the body too', async () => {
    const { server, backend } = await serve((response) => response.writeHead(200).write('{"server_id":'), {
      requestTimeout: 150,
    });
    expect(failureOf(await refresh(backend))).toMatchObject({
      kind: 'transient',
      failure: { reason: 'backendTimeout' },
    });
    await server.idle();
  });

  it('RC-12: a status counts even when its body never ends', async () => {
    const { server, backend } = await serve((response) => response.writeHead(404).write('not h'), {
      requestTimeout: 150,
    });
    const fault = failureOf(await refresh(backend));
    expect(fault).toMatchObject({ kind: 'notFound', failure: { httpStatus: 404 } });
    expect(fault.failure.message).toContain('not h');
    await server.idle();
  });

  it.each([200, 500])('RC-11: reads at most 1 MiB of a body (HTTP %i)', async (status) => {
    const part = Buffer.alloc(64 * 1024, 'y');
    const { server, backend } = await serve((response) => {
      response.writeHead(status);
      const more = (): void => {
        if (!response.destroyed) response.write(part, () => setImmediate(more));
      };
      more();
    });
    const fault = failureOf(await refresh(backend));
    expect(fault.failure.reason).toBe(status === 200 ? 'backendBadAnswer' : 'backendUnavailable');
    await server.idle();
  });

  it('RC-11: the limit of a compressed body counts after decompression', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024));
    const { server, backend } = await serve((response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb),
    );
    const before = process.memoryUsage().rss;
    expect(failureOf(await refresh(backend)).failure.reason).toBe('backendBadAnswer');
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
    await server.idle();
  });

  it('RC-43: an abort ends the request in flight and its connection', async () => {
    const { server, backend } = await serve(() => {});
    const controller = new AbortController();
    const running = refresh(backend, controller.signal);
    server.server.once('request', () => controller.abort(new Error('stop')));
    await expect(running).rejects.toThrow('stop');
    await server.idle();
    await expect(refresh(backend, AbortSignal.abort())).rejects.toThrow();
    expect(server.seen.length).toBeLessThanOrEqual(1);
  });

  it('RC-43: an abort in the middle of a body ends the request too', async () => {
    const controller = new AbortController();
    const { server, backend } = await serve((response) => {
      response.writeHead(200).write('{"server_id":', () => setTimeout(() => controller.abort(), 20));
    });
    await expect(refresh(backend, controller.signal)).rejects.toThrow();
    await server.idle();
  });

  it('RC-12: a backend that is down, drops the connection or sends garbage is a failure with that reason', async () => {
    const gone = await httpServer(() => {});
    await gone.close();
    expect(failureOf(await refresh(backendAt(gone.origin)))).toMatchObject({
      kind: 'other',
      failure: { reason: 'networkUnreachable', message: expect.stringContaining('ECONNREFUSED') },
    });
    const dropping = await serve((response) => response.destroy());
    expect(failureOf(await refresh(dropping.backend))).toMatchObject({
      kind: 'other',
      failure: { reason: 'networkUnreachable' },
    });
    const nonsense = await serve((response) => {
      response.socket?.end('this is not HTTP\r\n\r\n');
    });
    expect(failureOf(await refresh(nonsense.backend))).toMatchObject({
      kind: 'other',
      failure: { reason: 'backendBadAnswer' },
    });
    const torn = await serve((response) => {
      response.writeHead(200, { 'content-length': '500' }).write('{');
      setTimeout(() => response.destroy(), 20);
    });
    expect(failureOf(await refresh(torn.backend))).toMatchObject({ kind: 'other' });
  });

  it('RC-25b: an untrusted certificate is tlsFailed', async () => {
    const server = await httpServer(json(grant()), true);
    const fault = failureOf(await refresh(backendAt(server.origin)));
    expect(fault).toMatchObject({ kind: 'other', failure: { reason: 'tlsFailed' } });
    expect(server.seen).toEqual([]);
    const trusting = backendAt(server.origin, { dialer: { env: {}, caCertPem: TEST_CA } });
    expect(await refresh(trusting)).toMatchObject({ kind: 'granted' });
  });

  it('RC-25b: uses the proxy of the environment, and a proxy that refuses is proxyFailed', async () => {
    const server = await httpServer(json(grant()), true);
    const proxy = await connectProxy({ to: server.port, user: 'me:pw' });
    const setup = (address: string): Setup => ({
      allowHosts: ['backend.test'],
      dialer: { env: { HTTPS_PROXY: address }, caCertPem: TEST_CA },
    });
    const through = backendAt('https://backend.test', setup(`http://me:pw@127.0.0.1:${proxy.port}`));
    expect(await refresh(through)).toMatchObject({ kind: 'granted' });
    expect(proxy.asked).toEqual(['backend.test:443']);

    const refused = failureOf(
      await refresh(backendAt('https://backend.test', setup(`http://me:wr0ng@127.0.0.1:${proxy.port}`))),
    );
    expect(refused).toMatchObject({ kind: 'other', failure: { reason: 'proxyFailed' } });
    expect(refused.failure.message).toContain(`proxy http://127.0.0.1:${proxy.port} refused the user`);
    expect(refused.failure.message).not.toContain('wr0ng');
  });

  it('RC-11: a silent proxy times out, and its connection is closed', async () => {
    const proxy = await connectProxy({ to: 1, hang: true });
    const backend = backendAt('https://backend.test', {
      allowHosts: ['backend.test'],
      dialer: { env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } },
      requestTimeout: 150,
    });
    expect(failureOf(await refresh(backend))).toMatchObject({
      kind: 'transient',
      failure: {
        reason: 'backendTimeout',
        message: expect.stringContaining(`http://127.0.0.1:${proxy.port}`),
      },
    });
    await proxy.idle();
  });
});

describe('pair', () => {
  const answer = (changes: object = {}) => ({
    pairing_code: 'PAIRCODE',
    manual_pairing_code: 'ABCD-EFGH',
    server_id: 'srv_1',
    environment_id: 'env_1',
    expires_at: '2026-11-20T21:04:32Z',
    ...changes,
  });
  const pair = (backend: BackendHttp, manual = true) =>
    backend.pair({ enrollment, token: new Secret(SERVER_TOKEN), manual }, never);

  it('RC-47: sends the server token only, and shows no code', async () => {
    const { server, backend } = await serve(json(answer()));
    const outcome = await pair(backend);
    expect(JSON.stringify(outcome)).not.toMatch(/PAIRCODE|ABCD/);
    if (outcome.kind !== 'granted') throw new Error(outcome.failure.message);
    expect(outcome.code.pairingCode.reveal()).toBe('PAIRCODE');
    expect(outcome.code.manualPairingCode?.reveal()).toBe('ABCD-EFGH');
    expect(outcome.code).toMatchObject({
      environmentId: 'env_1',
      expiresAt: Date.parse('2026-11-20T21:04:32Z'),
    });
    const [request] = server.seen;
    expect(request).toMatchObject({ method: 'POST', url: '/backend-api/wham/remote/control/server/pair' });
    expect(request?.headers.authorization).toBe(`Bearer ${SERVER_TOKEN}`);
    expect(request?.headers).not.toHaveProperty('chatgpt-account-id');
    expect(JSON.parse(request?.body ?? '')).toEqual({ manual_code: true });
  });

  it('RC-47: a manual code may be missing or null', async () => {
    for (const manual_pairing_code of [null, undefined]) {
      const { server, backend } = await serve(json(answer({ manual_pairing_code })));
      expect(await pair(backend, false)).toMatchObject({
        kind: 'granted',
        code: { manualPairingCode: null },
      });
      expect(JSON.parse(server.seen[0]?.body ?? '')).toEqual({ manual_code: false });
    }
  });

  it.each([{ server_id: 'srv_2' }, { environment_id: 'env_2' }])(
    'RC-47: a response for another identity is a failure that shows no code: %j',
    async (changes) => {
      const { backend } = await serve(json(answer(changes)));
      const fault = failureOf(await pair(backend));
      expect(fault).toMatchObject({ kind: 'other', failure: { reason: 'identityMismatch' } });
      expect(JSON.stringify(fault)).not.toMatch(/PAIRCODE|ABCD/);
    },
  );

  it.each([{ pairing_code: undefined }, { pairing_code: '' }, { expires_at: 'soon' }])(
    'RC-47: a bad response shows no code: %j',
    async (changes) => {
      const { backend } = await serve(json(answer(changes)));
      const fault = failureOf(await pair(backend));
      expect(fault).toMatchObject({ kind: 'other', failure: { reason: 'backendBadAnswer' } });
      expect(JSON.stringify(fault)).not.toMatch(/PAIRCODE|ABCD/);
    },
  );

  it('RC-47: 401 and 403 mean the server token, 404 the identity', async () => {
    for (const [status, kind, reason] of [
      [401, 'unauthorized', 'tokenRejected'],
      [403, 'unauthorized', 'tokenRejected'],
      [404, 'notFound', 'backendNotFound'],
    ] as const) {
      const { backend } = await serve(json({}, status));
      expect(failureOf(await pair(backend))).toMatchObject({ kind, failure: { reason } });
    }
  });
});

describe('pairStatus', () => {
  const token = new Secret(SERVER_TOKEN);

  it('RC-48: sends exactly the given code and returns whether it was claimed', async () => {
    const { server, backend } = await serve(json({ claimed: true }));
    const byCode = { token, pairingCode: new Secret('PAIRCODE'), manualPairingCode: null };
    const byHand = { token, pairingCode: null, manualPairingCode: new Secret('ABCD-EFGH') };
    expect(await backend.pairStatus(byCode, never)).toEqual({ kind: 'known', claimed: true });
    expect(await backend.pairStatus(byHand, never)).toEqual({ kind: 'known', claimed: true });
    expect(server.seen.map((request) => [request.url, request.body, request.headers.authorization])).toEqual([
      [
        '/backend-api/wham/remote/control/server/pair/status',
        '{"pairing_code":"PAIRCODE"}',
        `Bearer ${SERVER_TOKEN}`,
      ],
      [
        '/backend-api/wham/remote/control/server/pair/status',
        '{"manual_pairing_code":"ABCD-EFGH"}',
        `Bearer ${SERVER_TOKEN}`,
      ],
    ]);
  });

  it.each([404, 410])('RC-48: HTTP %i: the code is unknown, and its echo is not shown', async (status) => {
    const { backend } = await serve(json({ detail: 'no code PAIRCODE' }, status));
    const fault = failureOf(
      await backend.pairStatus(
        { token, pairingCode: new Secret('PAIRCODE'), manualPairingCode: null },
        never,
      ),
    );
    expect(fault.kind).toBe('notFound');
    expect(JSON.stringify(fault)).not.toContain('PAIRCODE');
  });

  it('RC-48: a response without claimed is backendBadAnswer', async () => {
    const { backend } = await serve(json({}));
    const outcome = await backend.pairStatus(
      { token, pairingCode: new Secret('X'), manualPairingCode: null },
      never,
    );
    expect(failureOf(outcome).failure.reason).toBe('backendBadAnswer');
  });
});

describe('controllers', () => {
  it('RC-49: lists with the account token and the query; missing fields are null', async () => {
    const { server, backend } = await serve(
      json({
        items: [
          { client_id: 'c1', display_name: 'Phone', last_seen_at: '2026-11-20T21:04:32.9Z', extra: 1 },
          { client_id: 'c2', platform: null },
        ],
        cursor: 'next/1',
      }),
    );
    const query = { environmentId: 'env/1', cursor: 'a b', limit: 50, order: 'desc' as const };
    expect(await backend.listControllers({ ...who, ...query }, never)).toEqual({
      kind: 'listed',
      page: {
        data: [
          {
            clientId: 'c1',
            displayName: 'Phone',
            deviceType: null,
            platform: null,
            osVersion: null,
            deviceModel: null,
            appVersion: null,
            lastSeenAt: Date.parse('2026-11-20T21:04:32Z') / 1_000,
          },
          expect.objectContaining({ clientId: 'c2', platform: null, lastSeenAt: null }),
        ],
        nextCursor: 'next/1',
      },
    });
    const [request] = server.seen;
    expect(request).toMatchObject({
      method: 'GET',
      url: '/backend-api/wham/remote/control/environments/env%2F1/clients?cursor=a+b&limit=50&order=desc',
      body: '',
    });
    expect(request?.headers).toMatchObject({
      authorization: `Bearer ${ACCESS}`,
      'chatgpt-account-id': 'account-A',
    });
  });

  it('RC-49: lists without a query, and an empty page has no cursor', async () => {
    const { server, backend } = await serve(json({ items: [] }));
    const request = { ...who, environmentId: 'env_1', cursor: null, limit: undefined };
    expect(await backend.listControllers(request, never)).toEqual({
      kind: 'listed',
      page: { data: [], nextCursor: null },
    });
    expect(server.seen[0]?.url).toBe('/backend-api/wham/remote/control/environments/env_1/clients');
  });

  it('RC-49: revokes with DELETE and ignores the body of a success', async () => {
    const { server, backend } = await serve((response) => response.writeHead(204).end());
    expect(
      await backend.revokeController({ ...who, environmentId: 'env_1', clientId: 'c/ü' }, never),
    ).toEqual({
      kind: 'revoked',
    });
    expect(server.seen[0]).toMatchObject({
      method: 'DELETE',
      url: '/backend-api/wham/remote/control/environments/env_1/clients/c%2F%C3%BC',
    });
  });

  it('RC-49: an id that leads to another route is refused before any request', async () => {
    const { server, backend } = await serve(json({ items: [] }));
    for (const id of ['..', '.', '']) {
      expect(failureOf(await backend.listControllers({ ...who, environmentId: id }, never)).kind).toBe(
        'other',
      );
      const revoke = await backend.revokeController({ ...who, environmentId: 'env_1', clientId: id }, never);
      expect(failureOf(revoke).failure.reason).toBe('backendRefused');
    }
    expect(server.seen).toEqual([]);
  });

  it('RC-49: distinguishes invalid parameters, missing rights and unknown controllers', async () => {
    for (const [status, kind] of [
      [400, 'other'],
      [401, 'unauthorized'],
      [403, 'unauthorized'],
      [404, 'notFound'],
    ] as const) {
      const { backend } = await serve(json({}, status));
      const outcome = await backend.revokeController({ ...who, environmentId: 'e', clientId: 'c' }, never);
      expect(failureOf(outcome)).toMatchObject({ kind, failure: { httpStatus: status } });
    }
  });

  it('RC-49: an invalid list is backendBadAnswer', async () => {
    for (const value of [{}, { items: [{}] }, { items: [{ client_id: 'c', last_seen_at: 'yesterday' }] }]) {
      const { backend } = await serve(json(value));
      const outcome = await backend.listControllers({ ...who, environmentId: 'e' }, never);
      expect(failureOf(outcome).failure.reason).toBe('backendBadAnswer');
    }
  });
});
