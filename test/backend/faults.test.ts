import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, createBackend, type FaultInput } from '../../src/backend/index.js';
import {
  ACCOUNT,
  call,
  closeReason,
  connectController,
  controlUrl,
  dial,
  ENROLL_BODY,
  enroll,
  event,
  type Identity,
  INSTALLATION,
  pair,
  refreshCall,
  ServerPeer,
  serverHeaders,
} from './peers.js';

let backend: Backend;
let identity: Identity;
beforeEach(async () => {
  backend = await createBackend({ faults: true });
  identity = await enroll(backend);
});
afterEach(() => backend.close());

const overHttp = (body: unknown, headers: Record<string, string> = {}) =>
  call(`${new URL(backend.url).origin}/__faults`, { body, headers });
/** Both ways to inject a fault. */
const ways: [string, (input: FaultInput) => unknown][] = [
  ['injected by code', (input) => backend.fault(input)],
  ['injected over HTTP', (input) => overHttp(input)],
];
const refresh = () => refreshCall(backend, identity.serverId);
const socketStatus = async (): Promise<number> => {
  const answer = await dial(controlUrl(backend, 'server'), serverHeaders(identity));
  if (!(answer instanceof WebSocket)) return answer.status;
  answer.terminate();
  return 101;
};

describe.each(ways)('faults %s', (_way, ask) => {
  it('a fault replaces N responses with a status, headers and a body; then the normal response follows', async () => {
    await ask({
      action: 'answer',
      fault: {
        route: 'refresh',
        answer: 'status',
        status: 429,
        times: 2,
        headers: { 'retry-after': '7' },
        body: { detail: 'slow down' },
      },
    });
    for (let n = 0; n < 2; n += 1) {
      const { status, headers, body } = await refresh();
      expect([status, headers.get('retry-after'), body]).toEqual([429, '7', { detail: 'slow down' }]);
    }
    expect((await refresh()).status).toBe(200);
  });

  it('faults apply in the order in which they were injected, and only to their own route', async () => {
    for (const status of [500, 404]) {
      await ask({ action: 'answer', fault: { route: 'refresh', answer: 'status', status } });
    }
    expect((await enroll(backend)).serverId).toBeDefined();
    expect([(await refresh()).status, (await refresh()).status, (await refresh()).status]).toEqual([
      500, 404, 200,
    ]);
  });

  it('a request can hang, be dropped, be delayed, and get a body that is not JSON', async () => {
    await ask({ action: 'answer', fault: { route: 'refresh', answer: 'hang' } });
    await expect(
      call(controlUrl(backend, 'server/refresh'), { body: {}, signal: AbortSignal.timeout(100) }),
    ).rejects.toMatchObject({ name: 'TimeoutError' });

    await ask({ action: 'answer', fault: { route: 'refresh', answer: 'drop' } });
    await expect(refresh()).rejects.toThrow('fetch failed');

    await ask({ action: 'answer', fault: { route: 'refresh', answer: 'truth', delayMs: 120 } });
    const before = performance.now();
    expect((await refresh()).status).toBe(200);
    expect(performance.now() - before).toBeGreaterThanOrEqual(110);

    await ask({ action: 'answer', fault: { route: 'refresh', answer: 'garbage' } });
    const { status, text } = await refresh();
    expect(status).toBe(200);
    expect(() => JSON.parse(text)).toThrow();
  });

  it('RC-10: a response can name another server, or have any member replaced', async () => {
    await ask({ action: 'answer', fault: { route: 'refresh', answer: 'otherServer' } });
    const { body } = await refresh();
    expect(body.server_id).not.toBe(identity.serverId);
    expect(body.environment_id).not.toBe(identity.environmentId);
    expect(body.remote_control_token).toBeDefined();

    await ask({
      action: 'answer',
      fault: { route: 'refresh', answer: 'patch', members: { expires_at: 'never', server_id: null } },
    });
    const patched = (await refresh()).body;
    expect(patched.expires_at).toBe('never');
    expect('server_id' in patched).toBe(false);
  });

  it('RC-19, RC-21: a socket can be refused, hang, be dropped, or be accepted and closed', async () => {
    for (const status of [401, 404, 503]) {
      await ask({ action: 'answer', fault: { route: 'socket', answer: 'status', status } });
      expect(await socketStatus()).toBe(status);
    }
    await ask({ action: 'answer', fault: { route: 'socket', answer: 'drop' } });
    await expect(socketStatus()).rejects.toThrow('socket hang up');

    await ask({ action: 'answer', fault: { route: 'socket', answer: 'hang' } });
    const hung = new WebSocket(controlUrl(backend, 'server').replace(/^http/, 'ws'), {
      headers: serverHeaders(identity),
      handshakeTimeout: 100,
    });
    await expect(new Promise((_, reject) => hung.once('error', reject))).rejects.toThrow('timed out');

    await ask({ action: 'answer', fault: { route: 'socket', answer: 'closeAfter', ms: 20, code: 1012 } });
    expect(await (await ServerPeer.open(backend, identity)).closed).toBe(1012);
    expect(await socketStatus()).toBe(101);
  });

  it('RC-13: issued tokens can expire at once, and new ones can have a shorter lifetime', async () => {
    await ask({ action: 'expireTokens', inSeconds: 0 });
    expect(await socketStatus()).toBe(401);
    await ask({ action: 'tokenLife', seconds: 2 });
    const { expiresAt } = await enroll(backend);
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(2_000);
    await ask({ action: 'clear' });
    expect((await enroll(backend)).expiresAt - Date.now()).toBeGreaterThan(3_000_000);
  });

  it('RC-25: sockets of one side or of both can be dropped or closed', async () => {
    const controller = await connectController(backend, await pair(backend, identity));
    const why = closeReason(controller);
    const first = await ServerPeer.open(backend, identity);
    await ask({ action: 'dropSockets', side: 'server' });
    expect(await first.closed).toBe(1006);
    const second = await ServerPeer.open(backend, identity);
    await ask({ action: 'closeSockets', side: 'server', code: 1012 });
    expect(await second.closed).toBe(1012);
    await ServerPeer.open(backend, identity);
    await ask({ action: 'closeSockets' });
    expect(await why).toBe('linkClosed');
  });

  it('RC-41: pings can stay unanswered', async () => {
    const peer = await ServerPeer.open(backend, identity);
    await ask({ action: 'mutePongs', muted: true });
    const pongs: string[] = [];
    const second = new Promise<void>((resolve) =>
      peer.socket.on('pong', (data) => {
        pongs.push(String(data));
        resolve();
      }),
    );
    peer.socket.ping('first');
    // A pong would arrive before the event of this frame.
    peer.send({ type: 'nothing' });
    await event(backend, 'frameSkipped');
    await ask({ action: 'mutePongs', muted: false });
    peer.socket.ping('second');
    await second;
    expect(pongs).toEqual(['second']);
  });

  it('RC-20: every identity can be deleted', async () => {
    await ask({ action: 'forgetServers' });
    expect([await socketStatus(), (await refresh()).status]).toEqual([404, 404]);
  });
});

describe('POST /__faults', () => {
  it('refuses an invalid fault, a web page, and other methods', async () => {
    for (const body of [
      'not json',
      {},
      { action: 'explode' },
      { action: 'answer', fault: { route: 'nowhere', answer: 'hang' } },
      { action: 'answer', fault: { route: 'enroll', answer: 'status', status: 99 } },
    ]) {
      expect((await overHttp(body)).status).toBe(400);
    }
    expect((await overHttp({ action: 'clear' }, { origin: 'https://example.com' })).status).toBe(403);
    expect((await call(`${new URL(backend.url).origin}/__faults`, { method: 'GET' })).status).toBe(405);
    expect(() => backend.fault({ action: 'explode' } as unknown as FaultInput)).toThrow('not a valid fault');
  });

  it('returns the faults that are still queued', async () => {
    const { body } = await overHttp({ action: 'answer', fault: { route: 'pair', answer: 'drop', times: 3 } });
    expect(body).toEqual({ queued: [{ route: 'pair', answer: 'drop', times: 3, delayMs: 0 }] });
  });

  it('RC-5: no fault puts a token into an event', async () => {
    backend.fault({ action: 'answer', fault: { route: 'enroll', answer: 'otherServer' } });
    const answer = await call(controlUrl(backend, 'server/enroll'), {
      headers: { ...ACCOUNT, 'x-codex-installation-id': INSTALLATION },
      body: ENROLL_BODY,
    });
    expect(JSON.stringify(backend.events)).not.toContain(answer.body.remote_control_token);
  });
});
