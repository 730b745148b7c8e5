import { writeFile } from 'node:fs/promises';
import https from 'node:https';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createDialer, type Dialer } from '../../src/net/dialer.js';
import { ProxyError, parseNoProxy } from '../../src/net/proxy-rules.js';
import { connectProxy, httpServer, socksProxy, TEST_CA } from '../support/http.js';
import { tmpFolder } from '../support/tmp.js';

const REMOTE = 'https://backend.test:8443/x';

/** One GET with the agent, as node-fetch and ws use it. */
async function get(dialer: Dialer, url: string, signal = new AbortController().signal): Promise<string> {
  const agent = await dialer.agentFor(url, signal);
  return new Promise((resolve, reject) => {
    const request = https.get(url, { agent, signal }, (response) => {
      let body = '';
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve(body));
    });
    request.on('error', reject);
  });
}

const tlsBackend = () => httpServer((response) => response.end('hello'), true);

describe('routeFor', () => {
  const route = (env: Record<string, string>, url: string): string => {
    const found = createDialer({ env }).routeFor(url);
    return found.kind === 'proxy' ? found.proxy : 'direct';
  };

  it.each<[string, Record<string, string>, string, string]>([
    ['no setting', {}, 'https://chatgpt.com/', 'direct'],
    ['HTTPS_PROXY for https', { HTTPS_PROXY: 'http://p:1' }, 'https://chatgpt.com/', 'http://p:1'],
    ['HTTPS_PROXY for wss', { HTTPS_PROXY: 'http://p:1' }, 'wss://chatgpt.com/', 'http://p:1'],
    ['HTTPS_PROXY not for http', { HTTPS_PROXY: 'http://p:1' }, 'http://chatgpt.com/', 'direct'],
    ['HTTP_PROXY for ws', { HTTP_PROXY: 'http://p:1' }, 'ws://chatgpt.com/', 'http://p:1'],
    ['HTTP_PROXY not for wss', { HTTP_PROXY: 'http://p:1' }, 'wss://chatgpt.com/', 'direct'],
    [
      'ALL_PROXY when no other setting applies',
      { ALL_PROXY: 'socks5://p:1' },
      'wss://chatgpt.com/',
      'socks5://p:1',
    ],
    [
      'HTTPS_PROXY before ALL_PROXY',
      { ALL_PROXY: 'http://a:1', HTTPS_PROXY: 'http://p:1' },
      'https://x.com/',
      'http://p:1',
    ],
    [
      'the lower-case name first',
      { https_proxy: 'http://low:1', HTTPS_PROXY: 'http://up:1' },
      'https://x.com/',
      'http://low:1',
    ],
    [
      'an empty lower-case name counts as unset',
      { https_proxy: '', HTTPS_PROXY: 'http://up:1' },
      'https://x.com/',
      'http://up:1',
    ],
    [
      'a proxy without a scheme',
      { HTTPS_PROXY: 'proxy.corp:3128' },
      'https://x.com/',
      'http://proxy.corp:3128',
    ],
    ['localhost', { ALL_PROXY: 'http://p:1' }, 'http://localhost:1/', 'direct'],
    ['127.0.0.0/8', { ALL_PROXY: 'http://p:1' }, 'ws://127.9.9.9:1/', 'direct'],
    ['::1', { ALL_PROXY: 'http://p:1' }, 'http://[::1]:1/', 'direct'],
    ['NO_PROXY', { ALL_PROXY: 'http://p:1', NO_PROXY: 'x.com' }, 'https://a.x.com/', 'direct'],
    [
      'no_proxy for another host',
      { ALL_PROXY: 'http://p:1', no_proxy: 'y.com' },
      'https://a.x.com/',
      'http://p:1',
    ],
  ])('RC-25b: %s', (_what, env, url, expected) => {
    expect(route(env, url)).toBe(expected);
  });

  it('RC-25b: the route shows neither user nor password', () => {
    expect(route({ HTTPS_PROXY: 'http://me:s3cret@proxy.corp:3128' }, 'https://x.com/')).toBe(
      'http://proxy.corp:3128',
    );
    expect(route({ HTTPS_PROXY: 'me:s3cret@proxy.corp:99999' }, 'https://x.com/')).not.toContain('s3cret');
  });
});

describe('NO_PROXY', () => {
  it.each<[string, string, string, boolean]>([
    ['example.com', 'example.com', '443', true],
    ['example.com', 'www.example.com', '443', true],
    ['example.com', 'badexample.com', '443', false],
    ['.example.com', 'www.example.com', '443', true],
    ['.example.com', 'example.com', '443', true],
    ['*.example.com', 'www.example.com', '443', true],
    ['Example.COM.', 'WWW.example.com.', '443', true],
    ['a.com, b.com c.com', 'c.com', '443', true],
    ['example.com:8443', 'example.com', '8443', true],
    ['example.com:8443', 'example.com', '443', false],
    ['*', 'anything.at.all', '443', true],
    ['a.com,*', 'anything.at.all', '443', true],
    ['10.0.0.1', '10.0.0.1', '443', true],
    ['10.0.0.1', '10.0.0.10', '443', false],
    ['10.0.0.0/8', '10.200.3.4', '443', true],
    ['10.0.0.0/8', '11.0.0.1', '443', false],
    ['10.0.0.0/8:8443', '10.1.1.1', '443', false],
    ['10.0.0.0/99', '10.0.0.1', '443', false],
    ['10.0.0.0/', '10.0.0.1', '443', false],
    ['fd00::/8', '[fd12::5]', '443', true],
    ['[fd00::5]', '[fd00::5]', '443', true],
    ['[fd00::5]:8443', '[fd00::5]', '443', false],
    ['fd00::5', '[fd00:0:0::5]', '443', true],
    ['0.0.1', '10.0.0.1', '443', false],
    ['', 'example.com', '443', false],
    [' , .', 'example.com', '443', false],
  ])('RC-25b: %j and %s:%s → %s', (list, host, port, expected) => {
    expect(parseNoProxy(list)(host, port)).toBe(expected);
  });
});

describe('agentFor', () => {
  it('RC-25b: reaches a TLS backend through a CONNECT proxy with user and password, trusting --ca-cert', async () => {
    const backend = await tlsBackend();
    const proxy = await connectProxy({ to: backend.port, user: 'me@corp:p:w' });
    const dialer = createDialer({
      env: { HTTPS_PROXY: `http://me%40corp:p%3Aw@127.0.0.1:${proxy.port}` },
      caCertPem: TEST_CA,
    });
    expect(await get(dialer, REMOTE)).toBe('hello');
    expect(proxy.asked).toEqual(['backend.test:8443']);
    expect(proxy.users).toEqual(['me@corp:p:w']);
    dialer.close();
  });

  it('RC-25b: reaches it through a TLS proxy', async () => {
    const backend = await tlsBackend();
    const proxy = await connectProxy({ to: backend.port, secure: true });
    const dialer = createDialer({
      env: { ALL_PROXY: `https://127.0.0.1:${proxy.port}` },
      caCertPem: TEST_CA,
    });
    expect(await get(dialer, REMOTE)).toBe('hello');
    expect(proxy.asked).toEqual(['backend.test:8443']);
  });

  it('RC-25b: reaches it through SOCKS5 with user and password, and the proxy resolves the name', async () => {
    const backend = await tlsBackend();
    const proxy = await socksProxy({ to: backend.port, user: 'me:pw' });
    const dialer = createDialer({
      env: { all_proxy: `socks5h://me:pw@127.0.0.1:${proxy.port}` },
      caCertPem: TEST_CA,
    });
    expect(await get(dialer, REMOTE)).toBe('hello');
    expect(proxy.asked).toEqual(['backend.test:8443']);
  });

  it('RC-25b: without --ca-cert a private certificate is not trusted, through CONNECT and SOCKS', async () => {
    const backend = await tlsBackend();
    const tunnel = await connectProxy({ to: backend.port });
    const socks = await socksProxy({ to: backend.port, user: 'me:pw' });
    for (const proxy of [`http://127.0.0.1:${tunnel.port}`, `socks5h://me:pw@127.0.0.1:${socks.port}`]) {
      const dialer = createDialer({ env: { HTTPS_PROXY: proxy } });
      await expect(get(dialer, REMOTE)).rejects.toMatchObject({
        code: expect.stringMatching(/^UNABLE_TO_VERIFY|^UNABLE_TO_GET|^SELF_SIGNED|^DEPTH_ZERO/),
      });
    }
  });

  it('RC-25b: --ca-cert also holds for a direct connection, and keeps NODE_EXTRA_CA_CERTS', async () => {
    const backend = await tlsBackend();
    const url = `https://127.0.0.1:${backend.port}/`;
    await expect(get(createDialer({ env: {} }), url)).rejects.toThrow();
    const direct = createDialer({ env: {}, caCertPem: TEST_CA });
    expect(await get(direct, url)).toBe('hello');
    direct.close();

    const file = join(await tmpFolder(), 'extra.pem');
    await writeFile(file, TEST_CA);
    const { rootCertificates } = await import('node:tls');
    const other = rootCertificates[0];
    const both = createDialer({ env: { NODE_EXTRA_CA_CERTS: file }, caCertPem: other });
    expect(await get(both, url)).toBe('hello');
    both.close();
  });

  it('RC-25b: a --ca-cert without a certificate is an error at once', () => {
    expect(() => createDialer({ env: {}, caCertPem: 'no certificate' })).toThrow(/--ca-cert/);
  });

  it.each([401, 403, 404, 409, 502])(
    'RC-25b: a proxy that answers CONNECT with %i has failed; its status never counts as one of the backend',
    async (status) => {
      const backend = await tlsBackend();
      const proxy = await connectProxy({ to: backend.port, refuse: status });
      const dialer = createDialer({
        env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` },
        caCertPem: TEST_CA,
      });
      const failure = await get(dialer, REMOTE).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(ProxyError);
      expect(String(failure)).toContain(`http://127.0.0.1:${proxy.port} refused to connect: HTTP ${status}`);
      expect(backend.seen).toEqual([]);
      await proxy.idle();
    },
  );

  it('RC-25b: the error for a refused password does not contain the password', async () => {
    const backend = await tlsBackend();
    const proxy = await connectProxy({ to: backend.port, user: 'me:right' });
    const socks = await socksProxy({ to: backend.port, user: 'me:right' });
    for (const address of [
      `http://me:wr0ng@127.0.0.1:${proxy.port}`,
      `socks5h://me:wr0ng@127.0.0.1:${socks.port}`,
    ]) {
      const failure = await get(createDialer({ env: { HTTPS_PROXY: address } }), REMOTE).catch(
        (e: unknown) => e,
      );
      expect(failure).toBeInstanceOf(ProxyError);
      expect(String(failure)).not.toContain('wr0ng');
    }
    const none = createDialer({ env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
    await expect(get(none, REMOTE)).rejects.toThrow(/requires a user and password: HTTP 407/);
  });

  it('RC-25b: a proxy that is down or misconfigured is an error, never a direct connection', async () => {
    const backend = await httpServer((response) => response.end('direct'), true);
    const down = await connectProxy({ to: backend.port });
    await down.close();
    for (const proxy of [
      `http://127.0.0.1:${down.port}`,
      `socks5h://127.0.0.1:${down.port}`,
      'ftp://127.0.0.1:1',
      'http://127.0.0.1:99999',
      'http://me:%zz@127.0.0.1:1',
    ]) {
      const dialer = createDialer({ env: { HTTPS_PROXY: proxy }, caCertPem: TEST_CA });
      expect(dialer.routeFor(REMOTE).kind).toBe('proxy');
      await expect(get(dialer, REMOTE)).rejects.toMatchObject({ code: 'ERR_PROXY' });
    }
    expect(backend.seen).toEqual([]);
  });

  it('RC-25b: an abort ends the wait for a silent proxy, and the connection to it', async () => {
    const proxy = await connectProxy({ to: 1, hang: true });
    const dialer = createDialer({ env: { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } });
    const controller = new AbortController();
    proxy.server.once('connect', () => controller.abort());
    await expect(get(dialer, REMOTE, controller.signal)).rejects.toThrow();
    await proxy.idle();
  });

  it('RC-25b: an abort ends the wait for a silent SOCKS proxy', async () => {
    const proxy = await socksProxy({ to: 1, user: 'me:pw', hang: true });
    const dialer = createDialer({ env: { HTTPS_PROXY: `socks5h://me:pw@127.0.0.1:${proxy.port}` } });
    const controller = new AbortController();
    proxy.server.once('connection', () => controller.abort());
    await expect(get(dialer, REMOTE, controller.signal)).rejects.toThrow();
  });
});
