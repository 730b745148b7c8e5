/** The HTTP servers of this machine answer only requests for this machine, and no web pages of other sites. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCallbackServer } from '../../src/account/login/callback-port.js';
import type { CallbackServer } from '../../src/account/login/callback-server.js';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { Secret } from '../../src/protocol/secret.js';
import { checkLeftovers } from '../support/leftovers.js';

checkLeftovers();

const ENROLL = '/backend-api/wham/remote/control/server/enroll';
const SERVER_SOCKET = '/backend-api/wham/remote/control/server';

let backend: Backend;
let callback: CallbackServer;
beforeEach(async () => {
  backend = await createBackend();
  const opened = await openCallbackServer(0, new Secret('right'));
  if (opened === undefined) throw new Error('no port is free');
  callback = opened;
});
afterEach(async () => {
  callback.close();
  await backend.close();
});

const backendPort = (): number => Number(new URL(backend.url).port);

interface Request {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: http.OutgoingHttpHeaders;
  readonly body?: string;
}

function status({ body, ...options }: Request): Promise<number> {
  return new Promise((resolve, reject) => {
    http
      .request({ host: '127.0.0.1', agent: false, ...options }, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
      .on('error', reject)
      .end(body);
  });
}

/** Sends text and returns the status. The own side of the connection stays open until the server has ended its side. */
async function raw(port: number, text: string): Promise<{ status: number; closed: Promise<unknown> }> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(text);
  const closed = once(socket, 'end').then(() => socket.destroy());
  const [data] = await once(socket, 'data');
  socket.resume();
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(String(data))?.[1]), closed };
}

const enrollment = (headers: http.OutgoingHttpHeaders): Request => ({
  port: backendPort(),
  path: ENROLL,
  method: 'POST',
  headers: {
    authorization: 'Bearer any',
    'chatgpt-account-id': 'account',
    'x-codex-installation-id': 'installation',
    'content-type': 'application/json',
    ...headers,
  },
  body: JSON.stringify({
    name: 'laptop',
    os: 'linux',
    arch: 'x64',
    app_server_version: '1',
    installation_id: 'installation',
  }),
});

describe('the embedded backend', () => {
  it('RC-51: answers requests for this machine', async () => {
    const port = backendPort();
    for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
      expect([host, await status(enrollment({ host }))]).toEqual([host, 200]);
    }
  });

  it('RC-51: refuses requests to another host name or port (DNS rebinding)', async () => {
    const port = backendPort();
    const own = `127.0.0.1:${port}`;
    for (const host of [`evil.example:${port}`, `localhost.:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`]) {
      expect([host, await status(enrollment({ host }))]).toEqual([host, 403]);
    }
    expect(await status({ port, path: `http://${own}/`, headers: { host: own } })).toBe(400);
    const unnamed = await raw(port, 'GET / HTTP/1.1\r\nHost: \r\n\r\n');
    expect(unnamed.status).toBe(403);
    const twice = await raw(port, `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\n\r\n`);
    expect([400, 403]).toContain(twice.status);
    await Promise.all([unnamed.closed, twice.closed]);
  });

  it('RC-51: refuses each request of a web page, also one of its own origin, and any body but JSON', async () => {
    for (const origin of ['https://evil.example', 'null', '', `http://127.0.0.1:${backendPort()}`]) {
      expect([origin, await status(enrollment({ origin }))]).toEqual([origin, 403]);
      expect(await status({ port: backendPort(), path: '/nothing', headers: { origin } })).toBe(403);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/jsonx', '']) {
      expect([type, await status(enrollment({ 'content-type': type }))]).toEqual([type, 415]);
    }
    expect(await status(enrollment({ 'content-type': 'application/json; charset=utf-8' }))).toBe(200);
  });

  it('RC-51: refuses upgrades in the same way, and keeps no connection of them', async () => {
    const port = backendPort();
    const upgrade = (headers: string): string =>
      `GET ${SERVER_SOCKET} HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`;
    const own = `Host: 127.0.0.1:${port}\r\n`;
    for (const [headers, expected] of [
      [`Host: evil.example:${port}\r\n`, 403],
      [`${own}Origin: http://127.0.0.1:${port}\r\n`, 403],
      [own, 401],
    ] as const) {
      const refused = await raw(port, upgrade(headers));
      expect(refused.status).toBe(expected);
      await refused.closed;
    }
  });
});

describe('the callback server of a sign-in', () => {
  it('ACC-78a: answers requests for its own address only, so a rebound name cannot end the sign-in', async () => {
    const { port } = callback;
    for (const path of [
      '/cancel',
      '/auth/callback?state=right&error=access_denied',
      '/auth/callback?state=right',
    ]) {
      expect(await status({ port, path, headers: { host: `evil.example:${port}` } })).toBe(403);
      expect(await status({ port, path, headers: { origin: 'https://evil.example' } })).toBe(403);
    }
    expect(callback.cancelled.aborted).toBe(false);
    expect(await status({ port, path: '/auth/callback?state=wrong' })).toBe(400);
  });

  it('ACC-78a: takes the header section of a browser with many cookies', async () => {
    const cookie = 'a'.repeat(60 * 1024);
    expect(
      await status({ port: callback.port, path: '/auth/callback?state=wrong', headers: { cookie } }),
    ).toBe(400);
  });

  it('ACC-78a: silent and half requests do not keep the browser out, and end after seconds', async () => {
    const { port } = callback;
    const held = Array.from({ length: 300 }, (_, n) => {
      const socket = net.connect(port, '127.0.0.1').on('error', () => {});
      if (n % 2 === 0) socket.write('GET /auth/callback?state=');
      return socket;
    });
    const allClosed = Promise.all(held.map((socket) => once(socket.resume(), 'close')));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const before = performance.now();
    expect(await status({ port, path: '/auth/callback?state=wrong' })).toBe(400);
    expect(performance.now() - before).toBeLessThan(1_000);
    await allClosed;
  }, 20_000);
});
