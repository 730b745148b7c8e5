import { once } from 'node:events';
import type http from 'node:http';
import type { Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createDialer } from '../../../src/net/dialer.js';
import { Secret } from '../../../src/protocol/secret.js';
import {
  type DialOptions,
  type DialResult,
  dialBackendSocket,
} from '../../../src/remote-control/link/dial.js';
import type { BackendSocket } from '../../../src/remote-control/link/socket.js';
import { connectProxy, type HttpServer, httpServer, socksProxy, TEST_CA } from '../../support/http.js';

const TOKEN = 'rct-0123456789abcdef';
const never = new AbortController().signal;

function options(url: string, changes: Partial<DialOptions> = {}): DialOptions {
  return {
    url,
    enrollment: { serverId: 'srv_1' },
    serverName: 'höst',
    token: { secret: new Secret(TOKEN), expiresAt: Date.now() + 3_600_000 },
    installationId: 'inst-1',
    cursor: undefined,
    dialer: createDialer({ env: {} }),
    timing: { handshakeTimeout: 10_000 },
    env: { now: Date.now },
    ...changes,
  };
}

interface Backend {
  readonly server: HttpServer;
  readonly url: string;
  readonly upgrades: http.IncomingMessage[];
}

/** A backend that answers an upgrade with `answer`. */
async function refusing(
  answer: (socket: Socket, request: http.IncomingMessage) => void,
  secure = false,
): Promise<Backend> {
  const server = await httpServer((response) => response.writeHead(404).end(), secure);
  const upgrades: http.IncomingMessage[] = [];
  server.server.on('upgrade', (request: http.IncomingMessage, socket: Socket) => {
    upgrades.push(request);
    socket.on('error', () => {});
    socket.on('end', () => socket.end()).resume();
    answer(socket, request);
  });
  return { server, upgrades, url: `${server.origin.replace('http', 'ws')}/wham/remote/control/server` };
}

/** A backend that accepts upgrades. */
async function accepting(onOpen: (ws: WebSocket) => void = () => {}, secure = false): Promise<Backend> {
  const accepts = new WebSocketServer({ noServer: true });
  return refusing((socket, request) => {
    accepts.handleUpgrade(request, socket, Buffer.alloc(0), onOpen);
  }, secure);
}

const respond =
  (status: number, body = '', headers = '') =>
  (socket: Socket) =>
    socket.end(
      `HTTP/1.1 ${status} X\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    );

function failedDial(result: DialResult) {
  if (result.kind === 'open') throw new Error('it opened');
  expect(JSON.stringify(result)).not.toContain(TOKEN);
  return result;
}

function opened(result: DialResult): BackendSocket {
  if (result.kind !== 'open') throw new Error(result.failure.message);
  return result.socket;
}

describe('dialBackendSocket', () => {
  it('RC-17: sends exactly the known headers', async () => {
    const { upgrades, url } = await accepting();
    opened(await dialBackendSocket(options(url), never)).terminate();
    opened(await dialBackendSocket(options(url, { cursor: 'cursor 7' }), never)).terminate();
    const [first, second] = upgrades;
    const raw = first?.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    expect(raw?.sort()).toEqual([
      'authorization',
      'connection',
      'host',
      'sec-websocket-key',
      'sec-websocket-version',
      'upgrade',
      'x-codex-installation-id',
      'x-codex-name',
      'x-codex-protocol-version',
      'x-codex-server-id',
    ]);
    expect(first?.headers).toMatchObject({
      authorization: `Bearer ${TOKEN}`,
      'x-codex-server-id': 'srv_1',
      'x-codex-name': Buffer.from('höst').toString('base64'),
      'x-codex-protocol-version': '3',
      'x-codex-installation-id': 'inst-1',
    });
    expect(second?.headers).toMatchObject({ 'x-codex-subscribe-cursor': 'cursor 7' });
  });

  it.each(['', 'line\nbreak', 'ü', 'x'.repeat(10_000)])(
    'RC-37: a cursor that cannot be a header is left out instead of failing every dial (%#)',
    async (cursor) => {
      const { upgrades, url } = await accepting();
      opened(await dialBackendSocket(options(url, { cursor }), never)).terminate();
      expect(upgrades[0]?.headers).not.toHaveProperty('x-codex-subscribe-cursor');
    },
  );

  it.each([
    [401, 'tokenRejected', 'tokenRejected'],
    [403, 'tokenRejected', 'tokenRejected'],
    [409, 'conflict', 'connectionConflict'],
    [429, 'failed', 'backendRateLimited'],
    [500, 'failed', 'backendUnavailable'],
    [503, 'failed', 'backendUnavailable'],
    [200, 'failed', 'handshakeFailed'],
    [400, 'failed', 'handshakeFailed'],
    [426, 'failed', 'handshakeFailed'],
  ])(
    'RC-19, RC-24, RC-25: HTTP %i is %s, reported with status, request id and Retry-After',
    async (status, kind, reason) => {
      const headers = 'x-request-id: req-1\r\ncf-ray: ray-1\r\nretry-after: 8\r\n';
      const { server, url } = await refusing(respond(status, `{"detail":"scripted ${TOKEN}"}`, headers));
      const before = Date.now();
      const result = failedDial(await dialBackendSocket(options(url), never));
      expect(result).toMatchObject({
        kind,
        failure: { reason, httpStatus: status, requestId: 'req-1', cfRay: 'ray-1' },
      });
      expect(result.failure.message).toContain('scripted');
      expect(result.failure.retryAfterAt).toBeGreaterThanOrEqual(before + 8_000);
      await server.idle();
    },
  );

  it('RC-20: a 404 with the exact detail means that the identity is gone', async () => {
    const { url } = await refusing(respond(404, '{"detail":"Remote app server not found","more":1}'));
    expect(failedDial(await dialBackendSocket(options(url), never))).toMatchObject({
      kind: 'serverGone',
      failure: { reason: 'serverGone', httpStatus: 404 },
    });
  });

  it.each([
    '',
    'Not Found',
    'Remote app server not found',
    '"Remote app server not found"',
    '{"detail":"Not Found"}',
    '{"detail":"remote app server not found"}',
    '{"detail":["Remote app server not found"]}',
    '{"error":{"detail":"Remote app server not found"}}',
    '[{"detail":"Remote app server not found"}]',
    '{"detail":"Remote app server not found"',
    'null',
  ])('RC-21: any other 404 is ambiguous: %j', async (body) => {
    const { url } = await refusing(respond(404, body));
    expect(failedDial(await dialBackendSocket(options(url), never))).toMatchObject({
      kind: 'ambiguousNotFound',
      failure: { reason: 'ambiguousNotFound', httpStatus: 404 },
    });
  });

  it.each([301, 302, 307, 308])('RC-3: HTTP %i is not followed', async (status) => {
    const trap = await accepting();
    const { url } = await refusing(respond(status, '', `location: ${trap.url}\r\n`));
    const result = failedDial(await dialBackendSocket(options(url), never));
    expect(result).toMatchObject({
      kind: 'failed',
      failure: { reason: 'redirectRefused', httpStatus: status },
    });
    expect(result.failure.message).toContain(`redirect to ${trap.url}`);
    expect(trap.upgrades).toEqual([]);
  });

  it('RC-20: an endless body of a refusal is read up to a limit', async () => {
    const { server, url } = await refusing((socket) => {
      socket.write('HTTP/1.1 404 X\r\n\r\n{"detail":"Remote app server not found","pad":"');
      const more = (): void => {
        if (!socket.destroyed) socket.write('x'.repeat(16_384), () => setImmediate(more));
      };
      more();
    });
    const started = performance.now();
    expect(failedDial(await dialBackendSocket(options(url), never)).kind).toBe('ambiguousNotFound');
    // Ended by the size limit, before the time limit of a refusal.
    expect(performance.now() - started).toBeLessThan(3_000);
    await server.idle();
  });

  it('RC-18: an upgrade that is not answered times out and leaves no connection', async () => {
    const { server, url } = await refusing(() => {});
    const result = await dialBackendSocket(options(url, { timing: { handshakeTimeout: 100 } }), never);
    expect(failedDial(result)).toMatchObject({
      kind: 'failed',
      failure: { reason: 'handshakeTimeout', message: expect.stringContaining('within 0.1 s') },
    });
    await server.idle();
  });

  it('RC-18: a response that arrives byte by byte times out as well', async () => {
    const { server, url } = await refusing((socket) => {
      const drip = setInterval(() => socket.write('H'), 20);
      socket.on('close', () => clearInterval(drip));
    });
    const started = performance.now();
    const result = await dialBackendSocket(options(url, { timing: { handshakeTimeout: 200 } }), never);
    expect(failedDial(result).kind).toBe('failed');
    expect(performance.now() - started).toBeLessThan(2_000);
    await server.idle();
  });

  it('RC-18: a refusal whose body never ends is reported by its status', async () => {
    const { server, url } = await refusing((socket) =>
      socket.write('HTTP/1.1 401 X\r\ncontent-length: 9\r\n\r\nno'),
    );
    const result = await dialBackendSocket(options(url, { timing: { handshakeTimeout: 150 } }), never);
    expect(failedDial(result).kind).toMatch(/^(?:tokenRejected|failed)$/);
    await server.idle();
  });

  it('RC-25: a backend that is down, drops the connection or does not speak WebSocket is a failure with that reason', async () => {
    const gone = await refusing(() => {});
    await gone.server.close();
    expect(failedDial(await dialBackendSocket(options(gone.url), never))).toMatchObject({
      kind: 'failed',
      failure: { reason: 'networkUnreachable', message: expect.stringContaining('ECONNREFUSED') },
    });
    const dropping = await refusing((socket) => socket.destroy());
    expect(failedDial(await dialBackendSocket(options(dropping.url), never))).toMatchObject({
      kind: 'failed',
      failure: { reason: 'networkUnreachable' },
    });
    const wrongKey = await refusing((socket) =>
      socket.write(
        'HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: wrong\r\n\r\n',
      ),
    );
    expect(failedDial(await dialBackendSocket(options(wrongKey.url), never))).toMatchObject({
      kind: 'failed',
      failure: { reason: 'handshakeFailed', message: expect.stringContaining('Sec-WebSocket-Accept') },
    });
    await wrongKey.server.idle();
  });

  it('RC-25b: an untrusted certificate is tlsFailed, and --ca-cert makes it trusted', async () => {
    const { url, upgrades } = await accepting(undefined, true);
    expect(failedDial(await dialBackendSocket(options(url), never))).toMatchObject({
      kind: 'failed',
      failure: { reason: 'tlsFailed' },
    });
    expect(upgrades).toEqual([]);
    const dialer = createDialer({ env: {}, caCertPem: TEST_CA });
    opened(await dialBackendSocket(options(url, { dialer }), never)).terminate();
  });

  it.each(['http', 'socks5h'])(
    'RC-25b: connects through a %s proxy with TLS and password',
    async (scheme) => {
      const backend = await accepting((ws) => ws.send('hello'), true);
      const start = scheme === 'http' ? connectProxy : socksProxy;
      const proxy = await start({ to: backend.server.port, user: 'me:pw' });
      const dialer = createDialer({
        env: { HTTPS_PROXY: `${scheme}://me:pw@127.0.0.1:${proxy.port}` },
        caCertPem: TEST_CA,
      });
      const controller = new AbortController();
      const url = 'wss://backend.test/wham/remote/control/server';
      const socket = opened(await dialBackendSocket(options(url, { dialer }), controller.signal));
      const text = await new Promise((resolve) => socket.onFrame((frame) => resolve(frame.toString())));
      expect(text).toBe('hello');
      expect(proxy.asked).toEqual(['backend.test:443']);
      await socket.close(1000, 1_000);
      await backend.server.idle();
    },
  );

  it.each([401, 404, 409])(
    'RC-25b: a proxy that answers %i does not affect token or identity',
    async (refuse) => {
      const proxy = await connectProxy({ to: 1, refuse });
      const dialer = createDialer({ env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
      const result = failedDial(await dialBackendSocket(options('wss://backend.test/x', { dialer }), never));
      expect(result).toMatchObject({ kind: 'failed', failure: { reason: 'proxyFailed' } });
      expect(result.failure.message).toContain(`http://127.0.0.1:${proxy.port}`);
    },
  );

  it('RC-18: a silent proxy times out, and its connection is closed', async () => {
    const proxy = await connectProxy({ to: 1, hang: true });
    const dialer = createDialer({ env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
    const dial = options('wss://backend.test/x', { dialer, timing: { handshakeTimeout: 150 } });
    expect(failedDial(await dialBackendSocket(dial, never))).toMatchObject({
      kind: 'failed',
      failure: { reason: 'handshakeTimeout' },
    });
    await proxy.idle();
  });
});

describe('a dial that is aborted', () => {
  it('RC-43: leaves nothing when aborted before it starts', async () => {
    const { upgrades, url } = await accepting();
    await expect(dialBackendSocket(options(url), AbortSignal.abort())).rejects.toThrow();
    expect(upgrades).toEqual([]);
  });

  it('RC-43: leaves no connection when aborted while the upgrade waits', async () => {
    const { server, url } = await refusing(() => {});
    const controller = new AbortController();
    const dialing = dialBackendSocket(options(url), controller.signal);
    await once(server.server, 'upgrade');
    controller.abort(new Error('stop'));
    await expect(dialing).rejects.toThrow('stop');
    await server.idle();
  });

  it('RC-43: leaves no connection, at any time of the abort', async () => {
    const { server, url } = await accepting();
    for (let delay = 0; delay < 12; delay += 1) {
      const controller = new AbortController();
      const dialing = dialBackendSocket(options(url), controller.signal);
      setTimeout(() => controller.abort(), delay / 2);
      await dialing.catch(() => {});
      controller.abort();
    }
    await server.idle();
  });

  it('RC-43: the abort destroys an open socket without an owner, and not one with an owner', async () => {
    const { server, url } = await accepting();
    const controller = new AbortController();
    const unowned = opened(await dialBackendSocket(options(url), controller.signal));
    const owned = opened(await dialBackendSocket(options(url), controller.signal));
    owned.onFrame(() => {});
    const ended = new Promise((resolve) => unowned.onClose(resolve));
    controller.abort();
    expect(await ended).toMatchObject({ code: 1006, clean: false });
    await vi.waitFor(() => expect(server.sockets.size).toBe(1));
    await owned.close(1000, 1_000);
    await server.idle();
  });
});
