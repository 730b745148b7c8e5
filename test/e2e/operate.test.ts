import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { it, type Json } from '../support/lab.js';

describe('RC-121: rc-engine stop', () => {
  it('ends the engine in good order and returns when it has ended', async ({ lab }) => {
    const engine = await lab.connected();
    const stop = await lab.cli(['stop', '--home', lab.home]);
    expect([stop.code, stop.stdout]).toEqual([0, `Stopped the engine with pid ${engine.child.pid}.\n`]);
    expect((await engine.exited).code).toBe(0);
    const again = await lab.cli(['stop', '--home', lab.home, '--json']);
    expect(again.code).toBe(5);
    expect(JSON.parse(again.stdout)).toMatchObject({ type: 'error', code: 'notRunning' });
  });

  it.runIf(process.platform === 'linux')(
    'an engine that does not answer is named after --timeout, with the next step',
    async ({ lab }) => {
      const engine = await lab.connected();
      engine.child.kill('SIGSTOP');
      const stop = await lab.cli(['stop', '--home', lab.home, '--timeout', '1']);
      engine.child.kill('SIGCONT');
      expect(stop.code).toBe(1);
      expect(stop.stderr).toContain(`pid ${engine.child.pid} did not end within 1 s.`);
      // Its SIGTERM arrives when it continues.
      expect((await engine.exited).code).toBe(0);
    },
  );

  it('engine/stop is for the owner at the control socket only', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0']);
    const { stdout } = await lab.cli(['url', '--home', lab.home]);
    const socket = new WebSocket(stdout.trim());
    onTestFinished(() => socket.terminate());
    const answers: Json[] = [];
    socket.on('message', (data) => answers.push(JSON.parse(String(data)) as Json));
    await new Promise((resolve) => socket.once('open', resolve));
    const call = async (id: number, method: string, params: object = {}) => {
      socket.send(JSON.stringify({ id, method, params }));
      await expect.poll(() => answers.some((answer) => answer.id === id)).toBe(true);
      return answers.find((answer) => answer.id === id);
    };
    await call(1, 'initialize', { clientInfo: { name: 'test', version: '1' } });
    for (const [id, method] of [
      [2, 'engine/stop'],
      [3, 'engine/logs/read'],
      [4, 'engine/connectUrl/read'],
    ] as const) {
      expect(await call(id, method)).toMatchObject({ error: { code: -32003 } });
    }
    expect(engine.running).toBe(true);
  });
});

describe('RC-122: rc-engine enable and disable', () => {
  it('disable cuts off and enable connects again; --ephemeral leaves the preference', async ({ lab }) => {
    await lab.connected();
    const off = await lab.cli(['disable', '--home', lab.home, '--ephemeral']);
    expect([off.code, off.stdout]).toEqual([0, 'Remote control is off until the engine stops.\n']);
    await lab.reached({ status: 'disabled' });
    const pair = await lab.cli(['pair', '--home', lab.home]);
    expect(pair.stderr).toContain('rc-engine enable');
    const on = await lab.cli(['enable', '--home', lab.home, '--json']);
    expect(on.code).toBe(0);
    expect(JSON.parse(on.stdout)).toMatchObject({ type: 'remoteControl', ephemeral: false });
    await lab.reached({ status: 'connected' });
  });

  it('a refusal of the engine has its reason', async ({ lab }) => {
    await lab.signInWithApiKey();
    const engine = await lab.start(['--remote-control', 'off', '--auth-startup', 'recoverable']);
    await engine.line(({ type }) => type === 'started', 'start');
    const on = await lab.cli(['enable', '--home', lab.home]);
    expect([on.code, on.stderr]).toEqual([1, expect.stringContaining('rc-engine explain authApiKey')]);
  });
});

describe('RC-123: rc-engine logs', () => {
  it('shows what the engine keeps, also below its own log level, and follows new lines', async ({ lab }) => {
    const engine = await lab.connected(['--log-level', 'error']);
    expect(engine.stderr).toBe('');
    const shown = await lab.cli(['logs', '--home', lab.home, '--level', 'info']);
    expect(shown.stdout).toMatch(
      /^\S+Z info {2}remote control: .* reason=connected state=active\.connected/m,
    );
    const few = await lab.cli(['logs', '--home', lab.home, '-n', '1', '--json']);
    expect(few.stdout.trim().split('\n')).toHaveLength(1);
    const follow = lab.run(['logs', '--home', lab.home, '-f', '-n', '1']);
    await follow.until(() => follow.stdout.includes('\n'), 'the last line');
    await lab.cli(['disable', '--home', lab.home, '--ephemeral']);
    await follow.until(() => follow.stdout.includes('reason=disabled'), 'a new line');
    await lab.cli(['stop', '--home', lab.home]);
    await follow.until(() => follow.stderr.includes('waiting for the next one'), 'end of the engine');
    await lab.start();
    await follow.until(() => follow.stdout.includes('reason=connected'), 'the next engine');
    expect((await follow.stop()).code).toBe(0);
  });

  it('--log-file gets the log as JSON in a private file, which logs reads without an engine', async ({
    lab,
  }) => {
    const file = join(lab.folder, 'engine.log');
    const engine = await lab.connected(['--log-file', file]);
    await engine.stop();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    for (const line of (await readFile(file, 'utf8')).trim().split('\n')) JSON.parse(line);
    const shown = await lab.cli(['logs', '--home', lab.home], { RC_ENGINE_LOG_FILE: file });
    expect([shown.code, shown.stdout]).toEqual([0, expect.stringContaining('reason=connected')]);
    const none = await lab.cli(['logs', '--home', lab.home]);
    expect([none.code, none.stderr]).toEqual([5, expect.stringContaining('--log-file PATH')]);
  });

  it('a log file that cannot be opened stops the start', async ({ lab }) => {
    await writeFile(join(lab.folder, 'file'), '');
    const start = await lab.cli(['start', '--home', lab.home, '--log-file', join(lab.folder, 'file/x')]);
    expect([start.code, start.stderr]).toEqual([
      2,
      expect.stringContaining('of --log-file cannot be opened'),
    ]);
  });
});

describe('RC-124: rc-engine devices rename', () => {
  it('gives a device a name of the owner, which revoke accepts and forgets', async ({ lab }) => {
    await lab.connected();
    const pair = await lab.cli(['pair', '--home', lab.home, '--json']);
    const code = String((JSON.parse(pair.stdout) as Json).manualPairingCode);
    const args = ['--base-url', await lab.baseUrl(), 'engine/echo'];
    const call = await lab.cli(['call', ...args], { RC_ENGINE_PAIRING_CODE: code });
    expect(call.code, call.stderr).toBe(0);
    const devices = async (...more: string[]) => lab.cli(['devices', ...more, '--home', lab.home]);
    const [device] = (await devices('--json')).stdout.split('\n');
    const { clientId } = JSON.parse(String(device)) as { clientId: string };
    const renamed = await devices('rename', clientId, 'old phone');
    expect([renamed.code, renamed.stdout]).toEqual([0, expect.stringContaining('is called old phone now.')]);
    expect((await devices()).stdout).toMatch(/^old phone .*calls itself/m);
    expect((await devices('rename', 'old phone', 'new phone')).code).toBe(0);
    const revoked = await devices('revoke', 'new phone', '--yes');
    expect([revoked.code, revoked.stdout]).toEqual([0, `Revoked new phone (${clientId}).\n`]);
    expect(await readFile(join(lab.home, 'device-names.json'), 'utf8')).toBe('{}\n');
  });
});

describe('RC-125: rc-engine url', () => {
  it('prints the connect URL of the running engine, with its token', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0']);
    const listening = await engine.line(({ type }) => type === 'listening', 'listening');
    const { stdout } = await lab.cli(['url', '--home', lab.home]);
    expect(stdout.trim()).toBe(listening.connectUrl);
  });

  it('--inspector prints a link that opens the page once, and each call makes a new one', async ({ lab }) => {
    const none = await lab.connected();
    const refused = await lab.cli(['url', '--inspector', '--home', lab.home]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('inspect --attach')]);
    await none.stop();
    await lab.connected(['--inspect']);
    for (let round = 0; round < 2; round += 1) {
      const { stdout } = await lab.cli(['url', '--inspector', '--home', lab.home]);
      expect((await fetch(stdout.trim())).status).toBe(200);
      const again = await fetch(stdout.trim());
      expect([again.status, await again.text()]).toEqual([403, expect.stringContaining('has been used')]);
    }
  });

  it('WSA-67: --new replaces the token: the old URL is refused, connected clients stay', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0']);
    const listening = await engine.line(({ type }) => type === 'listening', 'listening');
    const old = String(listening.connectUrl);
    const client = new WebSocket(old);
    onTestFinished(() => client.terminate());
    await new Promise((resolve) => client.once('open', resolve));
    const made = await lab.cli(['url', '--new', '--home', lab.home]);
    const fresh = made.stdout.trim();
    expect(fresh).not.toBe(old);
    expect((await lab.cli(['url', '--home', lab.home])).stdout.trim()).toBe(fresh);
    const refused = new WebSocket(old);
    const status = new Promise((resolve) =>
      refused.once('unexpected-response', (_request, response) => resolve(response.statusCode)),
    );
    refused.on('error', () => {});
    expect(await status).toBe(401);
    const accepted = new WebSocket(fresh);
    onTestFinished(() => accepted.terminate());
    await new Promise((resolve) => accepted.once('open', resolve));
    expect(client.readyState).toBe(WebSocket.OPEN);
    await engine.until(() => engine.stderr.includes('the old one is refused'), 'log line');
    // The log of the engine has no token.
    expect(engine.stderr).not.toContain(new URL(fresh).searchParams.get('token'));
  });

  it('--new says why where the credential is not a token of the engine', async ({ lab }) => {
    await lab.connected(['--listen', `unix://${join(lab.folder, 'own/l.sock')}`]);
    const { code, stderr, stdout } = await lab.cli(['url', '--new', '--home', lab.home]);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining('holds no token')]);
    const both = await lab.cli(['url', '--new', '--inspector', '--home', lab.home]);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('cannot be used together')]);
  });

  it('says that there is no listener', async ({ lab }) => {
    await lab.connected();
    const { code, stderr } = await lab.cli(['url', '--home', lab.home]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('has no listener')]);
  });
});

describe('RC-126: rc-engine explain', () => {
  it.each([
    ['1012', 'close code 1012 (service restart)'],
    ['-32002', 'JSON-RPC error -32002'],
    ['409', 'HTTP status 409'],
    ['http 503', 'HTTP status 503'],
  ])('%s is explained', async (code, title) => {
    const { Lab } = await import('../support/lab.js');
    const lab = await Lab.open();
    onTestFinished(() => lab.end());
    const { code: exit, stdout } = await lab.cli(['explain', code]);
    expect([exit, stdout]).toEqual([0, expect.stringContaining(title)]);
  });
});

describe('RC-172: rc-engine call --home', () => {
  it('takes the URL and a code from the engine of the home, and uses the controller again', async ({
    lab,
  }) => {
    await lab.connected();
    const call = (...words: string[]) => lab.cli(['call', '--home', lab.home, '--json', ...words]);
    for (const payload of [1, 2]) {
      const { code, stdout, stderr } = await call('engine/echo', JSON.stringify({ payload }));
      expect([code, stdout], stderr).toEqual([0, `{"payload":${payload}}\n`]);
    }
    const devices = await lab.cli(['devices', '--home', lab.home, '--json']);
    expect(devices.stdout.trim().split('\n')).toHaveLength(1);
    expect((await stat(join(lab.home, 'call.json'))).mode & 0o777).toBe(0o600);
    lab.exempt.push(join(lab.home, 'call.json'));
  });

  it('a controller that was revoked is replaced by a new one', async ({ lab }) => {
    lab.exempt.push(join(lab.home, 'call.json'));
    await lab.connected();
    const call = () => lab.cli(['call', '--home', lab.home, '--json', 'engine/echo', '{"payload":1}']);
    expect((await call()).code).toBe(0);
    const { stdout } = await lab.cli(['devices', '--home', lab.home, '--json']);
    const { clientId } = JSON.parse(stdout) as { clientId: string };
    await lab.cli(['devices', 'revoke', clientId, '--yes', '--home', lab.home]);
    const again = await call();
    expect([again.code, again.stdout], again.stderr).toEqual([0, '{"payload":1}\n']);
  });

  it('needs a running engine, and no --base-url beside it', async ({ lab }) => {
    expect((await lab.cli(['call', '--home', lab.home, 'engine/echo'])).code).toBe(5);
    const both = await lab.cli(['call', '--home', lab.home, '--base-url', 'http://127.0.0.1:1/', 'x']);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining('cannot be used together')]);
  });
});
