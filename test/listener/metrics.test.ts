import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EngineOptions } from '../../src/engine/options.js';
import { tmpFolder } from '../support/tmp.js';
import {
  bearer,
  CAPABILITY,
  Client,
  capability,
  jwt,
  listening,
  type Running,
  raw,
  signedBearer,
} from './rig.js';

type Header = readonly [string, string];

const get = (at: Running, path = '/metrics', headers: readonly Header[] = [], method = 'GET') => {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return raw(at.port, `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\n${lines}\r\n`);
};

const start = (options: EngineOptions) => listening({ listenerMetrics: true, ...options });

describe('WSA-68: /metrics of the listener', () => {
  const seconds = Math.floor(Date.now() / 1000);
  it.each<[string, EngineOptions, (at: Running) => [string, Header[]], string]>([
    ['query token', {}, ({ token }) => [`/metrics?token=${token}`, []], 'queryToken rejected missingToken'],
    [
      'query token, unchecked',
      { authority: { mode: 'queryToken', enforced: false } },
      ({ token }) => [`/metrics?token=${token}`, []],
      'queryToken rejected missingToken',
    ],
    [
      'capability token',
      { authority: capability },
      () => ['/metrics', [bearer(CAPABILITY)]],
      'capability rejected missingBearer',
    ],
    [
      'signed token',
      { authority: signedBearer },
      () => ['/metrics', [bearer(jwt({ exp: seconds + 3_600 }))]],
      'signedBearer rejected missingBearer',
    ],
  ])('needs the credential of the listener: %s', async (_, options, credential, rejection) => {
    const at = await start(options);
    const [path, headers] = credential(at);
    const good = await get(at, path, headers);
    expect([good.status, good.closed]).toEqual([200, true]);
    expect(good.text).toMatch(/^Content-Type: text\/plain; version=0\.0\.4/im);
    expect(good.text).toContain('rc_engine_link_state{state="disabled"} 1\n');
    expect(at.verdicts()).toEqual([]);
    const without = await get(at);
    expect(without.status).toBe(401);
    expect(without.text).not.toContain('rc_engine_');
    expect(at.verdicts()).toEqual([rejection]);
    const wrong = await get(at, '/metrics?token=wrong', [bearer('wrong')]);
    expect(wrong.status).toBe(401);
    // An answer is not counted as an upgrade.
    expect(at.engine.fullStatus.listener?.decisions.map(({ outcome }) => outcome)).not.toContain(
      'established',
    );
  });

  it('on a unix socket only while no other user can enter its directory', async () => {
    const folder = await tmpFolder();
    const path = join(folder, 'l.sock');
    await start({ listen: `unix://${path}` });
    const request = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n';
    expect((await raw(path, request)).status).toBe(200);
    await chmod(folder, 0o755);
    expect((await raw(path, request)).status).toBe(403);
    await chmod(folder, 0o700);
  });

  it.each<[string, Header]>([
    ['a web page', ['Origin', 'https://evil.example']],
    ['a page that loads it as an image', ['Sec-Fetch-Site', 'cross-site']],
    ['an address that a person opens', ['Sec-Fetch-Site', 'none']],
    ['a browser without these headers', ['Accept', 'text/html,*/*']],
  ])('refuses %s, with the credential too', async (_, header) => {
    const at = await start({ authority: capability });
    const { status, text } = await get(at, '/metrics', [bearer(CAPABILITY), header]);
    expect(status).toBe(403);
    expect(text).not.toContain('rc_engine_');
    expect(at.verdicts()).toEqual(['capability rejected originRefused']);
  });

  it.each<[string, string, readonly Header[], number]>([
    ['POST', 'POST', [['Content-Length', '0']], 405],
    ['a body', 'GET', [['Content-Length', '5']], 400],
    ['a second Host', 'GET', [['Host', 'b']], 400],
  ])('refuses %s', async (_, method, headers, status) => {
    const at = await start({ authority: capability });
    expect((await get(at, '/metrics', [bearer(CAPABILITY), ...headers], method)).status).toBe(status);
  });

  it('answers when no connection has room, and takes no place', async () => {
    const at = await start({ authority: capability, maxConnections: 1 });
    await Client.open(at.info.url, { authorization: `Bearer ${CAPABILITY}` });
    for (let round = 0; round < 3; round += 1) {
      const { status, text } = await get(at, '/metrics', [bearer(CAPABILITY)]);
      expect(status).toBe(200);
      expect(text).toContain('rc_engine_listener_connections 1\n');
    }
  });

  it('answers a request that offers another protocol, too', async () => {
    const at = await start({ authority: capability });
    const h2c: Header[] = [
      ['Connection', 'Upgrade, HTTP2-Settings'],
      ['Upgrade', 'h2c'],
    ];
    expect((await get(at, '/metrics', [bearer(CAPABILITY), ...h2c])).status).toBe(200);
  });

  it('is off by default: the path is like any other', async () => {
    const at = await listening({ authority: capability });
    expect((await get(at, '/metrics', [bearer(CAPABILITY)])).status).toBe(426);
  });

  it('without a listener it is refused', async () => {
    await expect(start({ listen: 'off' })).rejects.toThrow('need a listener');
  });
});
