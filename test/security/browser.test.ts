/** What a web page in a real browser can reach of the servers on this machine: nothing. WSA-8, RC-51 */
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCallbackServer } from '../../src/account/login/callback-port.js';
import { createBackend } from '../../src/backend/index.js';
import { Secret } from '../../src/protocol/secret.js';
import { Chromium, noChromium } from '../inspector/chromium.js';
import { connect, listening } from '../listener/rig.js';

const SLOW = 60_000;
const why = noChromium === false ? '' : `: ${noChromium}`;

describe.skipIf(noChromium !== false)(`a web page in a browser${why}`, () => {
  let chromium: Chromium;
  let site: http.Server;
  beforeAll(async () => {
    // The name that a page has rebound to this machine.
    chromium = await Chromium.open(['--host-resolver-rules=MAP rebound.test 127.0.0.1']);
    site = http.createServer((_request, response) => {
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
    const callback = await openCallbackServer([0], new Secret('right'), new AbortController().signal);
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
});
