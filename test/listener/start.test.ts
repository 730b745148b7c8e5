import { createHash, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CliProcess, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { Client, jwt, raw, SHARED_SECRET, upgradeText } from './rig.js';

const CAP = ['--ws-auth', 'capability-token'];
const JWT = ['--ws-auth', 'signed-bearer-token'];
const HEX = createHash('sha256').update('x').digest('hex');
const TLS = join(import.meta.dirname, '../support/tls');
const CERTIFICATE = join(TLS, 'backend.pem');

/** Starts a listener; returns its process and the line it prints. */
async function open(...args: string[]) {
  const home = await tmpFolder();
  const process = new CliProcess(['start', '--json', '--home', home, '--no-remote-control', ...args]);
  const line = await process.line(({ type }) => type === 'listening', 'listening line');
  return { process, home, line, url: String(line.url), connectUrl: String(line.connectUrl) };
}

async function file(content: string | Buffer, mode = 0o600): Promise<string> {
  const path = join(await tmpFolder(), 'secret');
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

async function refused(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const process = new CliProcess(
    ['start', '--json', '--home', await tmpFolder(), '--no-remote-control', ...args],
    env,
  );
  const { code, stdout, stderr } = await process.exited;
  expect(stdout).not.toContain('"listening"');
  expect(stderr).not.toMatch(/at .*\.(js|ts|cjs):\d+/);
  return { code, text: stdout + stderr };
}

describe('invalid flags', () => {
  it.each<[string, (path: string) => string[], RegExp]>([
    ['no source', () => CAP, /needs --ws-token-file or --ws-token-sha256/],
    ['both sources', (p) => [...CAP, '--ws-token-file', p, '--ws-token-sha256', HEX], /mutually exclusive/],
    [
      'a flag of the other mode',
      () => [...CAP, '--ws-token-sha256', HEX, '--ws-issuer', 'me'],
      /--ws-issuer/,
    ],
    ['the same flag twice', () => [...CAP, '--ws-token-sha256', HEX, '--ws-token-sha256', HEX], /2 times/],
    ['two modes', () => [...CAP, ...JWT, '--ws-token-sha256', HEX], /--ws-auth is given 2 times/],
    ['no secret', () => JWT, /needs --ws-shared-secret-file/],
    [
      'a flag of the capability mode',
      (p) => [...JWT, '--ws-shared-secret-file', p, '--ws-token-sha256', HEX],
      /--ws-token-sha256/,
    ],
    ['a flag without its mode', (p) => ['--ws-token-file', p], /needs --ws-auth/],
    ['skew without a mode', () => ['--ws-max-clock-skew-seconds', '5'], /needs --ws-auth/],
    ['expiry without a mode', () => ['--close-on-token-expiry'], /needs --ws-auth/],
    ['an unknown mode', () => ['--ws-auth', 'none'], /--ws-auth must be/],
    [
      '--no-token-check with a bearer mode',
      () => [...CAP, '--ws-token-sha256', HEX, '--no-token-check'],
      /--no-token-check/,
    ],
    ['63 digits', () => [...CAP, '--ws-token-sha256', HEX.slice(1)], /64 hex digits/],
    ['no hex', () => [...CAP, '--ws-token-sha256', `g${HEX.slice(1)}`], /64 hex digits/],
    ['a relative path', () => [...CAP, '--ws-token-file', 'token'], /absolute/],
    [
      'a negative skew',
      (p) => [...JWT, '--ws-shared-secret-file', p, '--ws-max-clock-skew-seconds', '-1'],
      /skew/,
    ],
    [
      'a skew that is not a number',
      (p) => [...JWT, '--ws-shared-secret-file', p, '--ws-max-clock-skew-seconds', 'x'],
      /skew/,
    ],
    [
      'a blank audience',
      (p) => [...JWT, '--ws-shared-secret-file', p, '--ws-audience', ' '],
      /--ws-audience must not be empty/,
    ],
    ['an empty issuer', (p) => [...JWT, '--ws-shared-secret-file', p, '--ws-issuer', ''], /--ws-issuer/],
    ['a host name', () => ['--listen', 'ws://example.com:1'], /IP address/],
    ['a port too high', () => ['--listen', 'ws://127.0.0.1:70000'], /65535/],
    ['a path behind the port', () => ['--listen', 'ws://127.0.0.1:0/x'], /--listen must be/],
    ['wss without a certificate', () => ['--listen', 'wss://127.0.0.1:0'], /--tls-cert/],
    ['a certificate without a key', () => ['--tls-cert', '/x'], /--tls-cert needs --tls-key/],
    [
      'an unreadable certificate',
      () => ['--tls-cert', '/no/cert', '--tls-key', '/no/key'],
      /\/no\/cert of --tls-cert cannot be read/,
    ],
    [
      'a file that is not a certificate',
      (p) => ['--tls-cert', p, '--tls-key', p],
      /of --tls-cert holds no PEM certificate/,
    ],
    [
      'a certificate instead of its key',
      () => ['--tls-cert', CERTIFICATE, '--tls-key', CERTIFICATE],
      /of --tls-key holds no PEM key/,
    ],
    [
      'a key of another certificate',
      (p) => {
        const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
        writeFileSync(p, privateKey.export({ type: 'pkcs8', format: 'pem' }));
        return ['--tls-cert', CERTIFICATE, '--tls-key', p];
      },
      /of --tls-key does not belong to the certificate .* of --tls-cert/,
    ],
    ['a socket path too long', () => ['--listen', `unix:///tmp/${'x'.repeat(120)}`], /at most 10[37]/],
    ['a bad pattern', () => ['--deny-method', 'a b'], /method name/],
    ['no connections', () => ['--max-connections', '0'], /--max-connections must be a whole number/],
    [
      'an app server URL that is not supported',
      () => ['--app-server', 'http://x/?token=secret'],
      /--app-server must be/,
    ],
    ['an app server twice', () => ['--app-server', 'builtin', '--', 'x'], /--app-server cannot be used/],
    ['a mode without a command', () => ['--app-server-mode', 'shared'], /needs a command/],
    ['nothing after --', () => ['--'], /The command after -- is missing/],
  ])('WSA-14, WSA-15: %s: exits with 2 and names the flag', async (_, args, says) => {
    const { code, text } = await refused(args(await file(SHARED_SECRET)));
    expect(text).toMatch(says);
    expect(code).toBe(2);
    expect(text).not.toContain('token=secret');
  });

  it('WSA-14: a variable that is set but empty does not disable a check', async () => {
    const path = await file(SHARED_SECRET);
    const { code, text } = await refused([...JWT, '--ws-shared-secret-file', path], {
      RC_ENGINE_WS_AUDIENCE: '',
    });
    expect([code, text.includes('RC_ENGINE_WS_AUDIENCE')]).toEqual([2, true]);
  });

  it.each<[string, string | Buffer, RegExp]>([
    ['empty', ' \n', /is empty/],
    ['31 bytes', `${'s'.repeat(31)}\n`, /holds 31 bytes; at least 32/],
    ['not UTF-8', Buffer.from([0xff, 0xfe, ...Buffer.alloc(40, 65)]), /not UTF-8/],
    ['too large', 'x'.repeat(70_000), /64 KiB/],
  ])(
    'WSA-14: the error about a secret file that is %s names the file and not its content',
    async (_, content, says) => {
      const path = await file(content);
      const { code, text } = await refused([...JWT, '--ws-shared-secret-file', path]);
      expect(code).toBe(1);
      expect(text).toMatch(says);
      expect(text).toContain(path);
      expect(text).not.toContain('sssss');
    },
  );

  it('WSA-14: a missing secret file and a directory are reported', async () => {
    expect((await refused([...CAP, '--ws-token-file', '/no/such'])).text).toMatch(/\/no\/such.*no such file/);
    expect((await refused([...CAP, '--ws-token-file', await tmpFolder()])).text).toMatch(/directory/);
  });
});

describe('starting', () => {
  it('without --listen it listens on a free port of 127.0.0.1 with a query token', async () => {
    const { process, line, connectUrl } = await open();
    expect(line).toMatchObject({ authMode: 'queryToken', enforced: true });
    expect(line.url).toMatch(/^ws:\/\/127\.0\.0\.1:\d+\/$/);
    expect(connectUrl).toMatch(/\?token=[\w-]{43}$/);
    expect((await (await Client.open(connectUrl)).initialize()).result).toBeTypeOf('object');
    expect((await process.stop()).code).toBe(0);
  });

  it('settings also come from variables and the config file', async () => {
    const home = await tmpFolder();
    await writeFile(
      join(home, 'config.json'),
      JSON.stringify({ maxConnections: 7, denyMethod: ['engine/*'] }),
    );
    const process = new CliProcess(['start', '--json', '--home', home, '--no-remote-control'], {
      RC_ENGINE_WS_AUTH: 'capability-token',
      RC_ENGINE_WS_TOKEN_SHA256: HEX,
    });
    const { url, connectUrl } = await process.line(({ type }) => type === 'listening', 'listening line');
    expect(connectUrl).toBe(url);
    const client = await Client.open(String(url), { authorization: 'Bearer x' });
    await client.initialize();
    expect(await client.request('engine/status/read')).toMatchObject({ error: { code: -32003 } });
    const status = await cli(['status', '--json', '--home', home]);
    expect(JSON.parse(status.stdout)).toMatchObject({
      listener: { maxConnections: 7, openConnections: 1 },
      connections: [
        { mode: 'capability', outcome: 'established', reason: 'capabilityMatched', origin: 'listener' },
      ],
    });
    const shown = await cli(['status', '--verbose', '--home', home]);
    expect(shown.stdout).toMatch(/listener\s+ws:\/\/127\.0\.0\.1:\d+\/, capability, enforced/);
    expect(shown.stdout).toContain('capabilityMatched');
    await process.stop();
  });

  it('WSA-14: a secret file that others can read causes a warning that names the fix', async () => {
    const path = await file(SHARED_SECRET, 0o644);
    const { process } = await open(...JWT, '--ws-shared-secret-file', path);
    await process.until(() => process.stderr.includes(`chmod 600 ${path}`), 'warning');
    expect(process.stderr).toMatch(/"level":"warn"[^\n]*chmod/);
    expect((await process.stop()).stderr).not.toContain(SHARED_SECRET);
  });

  it('WSA-15: a listener that other machines can reach without TLS causes a warning', async () => {
    const { process } = await open('--listen', 'ws://0.0.0.0:0');
    await process.until(() => /warn[^\n]*not encrypted/.test(process.stderr), 'warning');
    await process.stop();
  });

  it('WSA-15: wss:// works with a certificate', async () => {
    const { process, url, connectUrl } = await open(
      ...['--listen', 'wss://127.0.0.1:0', '--tls-cert', join(TLS, 'backend.pem')],
      ...['--tls-key', join(TLS, 'backend.key.pem')],
    );
    expect(url).toMatch(/^wss:/);
    const client = await Client.open(connectUrl, {}, { rejectUnauthorized: false });
    expect((await client.initialize()).result).toBeTypeOf('object');
    await expect(Client.open(url, {}, { rejectUnauthorized: false })).rejects.toThrow('401');
    const port = Number(new URL(url).port);
    expect((await raw(port, upgradeText())).status).toBe(0);
    await process.stop();
  });

  it('WSA-5: the first screen shows the connect URL once, with the authority and the warnings', async () => {
    const process = new CliProcess([
      'start',
      '--home',
      await tmpFolder(),
      '--no-remote-control',
      '--no-token-check',
    ]);
    await process.until(() => process.stdout.includes('token='), 'banner');
    const { stdout, stderr } = await process.stop();
    expect(stdout.match(/token=/g)).toHaveLength(1);
    expect(stdout).toContain('NOT enforced');
    expect(stderr).not.toContain('token=');
  });

  it('WSA-4: the status says that the check is off, as text and as JSON', async () => {
    const { process, home } = await open('--no-token-check');
    const shown = await cli(['status', '--verbose', '--home', home]);
    expect(shown.stdout).toMatch(/^listener +ws:.*NOT enforced/m);
    const { listener } = JSON.parse((await cli(['status', '--json', '--home', home])).stdout);
    expect(listener).toMatchObject({ enforced: false, degraded: true });
    await process.stop();
  });

  it.each([
    [[], 'does not close open connections'],
    [['--close-on-token-expiry'], 'closes open connections'],
  ])('WSA-20a: the banner says what happens to a connection whose token expires (%j)', async (args, says) => {
    const process = new CliProcess([
      ...['start', '--home', await tmpFolder(), '--no-remote-control', ...JWT],
      ...['--ws-shared-secret-file', await file(SHARED_SECRET), ...args],
    ]);
    await process.until(() => process.stdout.includes(says), 'banner');
    await process.stop();
  });

  it('WSA-15: it listens on IPv6, on a chosen port, and with off nowhere', async () => {
    const { process, url, connectUrl } = await open('--listen', 'ws://[::1]:0');
    expect(url).toMatch(/^ws:\/\/\[::1\]:\d+\/$/);
    expect((await (await Client.open(connectUrl)).initialize()).result).toBeTypeOf('object');
    const { port } = new URL(url);
    await process.stop();
    const chosen = await open('--listen', `ws://127.0.0.1:${port}`);
    expect(chosen.url).toBe(`ws://127.0.0.1:${port}/`);
    await chosen.process.stop();
    const home = await tmpFolder();
    const off = new CliProcess(['start', '--json', '--home', home, '--no-remote-control', '--listen', 'off']);
    await off.line(({ type }) => type === 'started', 'started line');
    const { listener, connections } = JSON.parse((await cli(['status', '--json', '--home', home])).stdout);
    expect([listener, connections]).toEqual([null, []]);
    expect((await off.stop()).stdout).not.toContain('"listening"');
  });

  it('WSA-17: --max-message-bytes sets the limit', async () => {
    const { process, connectUrl } = await open('--max-message-bytes', '2000');
    const client = await Client.open(connectUrl);
    await client.initialize();
    client.ws.send(' '.repeat(2_001));
    expect((await client.closed).code).toBe(1009);
    await process.stop();
  });

  it('a port in use and an address of another machine are reported', async () => {
    const server = net.createServer();
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as net.AddressInfo;
    const used = await refused(['--listen', `ws://127.0.0.1:${port}`]);
    server.close();
    expect([used.code, used.text.includes('the address is in use')]).toEqual([1, true]);
    const foreign = await refused(['--listen', 'ws://192.0.2.1:0']);
    expect([foreign.code, foreign.text.includes('does not belong to this machine')]).toEqual([1, true]);
  });
});

describe('a unix socket', () => {
  it('WSA-15: has mode 0600; a stale socket is replaced, a socket in use and another file are not', async () => {
    const path = join(await tmpFolder(), 'l.sock');
    const first = await open('--listen', `unix://${path}`);
    expect(first.url).toBe(`unix://${path}`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const second = await refused(['--listen', `unix://${path}`]);
    expect([second.code, second.text.includes('Another process listens')]).toEqual([1, true]);
    first.process.child.kill('SIGKILL');
    await first.process.exited;
    const third = await open('--listen', `unix://${path}`);
    await third.process.stop();
    await expect(stat(path)).rejects.toThrow('ENOENT');
    await writeFile(path, 'precious');
    expect((await refused(['--listen', `unix://${path}`])).text).toContain('is not a socket');
    expect(await readFile(path, 'utf8')).toBe('precious');
  });

  it('a directory that others can write to causes a warning; a private one and a sticky one do not', async () => {
    const warned = async (mode: number) => {
      const directory = join(await tmpFolder(), 'd');
      await mkdir(directory);
      await chmod(directory, mode);
      const { process } = await open('--listen', `unix://${join(directory, 'l.sock')}`, '--no-token-check');
      const { stderr } = await process.stop();
      expect(stderr).toContain('every process that may open the socket may connect, marked as degraded');
      return stderr.includes('Other users can replace');
    };
    expect([await warned(0o700), await warned(0o770), await warned(0o1777)]).toEqual([false, true, false]);
  });
});

describe('rc-engine token', () => {
  it('create writes a private file that the capability mode accepts, and does not print the token', async () => {
    const dir = join(await tmpFolder(), 'd');
    await mkdir(dir);
    const path = join(dir, 'cap');
    const made = await cli(['token', 'create', '--capability', path, '--json']);
    const token = (await readFile(path, 'utf8')).trim();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(JSON.parse(made.stdout)).toMatchObject({
      sha256: createHash('sha256').update(token).digest('hex'),
    });
    expect(made.stdout).not.toContain(token);
    const again = await cli(['token', 'create', '--capability', path]);
    expect([again.code, (await readFile(path, 'utf8')).trim()]).toEqual([2, token]);
    const { process, url } = await open(...CAP, '--ws-token-file', path);
    await Client.open(url, { authorization: `Bearer ${token}` });
    await process.stop();
  });

  it('sign prints a token that the signed-bearer mode accepts', async () => {
    const path = await file(SHARED_SECRET);
    const args = ['--secret-file', path, '--issuer', 'me', '--audience', 'you'];
    const signed = (await cli(['token', 'sign', ...args, '--ttl', '60'])).stdout.trim();
    const { process, url } = await open(
      ...[...JWT, '--ws-shared-secret-file', path, '--ws-issuer', 'me', '--ws-audience', 'you'],
    );
    await Client.open(url, { authorization: `Bearer ${signed}` });
    const other = jwt({ exp: Math.floor(Date.now() / 1000) + 60 });
    await expect(Client.open(url, { authorization: `Bearer ${other}` })).rejects.toThrow('401');
    await process.stop();
  });
});
