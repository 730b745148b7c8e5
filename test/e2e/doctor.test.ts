import { chmod, mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { signIn } from '../support/auth.js';
import { certificate } from '../support/certificate.js';
import { it, type Json, type Lab } from '../support/lab.js';

/** Nothing listens there. */
const CLOSED = 'http://127.0.0.1:1';

async function serve(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

/** The rows by id, and the exit code. */
async function diagnose(lab: Lab, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
  const run = await lab.cli(
    [
      ...['doctor', '--home', lab.home, '--json'],
      ...(args.includes('--timeout') ? [] : ['--timeout', '3']),
      ...(args.includes('--issuer') ? [] : ['--issuer', CLOSED]),
      ...args,
    ],
    env,
  );
  const lines = run.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Json);
  const rows: Record<string, Json> = {};
  for (const line of lines) if (line.type === 'check') rows[String(line.id)] = line;
  return { ...run, rows, summary: lines.at(-1) };
}

/** A server that answers each request like this. */
const answering = (status: number, headers: Record<string, string> = {}): Promise<number> =>
  serve(http.createServer((_request, response) => response.writeHead(status, headers).end('{}')));

describe('RC-120: rc-engine doctor', () => {
  it('with a connected engine and nothing wrong, all rows are good and the exit code is 0', async ({
    lab,
  }) => {
    await lab.connected(['--listen', 'ws://127.0.0.1:0']);
    const issuer = await answering(200);
    const { code, rows, summary, stderr } = await diagnose(lab, ['--issuer', `http://127.0.0.1:${issuer}`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const id of ['home', 'disk', 'store', 'engine', 'account', 'link', 'ports', 'backend.tcp']) {
      expect(rows[id]).toMatchObject({ state: 'ok' });
    }
    expect(rows['backend.upgrade']).toMatchObject({
      state: 'ok',
      message: 'the request arrives: HTTP 401, as expected without a token',
    });
    expect(rows['backend.clock']).toMatchObject({ state: 'ok' });
    expect(summary).toMatchObject({ type: 'summary', failed: 0, warnings: 0 });
  });

  it('without an engine and with closed ports, the first step fails and the later ones are skipped', async ({
    lab,
  }) => {
    const { code, rows } = await diagnose(lab, ['--base-url', `${CLOSED}/backend-api`]);
    expect(code).toBe(1);
    expect(rows.engine).toMatchObject({ state: 'skipped', skippedBecause: null });
    expect(rows.account).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining(` login --home ${lab.home}`),
    });
    expect(rows['backend.tcp']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('ECONNREFUSED'),
      remedy: expect.stringContaining('firewall'),
    });
    for (const step of ['tls', 'http', 'clock', 'upgrade']) {
      expect(rows[`backend.${step}`]).toMatchObject({ state: 'skipped', skippedBecause: 'backend.tcp' });
    }
  });

  it('knows the token that a start from here would use, and keys that sign nobody in', async ({ lab }) => {
    const args = ['--base-url', `${CLOSED}/backend-api`];
    const accountOf = async (env: NodeJS.ProcessEnv) => (await diagnose(lab, args, env)).rows;
    const given = await accountOf({ RC_ENGINE_ACCESS_TOKEN: 'dev', RC_ENGINE_ACCOUNT_ID: 'me' });
    expect(given.account).toMatchObject({
      state: 'ok',
      message: expect.stringContaining('by RC_ENGINE_ACCESS_TOKEN'),
    });
    expect(given['issuer.http']).toMatchObject({ state: 'skipped' });
    const noId = await accountOf({ RC_ENGINE_ACCESS_TOKEN: 'dev' });
    expect(noId.account).toMatchObject({ state: 'failed', message: expect.stringContaining('account id') });
    const expired = await accountOf({
      RC_ENGINE_ACCESS_TOKEN: signIn('me', { exp: Math.floor(Date.now() / 1000) - 7_200 }).accessToken,
      RC_ENGINE_ACCOUNT_ID: 'me',
    });
    expect(expired.account).toMatchObject({
      state: 'failed',
      message: 'the token of RC_ENGINE_ACCESS_TOKEN expired 2 h ago',
      remedy: expect.stringContaining('Set RC_ENGINE_ACCESS_TOKEN to a new token'),
    });
    const wrong = await accountOf({ RC_ENGINE_ACCESS_TOKEN: 'two words' });
    expect(wrong.account).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('is not a token'),
    });
    const foreign = await accountOf({ OPENAI_API_KEY: 'sk-x' });
    expect(foreign.account).toMatchObject({
      state: 'failed',
      message: expect.stringMatching(
        /nobody is signed in.*; OPENAI_API_KEY is set, which signs nobody in here$/,
      ),
    });
    await lab.signInWithApiKey();
    const key = await accountOf({});
    expect(key.account).toMatchObject({ state: 'failed', remedy: expect.stringMatching(/login --home \S+/) });
  });

  it('each row that is not good says what to do, with the right program and home', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o755 });
    const { rows } = await diagnose(lab, ['--base-url', `${CLOSED}/backend-api`, '--store', 'memory:']);
    const bad = Object.values(rows).filter(({ state }) => state === 'warning' || state === 'failed');
    expect(bad.length).toBeGreaterThanOrEqual(4);
    for (const { id, remedy } of bad) expect(remedy, String(id)).toMatch(/\S{3,}/);
    for (const { remedy } of bad) {
      for (const [, rest] of String(remedy).matchAll(/rc-engine (?:login|start|status|logs)(.*)/g)) {
        expect(rest).toContain(`--home ${lab.home}`);
      }
    }
  });

  it('prints plain ASCII without a UTF-8 locale, and says what to do below each failure', async ({ lab }) => {
    const args = ['doctor', '--home', lab.home, '--base-url', `${CLOSED}/`, '--issuer', CLOSED];
    const { code, stdout } = await lab.cli(args, { LANG: 'C' });
    expect(code).toBe(1);
    expect(stdout).toMatch(/^[\n\x20-\x7e]*$/);
    expect(stdout).toMatch(/FAIL sign-in [^>]*\n +> Sign in with \S+.* login /);
    const { stdout: unicode } = await lab.cli(args, { LANG: 'C.UTF-8' });
    expect(unicode).toMatch(/✗ sign-in [^→]*\n +→ Sign in with \S+.* login /);
  });

  it('an unknown name is a failure of the name server', async ({ lab }) => {
    const args = ['--base-url', 'https://no-such-name.invalid/', '--allow-host', 'no-such-name.invalid'];
    const { rows } = await diagnose(lab, args);
    expect(rows['backend.dns']).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining('getent hosts'),
    });
    expect(rows['backend.tcp']).toMatchObject({ skippedBecause: 'backend.dns' });
  });

  it('a proxy that refuses is named, without its password', async ({ lab }) => {
    const proxy = http.createServer();
    proxy.on('connect', (_request, socket) =>
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'),
    );
    const port = await serve(proxy);
    const { rows, stdout } = await diagnose(
      lab,
      ['--base-url', 'https://backend.invalid/', '--allow-host', 'backend.invalid'],
      { HTTPS_PROXY: `http://user:hunter2@127.0.0.1:${port}` },
    );
    expect(rows['backend.dns']).toMatchObject({ state: 'skipped', skippedBecause: null });
    expect(rows['backend.proxy']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining(`http://127.0.0.1:${port} refused the user and password`),
    });
    expect(stdout).not.toContain('hunter2');
  });

  it('through a proxy that connects, the TLS handshake is checked', async ({ lab }) => {
    const { cert, key } = certificate({ name: 'backend.invalid' });
    const backend = await serve(https.createServer({ cert, key }));
    const proxy = http.createServer();
    proxy.on('connect', (_request, socket) => {
      const onward = net.connect(backend, '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const end of [onward, socket]) end.on('error', () => onward.destroy());
    });
    const { rows } = await diagnose(
      lab,
      ['--base-url', 'https://backend.invalid/', '--allow-host', 'backend.invalid'],
      { HTTPS_PROXY: `http://127.0.0.1:${await serve(proxy)}` },
    );
    expect(rows['backend.proxy']).toMatchObject({ state: 'ok' });
    expect(rows['backend.tls']).toMatchObject({
      state: 'failed',
      remedy: expect.stringContaining('--ca-cert'),
    });
    expect(rows['backend.http']).toMatchObject({ skippedBecause: 'backend.tls' });
  });

  it('an expired certificate points at the clock', async ({ lab }) => {
    const day = 86_400_000;
    const { cert, key } = certificate({ name: 'x', from: Date.now() - 9 * day, to: Date.now() - day });
    const port = await serve(https.createServer({ cert, key }));
    const ca = join(lab.folder, 'ca.pem');
    await writeFile(ca, cert);
    const { rows } = await diagnose(lab, ['--base-url', `https://127.0.0.1:${port}/`, '--ca-cert', ca]);
    expect(rows['backend.tcp']).toMatchObject({ state: 'ok' });
    expect(rows['backend.tls']).toMatchObject({ state: 'failed', message: expect.stringContaining('clock') });
  });

  it('a server that never answers fails within --timeout', async ({ lab }) => {
    const port = await serve(net.createServer(() => {}));
    const began = performance.now();
    const { rows } = await diagnose(lab, ['--base-url', `http://127.0.0.1:${port}/`, '--timeout', '1']);
    expect(rows['backend.http']).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('within 1 s'),
    });
    expect(performance.now() - began).toBeLessThan(6_000);
  });

  it.each<[string, number, Record<string, string>, string, Json]>([
    [
      'a wrong clock',
      404,
      { date: new Date(Date.now() - 1_800_000).toUTCString() },
      'clock',
      { state: 'failed' },
    ],
    [
      'a slightly wrong clock',
      404,
      { date: new Date(Date.now() + 240_000).toUTCString() },
      'clock',
      { state: 'warning' },
    ],
    [
      'a sign-in page of the network',
      302,
      { location: 'http://portal.invalid/' },
      'http',
      { state: 'warning' },
    ],
    ['a network that needs a sign-in', 511, {}, 'http', { state: 'failed' }],
    ['a removed upgrade', 426, {}, 'upgrade', { state: 'failed' }],
    ['a busy backend', 503, {}, 'upgrade', { state: 'warning' }],
  ])('finds %s', async (_name, status, headers, step, expected) => {
    const { Lab: lab } = await import('../support/lab.js');
    const rig = await lab.open();
    onTestFinished(() => rig.end());
    const port = await answering(status, headers);
    const { rows } = await diagnose(rig, ['--base-url', `http://127.0.0.1:${port}/`]);
    expect(rows[`backend.${step}`]).toMatchObject(expected);
  });

  it('a home that other users can change fails, and what needs it is skipped', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true });
    await chmod(lab.home, 0o777);
    const { rows } = await diagnose(lab, ['--base-url', `${CLOSED}/`]);
    expect(rows.home).toMatchObject({ state: 'failed', remedy: expect.stringContaining('chmod 700') });
    expect(rows.store).toMatchObject({ skippedBecause: 'home' });
  });

  it('a wrong config.json fails, and a damaged store is named', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    await writeFile(join(lab.home, 'config.json'), '{"listn":"off"}', { mode: 0o600 });
    const { rows } = await diagnose(lab, ['--base-url', `${CLOSED}/`]);
    expect(rows.config).toMatchObject({ state: 'failed', message: expect.stringContaining('"listen"') });
    await writeFile(join(lab.home, 'config.json'), '{}', { mode: 0o600 });
    await writeFile(join(lab.home, 'rc-engine.sqlite'), 'this is no database'.repeat(100), { mode: 0o600 });
    const second = await diagnose(lab, ['--base-url', `${CLOSED}/`]);
    expect(second.rows.store).toMatchObject({ state: 'failed' });
  });

  it('an app server that answers is good, and one that does not is named', async ({ lab }) => {
    const answers = join(lab.folder, 'answers.mjs');
    await writeFile(
      answers,
      'process.stdin.on(\'data\', () => process.stdout.write(\'{"id":1,"result":{}}\\n\'));',
    );
    const good = await diagnose(lab, ['--base-url', `${CLOSED}/`, '--', process.execPath, answers]);
    expect(good.rows.appServer).toMatchObject({
      state: 'ok',
      message: expect.stringContaining('answered initialize'),
    });
    const bad = await diagnose(lab, ['--base-url', `${CLOSED}/`, '--', 'false']);
    expect(bad.rows.appServer).toMatchObject({ state: 'failed' });
    const mute = await diagnose(lab, ['--base-url', `${CLOSED}/`, '--timeout', '1', '--', 'cat']);
    expect(mute.rows.appServer).toMatchObject({
      state: 'failed',
      message: expect.stringContaining('in time'),
    });
  });

  it('a port of the listener that another program uses is named', async ({ lab }) => {
    const port = await serve(net.createServer());
    const { rows } = await diagnose(lab, ['--base-url', `${CLOSED}/`, '--listen', `ws://127.0.0.1:${port}`]);
    expect(rows.ports).toMatchObject({ state: 'failed', remedy: expect.stringContaining(String(port)) });
  });

  it('an engine that is not connected fails with its own reason', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start(['--base-url', `${CLOSED}/backend-api`, '--auth-startup', 'recoverable']);
    await engine.line(({ status }) => status === 'errored', 'errored');
    const { code, rows } = await diagnose(lab);
    expect(code).toBe(1);
    expect(rows.link).toMatchObject({ state: 'failed', message: expect.stringContaining('not connected') });
  });

  it('Ctrl-C ends it with code 130', async ({ lab }) => {
    const port = await serve(net.createServer(() => {}));
    const run = lab.run(['doctor', '--home', lab.home, '--base-url', `http://127.0.0.1:${port}/`]);
    await run.until(() => run.stdout.includes('Backend') || run.stdout.includes('Engine'), 'rows');
    expect((await run.stop('SIGINT')).code).toBe(130);
  });
});
