/** Claims, headers and answers of an issuer do not act on the terminal either. RC-55 */
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { jwt } from '../support/auth.js';
import { CANARY, unsafeParts } from '../support/canary.js';
import { it } from '../support/lab.js';

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the terminal', () => {
  it('RC-55: whoami and start show the claims of a token', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    const claims = {
      email: CANARY,
      exp: Math.floor(Date.now() / 1000) + 3_600,
      'https://api.openai.com/auth': {
        chatgpt_user_id: CANARY,
        chatgpt_plan_type: CANARY,
        chatgpt_account_id: 'account-A',
      },
    };
    const tokens = {
      id_token: jwt(claims, 'x'),
      access_token: jwt(claims, 'y'),
      refresh_token: 'r',
      account_id: 'account-A',
    };
    await lab.writeAuth({
      auth_mode: 'chatgpt',
      OPENAI_API_KEY: null,
      tokens,
      last_refresh: new Date().toISOString(),
    });
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await lab.cli(['whoami', '--home', lab.home, ...more]);
      expect(unsafeParts(stdout + stderr)).toEqual([]);
      expect(stdout).toContain('MARK');
    }
  });

  it('RC-55: the log and the status show headers and signed claims of a rejected client', async ({ lab }) => {
    await lab.signIn();
    const secret = randomBytes(32).toString('hex');
    const file = join(lab.folder, 'secret');
    await writeFile(file, secret, { mode: 0o600 });
    lab.exempt.push(file);
    const engine = await lab.start([
      '--listen',
      'ws://127.0.0.1:0',
      '--ws-auth',
      'signed-bearer-token',
      '--ws-shared-secret-file',
      file,
      '--log-level',
      'trace',
      '--log-format',
      'pretty',
    ]);
    const { url } = await engine.line(({ type }) => type === 'listening', 'listening');
    const signed = `${part({ alg: 'HS256', kid: CANARY })}.${part({ iss: CANARY, sub: CANARY, aud: CANARY, exp: 1 })}`;
    const token = `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    const client = new WebSocket(String(url), { headers: { authorization: `Bearer ${token}` } });
    await new Promise((resolve) => client.once('error', resolve));
    const { hostname, port } = new URL(String(url));
    for (const name of ['Origin', 'Host', 'Authorization', 'Upgrade', 'User-Agent']) {
      const socket = net.connect(Number(port), hostname);
      socket.on('error', () => {});
      const headers = `Host: ${hostname}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n`;
      socket.end(
        Buffer.from(`GET /\u009b2J HTTP/1.1\r\n${headers}${name}: \u009b31mMARK\u0085\r\n\r\n`, 'latin1'),
      );
      socket.resume();
      await once(socket, 'close');
    }
    const { stdout, stderr } = await lab.cli(['status', '--verbose', '--home', lab.home]);
    await engine.stop();
    expect(stdout).toContain('last rejection');
    expect(unsafeParts(stdout + stderr + engine.stdout + engine.stderr)).toEqual([]);
  });

  it('RC-55: login shows what an issuer answered', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    let status = 200;
    const address = await jsonServer(() => [
      status,
      {
        device_auth_id: CANARY,
        user_code: CANARY,
        interval: '1',
        error: CANARY,
        error_description: CANARY,
        message: CANARY,
        access_token: CANARY,
        authorization_code: CANARY,
        code_verifier: CANARY,
        code_challenge: CANARY,
      },
    ]);
    for (status of [200, 400, 403]) {
      const login = lab.run(['login', '--device', '--home', lab.home, '--issuer', address]);
      const timer = setTimeout(() => login.child.kill('SIGINT'), 4_000);
      await login.exited;
      clearTimeout(timer);
      expect(login.stdout + login.stderr).not.toBe('');
      expect(unsafeParts(login.stdout + login.stderr)).toEqual([]);
    }
  });

  it('RC-55, ACC-116: login and its page show what the browser brought and what the issuer answered then', async ({
    lab,
  }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    const html = `<script>alert(1)</script>"'&<img src=x onerror=alert(1)>${CANARY}`;
    const issuer = await jsonServer(() => [400, { error: html, error_description: html, message: html }]);
    for (const query of [
      { error: html },
      { error: 'access_denied', error_description: html },
      { code: 'a-code-of-the-issuer' },
      { code: 'another-code-of-it', scope: html, iss: html },
    ]) {
      const login = lab.run(['login', '--no-browser', '--home', lab.home, '--issuer', issuer]);
      const address = await login.until(
        () => /(http:\/\/127\.0\.0\.1:\d+\/\S*authorize\S*)/.exec(login.stdout + login.stderr)?.[1],
        'address of the sign-in',
      );
      const sent = new URL(address).searchParams;
      const callback = new URL(sent.get('redirect_uri') ?? '');
      for (const state of ['', html]) {
        callback.search = String(new URLSearchParams({ state, ...query }));
        const wrong = await fetch(callback);
        expect(wrong.status).toBe(400);
        expectPlainPage(await wrong.text());
      }
      callback.search = String(new URLSearchParams({ state: sent.get('state') ?? '', ...query }));
      const response = await fetch(callback);
      expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
      const page = await response.text();
      expectPlainPage(page);
      expect(page).toContain('MARK');
      const { stdout, stderr } = await login.exited;
      expect(stdout + stderr).toContain('MARK');
      expect(unsafeParts(stdout + stderr)).toEqual([]);
    }
  });
});

/** A page whose only script and tags are its own. */
function expectPlainPage(page: string): void {
  expect(unsafeParts(page)).toEqual([]);
  expect([...page.matchAll(/<(script|img|iframe|a|form)/g)]).toEqual([]);
}

/** A server on this machine that answers each request the same way. Its URL. */
async function jsonServer(answer: () => readonly [number, object]): Promise<string> {
  const server = http.createServer((request, response) => {
    request.resume();
    const [status, body] = answer();
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
