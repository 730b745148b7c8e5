import { describe, expect } from 'vitest';
import { it, type Json } from '../support/lab.js';

const of = (lines: Json[], type: string) => lines.filter((line) => line.type === type);

describe('rc-engine start --json', () => {
  it('stdout holds only JSON: first started, then a status at each change; the log goes to stderr', async ({
    lab,
  }) => {
    const account = await lab.signIn();
    const engine = await lab.start();
    const connected = await engine.connected();
    for (const line of engine.stdout.trimEnd().split('\n'))
      expect(() => JSON.parse(line), line).not.toThrow();
    const [started, ...rest] = engine.lines;
    expect(started).toEqual({
      type: 'started',
      version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      pid: engine.child.pid,
      home: lab.home,
      serverName: expect.any(String),
      installationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      baseUrl: `${await lab.baseUrl()}/`,
      appServer: { name: 'builtin', mode: 'builtin', modeReason: 'no app server is configured' },
    });
    expect(rest.every(({ type }) => type === 'status')).toBe(true);
    expect(rest[0]).toMatchObject({ status: 'connecting', environmentId: null, reason: 'enabled' });
    expect(rest.map(({ state }) => state)).toEqual(
      expect.arrayContaining([
        'active.loadingAuth.reading',
        'active.enrolling.requesting',
        'active.connected',
      ]),
    );
    const [server] = (await lab.backend()).servers;
    expect(connected).toMatchObject({
      type: 'status',
      status: 'connected',
      serverName: started?.serverName,
      installationId: started?.installationId,
      environmentId: server?.environmentId,
      state: 'active.connected',
      reason: 'connected',
      since: expect.any(Number),
    });
    expect(account.accountId).toBe('account-A');
    for (const line of engine.stderr.trimEnd().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({
        level: 'info',
        time: expect.any(String),
        msg: expect.any(String),
      });
    }
    const { code, stdout } = await engine.stop();
    expect(code).toBe(0);
    expect(JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '')).toMatchObject({
      state: 'stopped',
      reason: 'stopped',
    });
  });

  it('RC-42: no two status lines in a row say the same', async ({ lab }) => {
    const engine = await lab.connected();
    const backend = await lab.backend();
    backend.fault({ action: 'closeSockets' });
    await engine.until(
      () => of(engine.lines, 'status').filter(({ status }) => status === 'connected').length === 2,
      'reconnect',
    );
    const said = of(engine.lines, 'status').map(({ status, state, reason }) =>
      [status, state, reason].join(),
    );
    said.forEach((line, index) => {
      if (index > 0) expect(line).not.toBe(said[index - 1]);
    });
  });

  it('--log-level silent writes no log, and --log-format pretty writes text', async ({ lab }) => {
    const silent = await lab.connected(['--log-level', 'silent']);
    expect((await silent.stop()).stderr).toBe('');
    const pretty = await lab.connected(['--log-format', 'pretty']);
    expect((await pretty.stop()).stderr).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} info {2}remote control: Remote control was switched on\. /m,
    );
  });
});

describe('exit codes of rc-engine start', () => {
  it('0: stopped by a signal', async ({ lab }) => {
    const engine = await lab.connected();
    expect(await engine.stop('SIGTERM')).toMatchObject({ code: 0 });
  });

  it('1: stopped by a connection conflict, with --on-conflict exit (RC-24)', async ({ lab }) => {
    await lab.signIn();
    const backend = await lab.backend();
    backend.fault({
      action: 'answer',
      fault: { route: 'socket', answer: 'status', status: 409, times: 10 },
    });
    const engine = await lab.start(['--on-conflict', 'exit']);
    const { code, stdout, stderr } = await engine.exited;
    expect(code).toBe(1);
    expect(of(engine.lines, 'error')).toEqual([
      {
        type: 'error',
        code: 'connectionConflict',
        message: expect.stringContaining('409'),
        hint: expect.stringContaining('Stop the other engine'),
      },
    ]);
    expect(stdout.match(/"type":"error"/g)).toHaveLength(1);
    expect(stderr.match(/^rc-engine: /gm)).toHaveLength(1);
    expect(lab.requests('enroll')).toBe(1);
  });

  it('2: a target that credentials may not be sent to, without a request (RC-2)', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start(['--base-url', 'https://user:pass@evilchatgpt.com/backend-api']);
    const { code, stderr } = await engine.exited;
    expect(code).toBe(2);
    expect(engine.lines).toEqual([expect.objectContaining({ type: 'error', code: 'targetRefused' })]);
    expect(stderr).toContain('https://evilchatgpt.com/backend-api');
    expect(stderr).not.toContain('user:pass');
  });

  it('3: nobody is signed in, with --listen off (RC-27)', async ({ lab }) => {
    const engine = await lab.start();
    const { code, stderr } = await engine.exited;
    expect(code).toBe(3);
    expect(engine.lines).toEqual([
      {
        type: 'error',
        code: 'authRequired',
        message: expect.stringContaining(lab.authFile),
        hint: expect.stringContaining('--auth-startup recoverable'),
      },
    ]);
    expect(stderr.match(/^rc-engine: /gm)).toHaveLength(1);
  });

  it('4: another engine runs on this home, and the message names its pid (RC-8)', async ({ lab }) => {
    const first = await lab.connected();
    const second = await lab.start();
    const { code, stderr } = await second.exited;
    expect(code).toBe(4);
    expect(second.lines).toEqual([
      expect.objectContaining({
        type: 'error',
        code: 'alreadyRunning',
        message: expect.stringContaining(`pid ${first.child.pid}`),
      }),
    ]);
    expect(stderr).toContain(lab.home);
    expect((await lab.status()).remoteControl.status).toBe('connected');
    expect(lab.requests('enroll')).toBe(1);
  });

  it('4: of several engines that start at once, one gets the home (RC-8)', async ({ lab }) => {
    await lab.signIn();
    const engines = await Promise.all(Array.from({ length: 5 }, () => lab.start()));
    // The others may have ended before one is connected.
    const winner = await Promise.any(engines.map((engine) => engine.connected().then(() => engine)));
    const others = engines.filter((engine) => engine !== winner);
    for (const { code, stderr } of await Promise.all(others.map((engine) => engine.exited))) {
      expect(code, stderr).toBe(4);
      expect(stderr).toContain(`(pid ${winner.child.pid})`);
    }
    expect(winner.running).toBe(true);
    expect(lab.requests('enroll')).toBe(1);
  });

  it.for(['throw new Error', 'Promise.reject'])('70: an unexpected error (%s)', async (how, { lab }) => {
    // Raises the error in the engine when the test sends SIGUSR2.
    const fault = `process.on('SIGUSR2', () => { ${how}('boom') })`;
    const engine = await lab.connected([], {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(fault)}`,
    });
    engine.child.kill('SIGUSR2');
    const { code, stderr } = await engine.exited;
    expect(code).toBe(70);
    expect(of(engine.lines, 'error')).toEqual([
      expect.objectContaining({
        type: 'error',
        code: 'internal',
        message: expect.stringContaining('boom'),
      }),
    ]);
    expect(stderr).toContain('boom');
    // The home is free again, and the identity is still stored.
    const again = await lab.connected();
    expect(again.running).toBe(true);
    expect(lab.requests('enroll')).toBe(1);
  });

  it('RC-105: the engine runs on when the reader of stdout goes away, and says so once', async ({ lab }) => {
    const engine = await lab.connected();
    engine.child.stdout.destroy();
    (await lab.backend()).fault({ action: 'closeSockets' });
    await engine.until(
      () => engine.stderr.includes('The program runs on without it.') || undefined,
      'the note',
    );
    expect((await lab.cli(['wait', '--home', lab.home, '--timeout', '15'])).code).toBe(0);
    expect((await engine.stop()).code).toBe(0);
    expect(engine.stderr.match(/stdout cannot be written|reader of stdout/g)).toHaveLength(1);
    expect(engine.stderr).not.toMatch(/^\s+at /m);
  });
});
