/** What a web page in a real browser can reach of the servers on this machine: nothing. WSA-8, WSA-62, RC-51 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openCallbackServer } from '../../src/account/login/callback-port.js';
import { createBackend } from '../../src/backend/index.js';
import { Secret } from '../../src/protocol/secret.js';
import { Chromium, noChromium } from '../inspector/chromium.js';
import { connect, listening } from '../listener/rig.js';
import { CliProcess } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const SLOW = 60_000;
const why = noChromium === false ? '' : `: ${noChromium}`;

describe.skipIf(noChromium !== false)(`a web page in a browser${why}`, () => {
  let chromium: Chromium;
  let site: http.Server;
  /** What came to the site: each request line with its headers. */
  const seen: string[] = [];
  beforeAll(async () => {
    // The name that a page has rebound to this machine.
    chromium = await Chromium.open(['--host-resolver-rules=MAP rebound.test 127.0.0.1']);
    site = http.createServer((request, response) => {
      seen.push(`${request.url}\n${request.rawHeaders.join('\n')}`);
      response.setHeader('content-type', 'text/html');
      response.end('<!doctype html><title>page</title>');
    });
    site.listen(0, '127.0.0.1');
    await once(site, 'listening');
  }, SLOW);
  afterAll(async () => {
    await chromium.close();
    site.closeAllConnections();
    site.close();
  }, SLOW);

  const siteUrl = (host: string): string => `http://${host}:${(site.address() as AddressInfo).port}/`;
  const socketOutcome = (url: string): string =>
    `new Promise((done) => { const ws = new WebSocket(${JSON.stringify(url)}); ws.onopen = () => done('open'); ws.onerror = () => done('refused'); })`;

  it.each(['127.0.0.1', 'localhost', 'rebound.test'])(
    'WSA-8: from %s it opens no WebSocket of the listener, even with the token',
    { timeout: SLOW },
    async (host) => {
      const at = await listening();
      const page = await chromium.page(siteUrl(host));
      const url = `ws://${host}:${at.port}/?token=${at.token}`;
      expect(await page.eval(socketOutcome(url))).toBe('refused');
      expect(at.verdicts()).toEqual(['queryToken rejected originRefused']);
      expect((await (await connect(at)).initialize()).result).toBeTypeOf('object');
    },
  );

  it('RC-51: it neither enrolls nor claims at the embedded backend, under its own name or a rebound one', {
    timeout: SLOW,
  }, async () => {
    const backend = await createBackend();
    try {
      const { port } = new URL(backend.url);
      for (const host of ['127.0.0.1', 'rebound.test']) {
        const page = await chromium.page(siteUrl(host));
        for (const type of ['text/plain', 'application/json']) {
          const target = `http://${host}:${port}/backend-api/wham/remote/control/client/claim`;
          const sent = `fetch(${JSON.stringify(target)}, { method: 'POST', mode: ${JSON.stringify(type === 'text/plain' ? 'no-cors' : 'cors')}, headers: { 'content-type': ${JSON.stringify(type)} }, body: '{"manual_pairing_code":"AAAA-AAAA"}' }).then((r) => String(r.status), () => 'failed')`;
          expect(await page.eval(sent)).toMatch(/^(0|403|failed)$/);
        }
        const socket = `ws://${host}:${port}/backend-api/wham/remote/control/client`;
        expect(await page.eval(socketOutcome(socket))).toBe('refused');
      }
      const reached = backend.events.filter(
        ({ kind, detail }) => kind === 'request' && detail.status !== 403 && detail.route === 'claim',
      );
      expect(reached).toEqual([]);
    } finally {
      await backend.close();
    }
  });

  it('a rebound name does not end a sign-in', { timeout: SLOW }, async () => {
    const callback = await openCallbackServer(0, new Secret('right'));
    if (callback === undefined) throw new Error('no port is free');
    try {
      const page = await chromium.page(siteUrl('rebound.test'));
      const url = `http://rebound.test:${callback.port}/auth/callback?state=right&error=access_denied`;
      expect(
        await page.eval(
          `fetch(${JSON.stringify(url)}, { mode: 'no-cors' }).then(() => 'answered', () => 'failed')`,
        ),
      ).toMatch(/answered|failed/);
      // The sign-in still waits for its own browser.
      const own = await fetch(`http://127.0.0.1:${callback.port}/auth/callback?state=wrong&code=x`);
      expect(own.status).toBe(400);
    } finally {
      callback.close();
    }
  });

  describe('and the inspector', () => {
    let engine: CliProcess;
    let link: URL;
    // A link works once.
    beforeEach(async () => {
      const home = await tmpFolder();
      const quiet = ['--no-remote-control', '--listen', 'off'];
      engine = new CliProcess(['start', '--json', '--inspect', '--home', home, ...quiet]);
      const { url } = await engine.line(({ type }) => type === 'inspector', 'link of the inspector');
      link = new URL(String(url));
    }, SLOW);
    afterEach(() => engine.stop(), SLOW);

    /** Status and socket that a program gets with what it knows. */
    const timelineWith = (cookie: string): Promise<string> =>
      new Promise((resolve) => {
        const request = http.get({
          host: '127.0.0.1',
          port: link.port,
          path: '/timeline',
          headers: {
            origin: link.origin,
            cookie,
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
          },
        });
        request.on('response', (response) => {
          response.resume();
          resolve(String(response.statusCode));
        });
        request.on('upgrade', (_response, socket) => {
          socket.destroy();
          resolve('open');
        });
        request.on('error', () => resolve('failed'));
      });

    it('WSA-62: a page of another site or a rebound name neither opens it nor uses up the link', {
      timeout: SLOW,
    }, async () => {
      for (const host of ['127.0.0.1', 'localhost', 'rebound.test']) {
        const page = await chromium.page(siteUrl(host));
        const rebound = new URL(link);
        rebound.hostname = host;
        for (const target of [link.href, rebound.href]) {
          await page.eval(
            `fetch(${JSON.stringify(target)}, { mode: 'no-cors', credentials: 'include' }).then(() => 0, () => 0)`,
          );
          const frame = `new Promise((done) => { const frame = document.createElement('iframe'); frame.onload = () => done(0); frame.src = ${JSON.stringify(target)}; document.body.append(frame); })`;
          await page.eval(frame);
          const socket = `ws://${new URL(target).host}/timeline`;
          expect(await page.eval(socketOutcome(socket))).toBe('refused');
        }
      }
      // The link still works, in the browser of the person who has it.
      const own = await chromium.page(link.href);
      await own.until(`document.getElementById('status').textContent === 'live'`, 'live page');
    });

    it('WSA-62: its session is not sent to another port of this machine, and opens nothing there', {
      timeout: SLOW,
    }, async () => {
      const page = await chromium.page(link.href);
      await page.until(`document.getElementById('status').textContent === 'live'`, 'live page');
      const kept = await page.eval<string[]>(`[...Object.values({ ...localStorage }), location.href]`);
      const secrets = [...kept, ...kept.flatMap((text) => /page=(.+)$/.exec(text)?.[1] ?? [])];
      secrets.push(link.searchParams.get('token') ?? '');
      expect(secrets.every((secret) => secret.length >= 40)).toBe(true);
      expect(await page.eval('location.href')).not.toContain(link.searchParams.get('token'));

      seen.length = 0;
      const cookies: string[] = [];
      for (const path of ['', 'timeline', '?page=x']) {
        await page.go(`${siteUrl('127.0.0.1')}${path}`);
        cookies.push(await page.eval<string>('document.cookie'));
        expect(await page.eval('Object.keys({ ...localStorage, ...sessionStorage }).length')).toBe(0);
      }
      expect(seen.length).toBeGreaterThanOrEqual(3);
      const all = seen.join('\n');
      for (const secret of secrets) expect(all).not.toContain(secret);
      expect(all.toLowerCase()).not.toMatch(/^cookie$/m);
      expect(all).not.toContain(link.host);
      expect(cookies).toEqual(['', '', '']);
      // Whatever a cookie of this address holds, it opens nothing.
      for (const secret of secrets) expect(await timelineWith(`session=${secret}`)).toBe('403');
      // Back at its own address, the page works again.
      await page.go(kept.find((text) => text.startsWith('http')) ?? '');
      await page.until(`document.getElementById('status').textContent === 'live'`, 'live page');
    });
  });
});
