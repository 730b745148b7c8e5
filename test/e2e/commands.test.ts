import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { ERRORS } from '../../src/protocol/errors.js';
import { REASONS } from '../../src/protocol/reasons.js';
import { processToken } from '../../src/system/processes.js';
import { it } from '../support/lab.js';

const NO_TRACE = /^\s+at /m;

describe('rc-engine status', () => {
  it('shows status, time, identity and token expiry; exit code 0 when connected', async ({ lab }) => {
    await lab.connected();
    const { code, stdout, stderr } = await lab.cli(['status', '--verbose', '--home', lab.home]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [server] = (await lab.backend()).servers;
    for (const line of [
      /^status +connected, for \d+ s$/m,
      /^state +active\.connected$/m,
      /^reason +connected: The link to the backend is open\.$/m,
      new RegExp(`^environment +${server?.environmentId}$`, 'm'),
      /^installation +[0-9a-f-]{36}$/m,
      /^account id +account-A$/m,
      /^token +expires in (?:60 min|1 h)$/m,
      /^virtual clients +none$/m,
      /^app server +builtin, answers initialize only$/m,
      new RegExp(`^engine .*home ${lab.home}$`, 'm'),
    ]) {
      expect(stdout).toMatch(line);
    }
  });

  it('RC-42a: when not connected, --json has the reason, the failure and the next attempt; exit code 1', async ({
    lab,
  }) => {
    await lab.signIn();
    const backend = await lab.backend();
    backend.fault({
      action: 'answer',
      fault: {
        route: 'enroll',
        answer: 'status',
        status: 429,
        headers: { 'retry-after': '60', 'x-request-id': 'request-7' },
      },
    });
    const engine = await lab.start();
    await engine.line(({ status }) => status === 'errored', 'errored');
    const { code, stdout } = await lab.cli(['status', '--home', lab.home, '--json']);
    expect(code).toBe(1);
    const status = JSON.parse(stdout);
    expect(status).toMatchObject({
      pid: engine.child.pid,
      home: lab.home,
      charts: { remoteControl: expect.any(String) },
      remoteControl: {
        status: 'errored',
        state: 'active.backingOff.retryAfter',
        reason: 'backendRateLimited',
        environmentId: null,
        lastFailure: { reason: 'backendRateLimited', httpStatus: 429, requestId: 'request-7' },
        tokenExpiresAt: null,
        route: 'direct',
      },
      counters: { enrollRequests: 1, dials: 0 },
    });
    expect(status.remoteControl.nextAttemptAt - status.now).toBeGreaterThan(55_000);
    const human = await lab.cli(['status', '--verbose', '--home', lab.home]);
    expect(human.code).toBe(1);
    expect(human.stdout).toMatch(/^next attempt +in \d+ s$/m);
    expect(human.stdout).toMatch(/^last failure .*\(HTTP 429, request-7, decision [0-9a-z]+-[0-9a-z]+\)$/m);
  });

  it('without an engine the exit code is 5, also after an engine was killed', async ({ lab }) => {
    const none = await lab.cli(['status', '--home', lab.home, '--json']);
    expect(none.code).toBe(5);
    expect(JSON.parse(none.stdout)).toMatchObject({ type: 'error', code: 'notRunning' });
    const engine = await lab.connected();
    await engine.stop('SIGKILL');
    expect((await stat(join(lab.home, 'control.sock'))).isSocket()).toBe(true);
    const killed = await lab.cli(['status', '--home', lab.home]);
    expect(killed.code).toBe(5);
    expect(killed.stderr).toMatch(/No engine runs on .*home/);
    expect(killed.stderr).not.toMatch(NO_TRACE);
    expect((await lab.connected()).running).toBe(true);
  });

  it('an engine that answers with invalid JSON, or not at all, is reported as an error', async ({ lab }) => {
    await mkdir(lab.home, { mode: 0o700 });
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.write('this is no JSON\n[]\n');
      socket.once('data', () => socket.destroy());
    });
    const controlSocket = join(lab.home, 'control.sock');
    await new Promise<void>((resolve) => server.listen(controlSocket, resolve));
    const info = { pid: process.pid, process: await processToken(process.pid), startedAt: 1, version: '1' };
    await writeFile(join(lab.home, 'engine.json'), JSON.stringify({ ...info, controlSocket }));
    const { code, stderr } = await lab.cli(['status', '--home', lab.home]);
    server.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(/with pid \d+ runs, but it closed the connection before it answered/);
    expect(stderr).not.toMatch(NO_TRACE);
  });
});

describe('rc-engine wait', () => {
  it('returns when the engine is connected, also when it starts before the engine', async ({ lab }) => {
    await lab.signIn();
    const waiting = lab.run(['wait', '--home', lab.home, '--timeout', '15']);
    const asJson = lab.run(['wait', '--home', lab.home, '--json']);
    await lab.start();
    expect(await waiting.exited).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^Connected as environment env_/),
    });
    expect((await asJson.exited).code).toBe(0);
    expect(asJson.lines).toEqual([
      expect.objectContaining({ type: 'connected', status: 'connected', environmentId: expect.any(String) }),
    ]);
  });

  it('says in one line why the engine is not connected when the time is over', async ({ lab }) => {
    await lab
      .start(['--auth-startup', 'recoverable'])
      .then((engine) => engine.line(({ reason }) => reason === 'authMissing', 'authMissing'));
    const { code, stderr } = await lab.cli(['wait', '--home', lab.home, '--timeout', '0.3']);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^rc-engine: Not connected within 0\.3 s \(connecting, .*auth\.json: nobody is signed in/,
    );
  });

  it('fails after the time without an engine', async ({ lab }) => {
    const { code, stderr } = await lab.cli(['wait', '--home', lab.home, '--timeout', '0.3']);
    expect(code).toBe(5);
    expect(stderr).toMatch(/No engine runs on/);
  });
});

describe('rc-engine explain', () => {
  it('explains a reason or an error, as text and as JSON', async ({ lab }) => {
    for (const [code, text] of [
      ['connectionConflict', REASONS.connectionConflict],
      ['alreadyRunning', ERRORS.alreadyRunning],
    ] as const) {
      const human = await lab.cli(['explain', code]);
      expect(human).toMatchObject({ code: 0, stdout: `${code}\n  ${text.means}\n  ${text.todo}\n` });
      const json = await lab.cli(['explain', code, '--json']);
      expect(JSON.parse(json.stdout)).toEqual({ code, means: text.means, todo: text.todo });
    }
  });

  it('proposes a similar code for a mistyped one', async ({ lab }) => {
    const { code, stderr } = await lab.cli(['explain', 'connectionconflit']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/Did you mean connectionConflict\?/);
  });
});

describe('rc-engine pair and rc-engine call', () => {
  it('RC-47, RC-48: one controller can claim the code, and pair --wait reports it', async ({ lab }) => {
    await lab.connected();
    const backend = await lab.backend();
    const pair = lab.run(['pair', '--home', lab.home, '--wait']);
    const code = await pair.until(() => /other device: (\S+)/.exec(pair.stdout)?.[1], 'code');
    expect(pair.stdout).toMatch(/It works once, for 10 min\./);
    const result = await lab.cli([
      'call',
      '--base-url',
      backend.url,
      '--code',
      code,
      'remoteControl/status/read',
    ]);
    expect(result.code).toBe(0);
    expect(JSON.parse(result.stdout)).toMatchObject({ status: 'connected' });
    expect(await pair.exited).toMatchObject({ code: 0, stdout: expect.stringMatching(/Claimed\.\n$/) });
  });

  it('RC-47: --json shows both codes, and a stored controller calls again without a code', async ({
    lab,
  }) => {
    await lab.connected();
    const { url } = await lab.backend();
    const { code, stdout } = await lab.cli(['pair', '--home', lab.home, '--json']);
    expect(code).toBe(0);
    const pairing = JSON.parse(stdout);
    expect(pairing).toEqual({
      type: 'pairing',
      pairingCode: expect.any(String),
      manualPairingCode: expect.stringMatching(/^\S+$/),
      environmentId: (await lab.backend()).servers[0]?.environmentId,
      expiresAt: expect.any(Number),
    });
    expect(pairing.expiresAt - Date.now() / 1000).toBeGreaterThan(500);
    const stored = join(lab.folder, 'controller.json');
    lab.exempt.push(stored);
    const args = ['call', '--base-url', url, '--controller', stored, '--json'];
    const first = await lab.cli([
      ...args,
      '--code',
      pairing.pairingCode,
      'engine/echo',
      '{"payload":[1,"ü"]}',
    ]);
    expect(first.stdout).toBe('{"payload":[1,"ü"]}\n');
    const byVariable = ['call', '--controller', stored, 'engine/echo', '{"payload":2}'];
    expect((await lab.cli(byVariable, { RC_ENGINE_BASE_URL: url })).stdout).toContain('"payload"');
    expect((await stat(stored)).mode & 0o777).toBe(0o600);
    expect(await readFile(stored, 'utf8')).toContain('controller_token');
    const lines = 'engine/echo {"payload":1}\n\nno/such/method\nengine/echo nonsense\n';
    const again = await lab.cli(args, {}, lines);
    expect(again.code).toBe(0);
    const answers = again.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(answers).toContainEqual({ payload: 1 });
    expect(answers).toContainEqual({ error: expect.stringMatching(/-32601/) });
    expect(answers).toContainEqual({ error: expect.stringMatching(/not JSON/) });
    expect(answers).toContainEqual({ method: 'remoteControl/status/changed', params: expect.any(Object) });
  });

  it('reports wrong params, code, file, backend and method', async ({ lab }) => {
    await lab.connected();
    const { url } = await lab.backend();
    const call = async (...args: string[]) => {
      const result = await lab.cli(['call', '--base-url', url, ...args]);
      expect(result.stderr).not.toMatch(NO_TRACE);
      return result;
    };
    const broken = join(lab.folder, 'broken.json');
    await writeFile(broken, '{}');
    const code = async () =>
      JSON.parse((await lab.cli(['pair', '--home', lab.home, '--json'])).stdout).pairingCode as string;
    for (const [args, exit, said] of [
      [['engine/status/read'], 2, /pairing code, or a --controller file/],
      [['--code', 'AAAA-AAAA', 'engine/status/read'], 1, /does not know this pairing code/],
      [['--code', 'x', 'engine/echo', '{payload'], 2, /parameters are not JSON/],
      [['--controller', join(lab.folder, 'none.json'), 'engine/echo'], 2, /none\.json cannot be read/],
      [['--controller', broken, 'engine/echo'], 2, /broken\.json of --controller holds no controller/],
      [
        ['--code', await code(), '--controller', '/no/such/folder/c.json', 'engine/echo'],
        2,
        /cannot be written/,
      ],
      [['--code', await code(), 'no/such/method'], 1, /no\/such\/method was refused: .*\(-32601\)/],
    ] as const) {
      const result = await call(...args);
      expect(result.code, result.stderr).toBe(exit);
      expect(result.stderr).toMatch(said);
    }
    const elsewhere = await lab.cli(['call', '--base-url', 'http://evil.test/', '--code', 'x', 'm']);
    expect(elsewhere).toMatchObject({ code: 2, stderr: expect.stringContaining('evil.test/ is refused') });
    const nobody = await lab.cli(['call', '--base-url', 'http://127.0.0.1:1/', '--code', 'x', 'm']);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be reached') });
  });

  it('while remote control is off, pair fails with the reason and the next step', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start(['--remote-control', 'off']);
    await engine.line(({ type }) => type === 'started', 'started');
    const { code, stdout, stderr } = await lab.cli(['pair', '--home', lab.home, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      type: 'error',
      code: 'disabled',
      message: expect.stringMatching(/switched off/),
    });
    expect(stderr.replace(` --home ${lab.home}`, '')).toContain(REASONS.disabled.todo);
    expect((await lab.cli(['status', '--home', lab.home])).stdout).toMatch(/^status +off/m);
  });
});

describe('rc-engine backend', () => {
  it('serves engines of other processes, and knows their identities after a restart with its state file', async ({
    lab,
  }) => {
    const state = join(lab.folder, 'state.json');
    const listening = async (...args: string[]) => {
      const backend = lab.run(['backend', '--json', '--state-file', state, ...args]);
      const { baseUrl } = await backend.line(({ type }) => type === 'listening', 'listening');
      return { backend, baseUrl: String(baseUrl) };
    };
    const first = await listening('--listen', 'http://127.0.0.1:0', '--token-ttl', '7200');
    await lab.signIn();
    const engine = await lab.start(['--base-url', first.baseUrl]);
    await engine.connected();
    const status = await lab.status();
    expect(Number(status.remoteControl.tokenExpiresAt) - Date.now()).toBeGreaterThan(7_000_000);
    await first.backend.line(({ kind }) => kind === 'socketOpened', 'event');
    expect((await first.backend.stop('SIGTERM')).code).toBe(0);
    const { port } = new URL(first.baseUrl);
    await listening('--listen', `http://127.0.0.1:${port}`);
    await engine.until(
      () => engine.lines.filter(({ state }) => state === 'active.connected').length === 2,
      'reconnect',
    );
    expect((await lab.status()).counters.enrollRequests).toBe(1);
  });

  it('prints its address and each event as text', async ({ lab }) => {
    const backend = lab.run(['backend', '--listen', 'http://127.0.0.1:0']);
    const start = await backend.until(
      () => /rc-engine (start --base-url \S+)/.exec(backend.stdout)?.[1],
      'command',
    );
    await lab.signIn();
    const engine = lab.run([...start.split(' '), '--home', lab.home, '--json']);
    await engine.connected();
    await backend.until(() => /socketOpened \{"side":"server"/.test(backend.stdout), 'event');
    expect((await backend.stop('SIGINT')).code).toBe(0);
  });

  it('reports a wrong address, a port in use, a damaged state file and a wrong lifetime', async ({ lab }) => {
    const { url } = await lab.backend();
    const state = join(lab.folder, 'state.json');
    await writeFile(state, '{"half');
    for (const [args, exit, said] of [
      [['--listen', 'http://0.0.0.0:0'], 2, /not a loopback address/],
      [['--listen', 'ftp://x'], 2, /not an http URL/],
      [['--listen', new URL(url).origin], 1, /cannot listen on 127\.0\.0\.1/],
      [['--listen', 'http://127.0.0.1:0', '--state-file', state], 1, /state\.json/],
      [['--listen', 'http://127.0.0.1:0', '--token-ttl', 'soon'], 2, /--token-ttl must be a number/],
    ] as const) {
      const { code, stderr } = await lab.cli(['backend', ...args]);
      expect(code, stderr).toBe(exit);
      expect(stderr).toMatch(said);
      expect(stderr).not.toMatch(NO_TRACE);
    }
  });
});

describe('rc-engine --version', () => {
  it('shows the version, and with --json the hash of each chart', async ({ lab }) => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8'));
    expect((await lab.cli(['--version'])).stdout).toBe(`${version}\n`);
    const { charts, ...rest } = JSON.parse((await lab.cli(['--version', '--json'])).stdout);
    expect(rest).toEqual({ version, node: process.versions.node });
    expect(Object.keys(charts)).toEqual(
      expect.arrayContaining(['remoteControl', 'link', 'virtualClient', 'pairing']),
    );
    await lab.connected();
    expect((await lab.status()).charts).toEqual(charts);
    const { stdout } = await lab.cli(['status', '--verbose', '--home', lab.home]);
    for (const [name, hash] of Object.entries(charts)) expect(stdout).toContain(`${name} ${hash}`);
  });
});
