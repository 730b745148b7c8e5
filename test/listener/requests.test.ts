import net from 'node:net';
import { describe, expect, it } from 'vitest';
import {
  bearer,
  CAPABILITY,
  Client,
  capability,
  connect,
  listening,
  raw,
  rawInParts,
  type UpgradeOptions,
  upgrade,
  upgradeText,
} from './rig.js';

const good = bearer(CAPABILITY);

describe('requests', () => {
  it.each<[string, UpgradeOptions]>([
    ['a web page', { headers: [good, ['Origin', 'https://evil.example']] }],
    ['null', { headers: [good, ['Origin', 'null']] }],
    ['an empty one', { headers: [good, ['origin', '']] }],
    ['a health path', { path: '/healthz', headers: [['Origin', 'http://127.0.0.1']] }],
  ])('WSA-8: a request with an Origin header (%s) gets 403 whatever else it contains', async (_, request) => {
    const at = await listening({ authority: capability });
    const { status, closed, text } = await upgrade(at, request);
    expect([status, closed]).toEqual([403, true]);
    expect(text).not.toContain('evil');
    expect(at.verdicts()).toEqual(['capability rejected originRefused']);
  });

  it.each<[string, UpgradeOptions, number]>([
    ['POST', { method: 'POST' }, 405],
    ['HTTP/1.0', { version: 'HTTP/1.0' }, 400],
    ['no Host', { omit: ['Host'] }, 400],
    ['two Hosts', { headers: [['Host', 'b']] }, 400],
    ['no Connection', { omit: ['Connection'] }, 426],
    ['no Upgrade', { omit: ['Upgrade'] }, 426],
    ['another Upgrade', { omit: ['Upgrade'], headers: [['Upgrade', 'h2c']] }, 426],
    ['version 8', { omit: ['Sec-WebSocket-Version'], headers: [['Sec-WebSocket-Version', '8']] }, 426],
    ['no version', { omit: ['Sec-WebSocket-Version'] }, 426],
    ['two versions', { headers: [['Sec-WebSocket-Version', '13']] }, 426],
    ['no key', { omit: ['Sec-WebSocket-Key'] }, 400],
    ['a short key', { key: 'c2hvcnQ=' }, 400],
    ['two keys', { headers: [['Sec-WebSocket-Key', 'AAAAAAAAAAAAAAAAAAAAAA==']] }, 400],
    ['a body', { headers: [['Content-Length', '5']], tail: 'hello' }, 400],
    ['a chunked body', { headers: [['Transfer-Encoding', 'chunked']], tail: '0\r\n\r\n' }, 400],
    [
      'a body framed twice',
      {
        headers: [
          ['Content-Length', '5'],
          ['Transfer-Encoding', 'chunked'],
        ],
      },
      400,
    ],
    ['101 header lines', { headers: Array.from({ length: 101 }, (_, i) => [`X-${i}`, '1'] as const) }, 431],
    ['17 KiB of headers', { headers: [['X-Pad', 'p'.repeat(17 * 1024)]] }, 431],
    [
      'headers just over 16 KiB',
      { headers: Array.from({ length: 90 }, (_, i) => [`X-${i}`, 'p'.repeat(178)] as const) },
      431,
    ],
    ['CONNECT', { method: 'CONNECT', path: '127.0.0.1:80' }, 405],
  ])('WSA-8: %s: rejected even with the right credential', async (_, request, expected) => {
    const at = await listening({ authority: capability });
    const { status, closed } = await upgrade(at, { ...request, headers: [good, ...(request.headers ?? [])] });
    expect([status, closed]).toEqual([expected, true]);
    expect(at.verdicts()).toHaveLength(1);
    expect(at.verdicts()[0]).toMatch(/^capability rejected (malformedUpgrade|headersTooLarge)$/);
    expect(at.engine.fullStatus.connections).toEqual([]);
  });

  it.each([
    ['bytes of TLS', '\x16\x03\x01\x02\x00hello\r\n\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a space before the colon', upgradeText().replace('Host:', 'Host :')],
  ])('WSA-8: %s: rejected', async (_, bytes) => {
    const at = await listening({ authority: capability });
    const { status, closed } = await raw(at.port, bytes);
    expect([[0, 400].includes(status), closed]).toEqual([true, true]);
    expect(at.verdicts()).toEqual(['capability rejected malformedUpgrade']);
  });

  it.each([
    ['rejected', [upgradeText({ headers: [bearer('nope')] }), upgradeText({ headers: [good] })], 401],
    ['malformed', [upgradeText({ key: 'x' }), upgradeText({ headers: [good] })], 400],
    ['plain', ['GET /x HTTP/1.1\r\nHost: a\r\n\r\n', upgradeText({ headers: [good] })], 426],
    ['health', ['GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n', upgradeText({ headers: [good] })], 200],
  ] as const)(
    'WSA-8, WSA-13: a request pipelined behind a %s request is not answered',
    async (_, requests, first) => {
      const at = await listening({ authority: capability });
      const { status, text, closed } = await raw(at.port, requests.join(''));
      expect([status, closed]).toEqual([first, true]);
      expect(text.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
      expect(at.verdicts().filter((one) => one.includes('established'))).toEqual([]);
    },
  );

  it('WSA-66: a browser gets a page with a strict policy, and nothing of what it requested', async () => {
    const at = await listening({ authority: capability });
    const browser = 'Accept: text/html,application/xhtml+xml;q=0.9\r\n';
    const ask = (extra = '', path = '/?token=SECRET%3Cscript%3E') =>
      raw(at.port, `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\n${browser}${extra}\r\n`);
    const page = await ask();
    expect(page.status).toBe(426);
    expect(page.text).toMatch(/^Content-Type: text\/html; charset=utf-8\r$/m);
    expect(page.text).toMatch(
      /^Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r$/m,
    );
    expect(page.text).toContain('<h1>This is rc-engine</h1>');
    expect(page.text).not.toMatch(/SECRET|<script|src=|href=/);
    expect((await ask('', '/other')).text.split('\r\n\r\n')[1]).toBe(page.text.split('\r\n\r\n')[1]);
    // A page of another site gets nothing, and an upgrade is answered as for any client.
    const other = await ask('Origin: https://evil.example\r\n');
    expect([other.status, other.text.includes('<html')]).toEqual([403, false]);
    const accept: [string, string] = ['Accept', 'text/html'];
    expect((await upgrade(at, { headers: [bearer('wrong'), accept] })).text).not.toContain('<html');
    expect((await upgrade(at, { headers: [good, accept] })).status).toBe(101);
  });

  it('WSA-8: a request that arrives in two parts gets the same response as in one, wherever it is cut', async () => {
    const at = await listening({ authority: capability });
    const text = upgradeText({ headers: [good] });
    const wrong = upgradeText({ headers: [bearer('wrong')] });
    const cuts = Array.from({ length: text.length - 1 }, (_, i) => i + 1);
    for (const cut of cuts.filter((n) => n % 3 === 1 || n > text.length - 5)) {
      const { status } = await rawInParts(at.port, [text.slice(0, cut), text.slice(cut)]);
      expect([cut, status]).toEqual([cut, 101]);
    }
    for (const cut of [1, 30, wrong.length - 1]) {
      expect((await rawInParts(at.port, [wrong.slice(0, cut), wrong.slice(cut)])).status).toBe(401);
    }
  });

  it('a client that hangs up before it has sent a request is released at once, and nothing is rejected', async () => {
    const at = await listening({ authority: capability });
    await new Promise<void>((resolve) => {
      const socket = net.connect({ port: at.port, host: '127.0.0.1', allowHalfOpen: true }, () =>
        socket.end(),
      );
      socket.resume().on('close', () => resolve());
    });
    expect(at.engine.fullStatus.listener?.lastRejections).toEqual([]);
  });

  it('a message sent together with the upgrade is not lost', async () => {
    const at = await listening();
    const client = await connect(at);
    expect((await client.initialize()).result).toBeTypeOf('object');
    // In one write with the upgrade: a masked text frame with mask 0.
    const message = JSON.stringify({
      id: 1,
      method: 'initialize',
      params: { clientInfo: { name: 'x', version: '1' } },
    });
    const frame = Buffer.concat([
      Buffer.from([0x81, 0x80 | message.length, 0, 0, 0, 0]),
      Buffer.from(message),
    ]);
    const bytes = upgradeText({ path: `/?token=${at.token}`, tail: frame.toString('latin1') });
    const response = await new Promise<string>((resolve) => {
      const socket = net.connect(at.port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
      let text = '';
      socket.on('data', (data) => {
        text += data.toString('latin1');
        if (text.includes('userAgent')) {
          socket.destroy();
          resolve(text);
        }
      });
    });
    expect(response).toMatch(/^HTTP\/1\.1 101/);
  });

  it('WSA-8: subprotocols are ignored and never echoed', async () => {
    const at = await listening({ authority: capability });
    const request = { headers: [good, ['Sec-WebSocket-Protocol', `bearer, ${CAPABILITY}`]] } as const;
    const { status, text } = await upgrade(at, request);
    expect(status).toBe(101);
    expect(text).not.toMatch(/sec-websocket-protocol/i);
    const malformed = await upgrade(at, { headers: [good, ['Sec-WebSocket-Protocol', ',,']] });
    expect(malformed.status).toBe(101);
  });

  it('WSA-17: compression is not offered', async () => {
    const at = await listening();
    const request = {
      path: `/?token=${at.token}`,
      headers: [['Sec-WebSocket-Extensions', 'permessage-deflate']],
    } as const;
    const { status, text } = await upgrade(at, request);
    expect(status).toBe(101);
    expect(text).not.toMatch(/extensions/i);
  });

  it('WSA-31: health and readiness need no credential, open no WebSocket and contain no secret', async () => {
    const at = await listening();
    for (const path of ['/healthz', '/readyz', `/readyz?token=${at.token}`]) {
      for (const bytes of [`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, upgradeText({ path })]) {
        const { status, text } = await raw(at.port, bytes);
        expect(status).toBe(200);
        expect(text).not.toContain(at.token);
      }
      const post = await raw(at.port, `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n`);
      expect(post.status).toBe(405);
    }
    const { text } = await raw(at.port, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    const body: unknown = JSON.parse(text.slice(text.indexOf('{')));
    expect(body).toMatchObject({ status: 'ready', authMode: 'queryToken', enforced: true, degraded: false });
    const head = await raw(at.port, 'HEAD /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    expect([head.status, head.text.endsWith('\r\n\r\n')]).toEqual([200, true]);
    expect(at.verdicts()).toEqual([]);
  });

  it('a client with the credential is accepted on any path', async () => {
    const at = await listening({ authority: capability });
    const client = await Client.open(`${at.info.url}some/path`, { authorization: `Bearer ${CAPABILITY}` });
    expect((await client.initialize()).result).toBeTypeOf('object');
  });
});
