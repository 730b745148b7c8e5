/** The engine with a backend that misbehaves, over real sockets with short delays. */
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect } from 'vitest';
import { WebSocketServer } from 'ws';
import type { Backend, FaultInput } from '../../src/backend/index.js';
import type { Engine } from '../../src/engine/engine.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { it, type Rig } from '../support/engine-rig.js';
import { claimController } from '../support/peers.js';

type Answer = Extract<FaultInput, { action: 'answer' }>['fault'];
type Fault = Omit<Answer, 'route'> & { answer: Answer['answer'] } & Record<string, unknown>;

const fault = (backend: Backend, route: Answer['route'], what: Fault) =>
  backend.fault({ action: 'answer', fault: { route, ...what } as Answer });

const HTML = `<!doctype html><title>Error</title>${'<p>All our servers are busy.</p>'.repeat(40_000)}`;
const past = new Date(Date.now() - 3_600_000).toISOString();

/** A title, the response of the backend, the reason of the failure, and its message. */
const BAD_ANSWERS: readonly (readonly [string, Fault, Reason, RegExp])[] = [
  ['refuses', { answer: 'status', status: 400 }, 'backendRefused', /HTTP 400/],
  [
    'is another server',
    { answer: 'status', status: 418, body: 'teapot' },
    'backendRefused',
    /HTTP 418.*teapot/,
  ],
  ['has a server error', { answer: 'status', status: 500 }, 'backendUnavailable', /HTTP 500/],
  ['asks to slow down', { answer: 'status', status: 429 }, 'backendRateLimited', /HTTP 429/],
  ['has a conflict', { answer: 'status', status: 409 }, 'backendConflict', /HTTP 409/],
  [
    'redirects',
    { answer: 'status', status: 302, headers: { location: 'http://127.0.0.1:9/' } },
    'redirectRefused',
    /HTTP 302/,
  ],
  ['hangs', { answer: 'hang' }, 'backendTimeout', /no complete answer within/],
  ['drops the connection', { answer: 'drop' }, 'networkUnreachable', /socket hang up|reset|closed/i],
  ['answers garbage', { answer: 'garbage' }, 'backendBadAnswer', /it is not JSON/],
  [
    'answers 1 MB of HTML',
    { answer: 'status', status: 200, body: HTML },
    'backendBadAnswer',
    /larger than|not JSON/,
  ],
  [
    'answers 1 MB of HTML as an error',
    { answer: 'status', status: 502, body: HTML },
    'backendUnavailable',
    /HTTP 502/,
  ],
  [
    'answers an empty body',
    { answer: 'status', status: 200, body: '' },
    'backendBadAnswer',
    /it is not JSON/,
  ],
  ['answers a list', { answer: 'status', status: 200, body: [] }, 'backendBadAnswer', /missing or wrong/],
  ['answers null', { answer: 'status', status: 200, body: 'null' }, 'backendBadAnswer', /missing or wrong/],
  [
    'leaves the token out',
    { answer: 'patch', members: { remote_control_token: null } },
    'backendBadAnswer',
    /remote_control_token/,
  ],
  [
    'answers a token of the wrong type',
    { answer: 'patch', members: { remote_control_token: 7 } },
    'backendBadAnswer',
    /remote_control_token/,
  ],
  [
    'answers a token that cannot be a header',
    { answer: 'patch', members: { remote_control_token: 'a\nb: c' } },
    'backendBadAnswer',
    /remote_control_token/,
  ],
  [
    'answers an invalid expiry',
    { answer: 'patch', members: { expires_at: 'soon' } },
    'backendBadAnswer',
    /expires_at/,
  ],
  [
    'answers an expiry of the wrong type',
    { answer: 'patch', members: { expires_at: { in: 5 } } },
    'backendBadAnswer',
    /expires_at/,
  ],
];

const EXPIRED: Fault = { answer: 'patch', members: { expires_at: past } };

/** The reported failure names the address and is short. */
function expectReported(rig: Rig, reason: Reason, expected: RegExp): void {
  const report = rig.reports.find(({ lastFailure }) => lastFailure?.reason === reason);
  expect(report, `no ${reason} in ${rig.reports.map((report) => report.reason).join()}`).toBeDefined();
  expect(report?.lastFailure?.message).toMatch(expected);
  expect(report?.lastFailure?.message).toContain('http://127.0.0.1');
  expect(JSON.stringify(report).length).toBeLessThan(12_000);
  expect(rig.log.some(({ message }) => expected.test(message))).toBe(true);
}

const connected = (rig: Rig, engine: Engine) =>
  rig.reached(engine, ({ status }) => status === 'connected', 'connected');

describe('RC-9, RC-11, RC-12: a backend that, on enroll,', () => {
  it.for(BAD_ANSWERS)(
    '%s: is reported, nothing is stored, and the next attempt starts afresh',
    async ([, what, reason, message], { rig }) => {
      await rig.lab.signIn();
      fault(await rig.lab.backend(), 'enroll', what);
      const engine = await rig.start();
      await connected(rig, engine);
      expectReported(rig, reason, message);
      expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 2, refreshRequests: 0, dials: 1 });
      const report = rig.reports.find(({ lastFailure }) => lastFailure?.reason === reason);
      expect(report).toMatchObject({ environmentId: null, serverId: null });
    },
  );

  it('answers an expiry in the past: the identity is stored, and its token is refreshed before use', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), 'enroll', EXPIRED);
    const engine = await rig.start();
    await connected(rig, engine);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 1, dials: 1 });
  });
});

/** Starts an engine twice: the first one gets an identity, the second one meets the fault. */
async function restart(rig: Rig, what: Fault, options: Parameters<Rig['start']>[0] = {}): Promise<Engine> {
  const first = await rig.connected();
  await first.stop();
  rig.reports.length = 0;
  fault(await rig.lab.backend(), 'refresh', what);
  return rig.start(options);
}

describe('RC-10, RC-14: a backend that, on refresh,', () => {
  it.for(BAD_ANSWERS)(
    '%s: the identity stays, no socket is opened, and the next refresh succeeds',
    async ([, what, reason, message], { rig }) => {
      const engine = await restart(rig, what);
      await connected(rig, engine);
      expectReported(rig, reason, message);
      expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 0, refreshRequests: 2, dials: 1 });
      expect((await rig.lab.backend()).servers).toHaveLength(1);
    },
  );

  it('RC-10: answers an expiry in the past: the token is used, because either clock may be wrong', async ({
    rig,
  }) => {
    const engine = await restart(rig, EXPIRED);
    await rig.reached(engine, ({ state }) => state === 'active.connecting', 'connecting');
    await connected(rig, engine);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 0, refreshRequests: 1 });
  });

  it('answers for another server: is refused and reported, and the identity stays', async ({ rig }) => {
    const engine = await restart(rig, { answer: 'otherServer' });
    await connected(rig, engine);
    expectReported(rig, 'identityMismatch', /srv_of_somebody_else/);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 0, refreshRequests: 2 });
  });

  it('RC-20: no longer knows the server: the identity is cleared, and one enrollment follows at once', async ({
    rig,
  }) => {
    const first = await rig.connected();
    const { environmentId } = first.status;
    await first.stop();
    (await rig.lab.backend()).fault({ action: 'forgetServers' });
    const engine = await rig.start();
    await connected(rig, engine);
    expect(engine.status.environmentId).not.toBe(environmentId);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 1, dials: 1 });
    expect(rig.states.filter((state) => state.startsWith('active.backingOff'))).toEqual([]);
  });

  it('RC-14: Retry-After is honored', async ({ rig }) => {
    const engine = await restart(rig, { answer: 'status', status: 503, headers: { 'retry-after': '1' } });
    const report = await rig.reached(
      engine,
      ({ state }) => state === 'active.backingOff.retryAfter',
      'retryAfter',
    );
    const requests = rig.lab.tap.requests.length;
    expect(report.nextAttemptAt).toBeGreaterThan(Date.now() + 300);
    await connected(rig, engine);
    expect(Date.now()).toBeGreaterThanOrEqual((report.nextAttemptAt ?? 0) - 5);
    expect(rig.lab.tap.requests.length).toBe(requests + 2);
  });
});

describe('RC-18 to RC-25: a backend whose socket cannot be opened', () => {
  it.for([
    ['refuses with 500', { answer: 'status', status: 500 }, 'backendUnavailable'],
    ['refuses with 400', { answer: 'status', status: 400 }, 'handshakeFailed'],
    [
      'redirects',
      { answer: 'status', status: 301, headers: { location: 'http://127.0.0.1:9/' } },
      'redirectRefused',
    ],
    ['answers 200 with HTML', { answer: 'status', status: 200, body: HTML }, 'handshakeFailed'],
    ['hangs', { answer: 'hang' }, 'handshakeTimeout'],
    ['drops the connection', { answer: 'drop' }, 'handshakeFailed|networkUnreachable|linkLost'],
    ['has another connection', { answer: 'status', status: 409 }, 'connectionConflict'],
  ] as const)(
    '%s: is reported, and tried again with the same identity and token',
    async ([, what, reason], { rig }) => {
      await rig.lab.signIn();
      fault(await rig.lab.backend(), 'socket', what);
      const engine = await rig.start();
      await connected(rig, engine);
      const reasons = rig.reports.map((report) => report.lastFailure?.reason);
      expect(
        reasons.some((seen) => new RegExp(`^(?:${reason})$`).test(seen ?? '')),
        reasons.join(),
      ).toBe(true);
      expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 0, dials: 2 });
    },
  );

  it.for([401, 403])('RC-19: %i invalidates the token only', async (status, { rig }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), 'socket', { answer: 'status', status });
    const engine = await rig.start();
    await connected(rig, engine);
    expect(rig.states).toContain('active.tokenInvalid.pausing');
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 1, dials: 2 });
  });

  it('RC-20, RC-21: a 404 with the exact detail clears the identity; any other is verified first', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    const backend = await rig.lab.backend();
    fault(backend, 'socket', { answer: 'status', status: 404, body: '<h1>Not Found</h1>' });
    const engine = await rig.start();
    await connected(rig, engine);
    expect(rig.states).toContain('active.verifyingEnrollment');
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 1 });
    fault(backend, 'socket', {
      answer: 'status',
      status: 404,
      body: { detail: 'Remote app server not found' },
    });
    backend.fault({ action: 'dropSockets' });
    await rig.until(() => engine.fullStatus.counters.enrollRequests === 2, 'second enrollment');
    await connected(rig, engine);
    expect(rig.states).toContain('active.reenrolling');
  });

  it('is down, and comes back', async ({ rig }) => {
    await rig.lab.signIn();
    await rig.lab.baseUrl();
    await rig.lab.tap.refuse();
    const engine = await rig.start();
    const report = await rig.reached(engine, ({ status }) => status === 'errored', 'errored');
    expect(report.lastFailure).toMatchObject({
      reason: 'networkUnreachable',
      message: expect.stringContaining('127.0.0.1'),
    });
    await rig.lab.tap.resume();
    await connected(rig, engine);
  });

  it('RC-25: accepts and closes again and again: is reported as flapping, with growing pauses', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    fault(await rig.lab.backend(), 'socket', { answer: 'closeAfter', ms: 0, times: 5 });
    const started = performance.now();
    const engine = await rig.start();
    await rig.until(() => engine.fullStatus.counters.dials === 6, 'six dials', 10_000);
    await connected(rig, engine);
    expect(rig.reports.map(({ reason }) => reason)).toContain('flapping');
    // Half of 20, 40, 80, 100 and 100 ms at least.
    expect(performance.now() - started).toBeGreaterThan(170);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 0 });
  });
});

describe('a connection that is lost', () => {
  it('at each step of the handshake: tried again with the same identity and token', async ({ rig }) => {
    await rig.lab.signIn();
    await rig.lab.baseUrl();
    const isSocket = (line: string) => line.startsWith('GET ');
    // Where the connection is cut: bytes that still pass to the backend (up) or back (down).
    const steps = [
      { up: 0 },
      { up: 1 },
      { up: 60 },
      { down: 0 },
      { down: 1 },
      { down: 12 },
      { down: 60 },
      { down: 128 },
    ];
    const open = [...steps];
    rig.lab.tap.plan = (line) => (isSocket(line) ? open.shift() : undefined);
    const engine = await rig.start();
    await rig.until(() => open.length === 0 && engine.status.status === 'connected', 'connected', 15_000);
    expect(engine.fullStatus.counters).toMatchObject({
      enrollRequests: 1,
      refreshRequests: 0,
      dials: steps.length + 1,
    });
    expect(rig.log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('at each step of an enrollment: requested again, and one complete response counts once', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    await rig.lab.baseUrl();
    const steps = [{ up: 0 }, { up: 100 }, { down: 0 }, { down: 20 }, { down: 150 }, { down: 260 }];
    const open = [...steps];
    rig.lab.tap.plan = (line) => (line.startsWith('POST ') ? open.shift() : undefined);
    const engine = await rig.start();
    await rig.until(() => engine.status.status === 'connected', 'connected', 15_000);
    expect(engine.fullStatus.counters.enrollRequests).toBe(steps.length + 1);
    expect(open).toEqual([]);
    const { environmentId } = engine.status;
    await engine.stop();
    const next = await rig.start();
    await connected(rig, next);
    expect(next.status.environmentId).toBe(environmentId);
  });

  it('RC-36, RC-37, RC-39: in the middle of a chunked message, in both directions: nothing is lost or delivered twice', async ({
    rig,
  }) => {
    const engine = await rig.connected();
    const backend = await rig.lab.backend();
    const controller = await claimController(engine, backend);
    const payload = 'chunked '.repeat(120_000);
    const { tap } = rig.lab;
    // Request and response are about 1 MB each, in chunks; the connection is cut in the middle of both.
    for (const cut of [{ down: 600_000 }, { up: 600_000 }]) {
      let cuts = 0;
      tap.plan = (line) => (line.startsWith('GET ') && cuts++ === 0 ? cut : undefined);
      const { linksOpened } = engine.fullStatus.counters;
      backend.fault({ action: 'closeSockets', side: 'server' });
      await rig.until(() => engine.fullStatus.counters.linksOpened > linksOpened, 'next link');
      const answer = (await controller.request('engine/echo', { payload }, 15_000)) as { payload: string };
      expect(answer.payload === payload).toBe(true);
      expect(engine.fullStatus.counters.linksOpened).toBeGreaterThan(linksOpened + 1);
      tap.plan = undefined;
    }
    expect(await controller.request('engine/echo', { payload: 'after' })).toEqual({ payload: 'after' });
    await controller.close();
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, clientsOpened: 1 });
  });

  it('RC-41: a silent link is closed and opened again with the same token', async ({ rig }) => {
    const engine = await rig.connected({ timing: { pingInterval: 30, pongTimeout: 120 } });
    await rig.reached(engine, ({ lastPongAt }) => lastPongAt !== null, 'first pong');
    const backend = await rig.lab.backend();
    backend.fault({ action: 'mutePongs', muted: true });
    await rig.until(() => rig.reports.some(({ reason }) => reason === 'pongTimeout'), 'pongTimeout');
    backend.fault({ action: 'mutePongs', muted: false });
    await connected(rig, engine);
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 0 });
  });
});

describe('RC-40: a backend that sends only junk', () => {
  it('is logged at most ten times a second, with a count of the rest, and the link stays', async ({
    rig,
  }) => {
    const JUNK = 500;
    const server = http.createServer((_request, response) => {
      response.end(
        JSON.stringify({
          server_id: 'srv_1',
          environment_id: 'env_1',
          remote_control_token: 'a-server-token-for-this-test',
          expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        }),
      );
    });
    const sockets = new WebSocketServer({ server });
    sockets.on('connection', (ws) => {
      for (let i = 0; i < JUNK; i += 1) ws.send(i % 2 === 0 ? 'junk' : Buffer.from('junk'));
    });
    await new Promise<void>((listens) => server.listen(0, '127.0.0.1', listens));
    const { port } = server.address() as AddressInfo;
    await rig.lab.signIn();
    const engine = await rig.start({ baseUrl: `http://127.0.0.1:${port}/backend-api` });
    const logged = () => rig.log.filter(({ message }) => /frame/.test(message));
    const counted = () =>
      logged().reduce((sum, { fields }) => sum + ('count' in fields ? Number(fields.count) : 1), 0);
    await rig.until(() => counted() === JUNK, 'all frames logged or counted', 15_000);
    expect(logged().length).toBeLessThan(100);
    expect(engine.status.status).toBe('connected');
    await engine.stop();
    sockets.close();
    server.close();
  });
});
