import path from 'node:path';
import { describe, expect } from 'vitest';
import type { CliProcess } from '../support/cli.js';
import { LineClient } from '../support/control.js';
import { it, type Json, type Lab } from '../support/lab.js';
import { storedRecords } from '../support/sqlite.js';

const CHILD = path.join(import.meta.dirname, '../app-server/child.mjs');

interface Stdio {
  readonly engine: CliProcess;
  readonly client: LineClient;
}

/** An engine whose local client is the test. */
async function stdio(lab: Lab, args: readonly string[] = []): Promise<Stdio> {
  const engine = await lab.start(['--listen', 'stdio://', ...args], {}, false);
  const { stdin, stdout } = engine.child;
  const client = new LineClient(
    stdout,
    (line) => stdin.write(line),
    () => stdin.end(),
  );
  return { engine, client };
}

const connected = (client: LineClient) =>
  client.notification('remoteControl/status/changed', ({ status }) => status === 'connected');

describe('rc-engine start --listen stdio://', () => {
  it('RC-46: stdout holds only JSON-RPC, one message per line, and the end of stdin stops the engine with 0', async ({
    lab,
  }) => {
    await lab.signIn();
    // Neither --json nor the log changes stdout.
    const { engine, client } = await stdio(lab, ['--json', '--log-level', 'debug']);
    const result = await client.initialize('tester');
    expect(result).toMatchObject({ userAgent: expect.stringContaining('tester/'), codexHome: lab.home });
    await connected(client);
    expect((await client.call('no/such/method')).error).toMatchObject({ code: -32601 });
    client.close();
    const { code, stdout, stderr } = await engine.exited;
    expect(code).toBe(0);
    for (const line of stdout.trimEnd().split('\n')) {
      const message = JSON.parse(line) as Json;
      expect('id' in message || 'method' in message, line).toBe(true);
      expect('type' in message, line).toBe(false);
    }
    expect(stderr).toMatch(/"reason":"connected"/);
    expect((await lab.cli(['status', '--home', lab.home])).code).toBe(5);
  });

  it('RC-42: sends status/changed after initialize, and again at each change', async ({ lab }) => {
    await lab.signIn();
    const { client } = await stdio(lab, ['--client-name', 'given']);
    // No status comes before initialize.
    await lab.backend();
    await client.initialize();
    await connected(client);
    const [answer, first] = client.messages;
    expect(answer).toMatchObject({ id: 't1', result: expect.any(Object) });
    expect(first).toMatchObject({
      method: 'remoteControl/status/changed',
      params: {
        status: expect.any(String),
        serverName: expect.any(String),
        installationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      },
    });
    const read = await client.call('remoteControl/status/read', {});
    const changes = client.messages.filter(({ method }) => method === 'remoteControl/status/changed');
    expect(read.result).toEqual(changes.at(-1)?.params);
    const said = changes.map(({ params }) => JSON.stringify(params));
    expect(said.every((status, index) => status !== said[index - 1])).toBe(true);
  });

  it('WSA-2: status, audit and one line of the log name the client and the reason for accepting it', async ({
    lab,
  }) => {
    const { engine, client } = await stdio(lab, ['--no-remote-control', '--log-level', 'info']);
    await client.initialize('editor');
    const why = { mode: 'inherited', outcome: 'established', reason: 'stdioInherited' };
    const { connections, listener } = await lab.status();
    expect(listener).toBe(null);
    expect(connections).toEqual([
      {
        ...why,
        id: expect.stringMatching(/^stdio-\d+$/),
        origin: 'stdio',
        state: 'initialized',
        held: false,
        since: expect.any(Number),
        bytesIn: expect.any(Number),
        bytesOut: expect.any(Number),
        peer: `parent pid ${process.pid}`,
        client: 'editor',
        expiresAt: null,
      },
    ]);
    const [{ id, bytesIn, bytesOut }] = connections as [{ id: string; bytesIn: number; bytesOut: number }];
    expect(bytesIn).toBeGreaterThan(100);
    expect(bytesOut).toBe(Buffer.byteLength(engine.stdout));
    const { stdout } = await lab.cli(['status', '--verbose', '--home', lab.home]);
    expect(stdout).toMatch(/^local clients +1$/m);
    expect(stdout).toMatch(
      new RegExp(
        `^ +${id} +established \\(inherited: stdioInherited\\), initialized, for \\d+ s, \\d+ bytes in, \\d+ out, from parent pid ${process.pid}, editor$`,
        'm',
      ),
    );
    const { records } = await lab.ask('engine/audit/read');
    expect(records).toContainEqual(
      expect.objectContaining({
        subject: id,
        decision: 'established',
        mode: 'inherited',
        reason: why.reason,
      }),
    );
    expect(engine.stderr.split('\n').filter((line) => line.includes('connection established'))).toEqual([
      expect.stringContaining('stdioInherited'),
    ]);
  });

  it('WSA-26: when the app server ends, the engine says why and stops, too', async ({ lab }) => {
    const { engine, client } = await stdio(lab, [
      '--no-remote-control',
      '--',
      process.execPath,
      '-e',
      'process.stdin.once("data", () => { console.error("out of paper"); process.exit(3); })',
    ]);
    client.send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    const { code, stderr } = await engine.exited;
    expect(code).toBe(1);
    expect(stderr).toContain('The app server exited with code 3: out of paper.');
  });

  it('RC-45: waits for the name of the first client, which selects the identity', async ({ lab }) => {
    await lab.signIn();
    const { engine, client } = await stdio(lab);
    expect((await client.call('remoteControl/status/read', {})).error).toMatchObject({
      message: 'Not initialized',
    });
    expect(lab.requests('enroll')).toBe(0);
    const { remoteControl } = await lab.status();
    expect(remoteControl).toMatchObject({
      state: 'awaitingClientName.toEnable',
      reason: 'clientNameAwaited',
    });
    await client.initialize('first');
    const status = (await connected(client)).params as Json;
    await engine.stop();
    // Another name has another identity. The same name has its identity again, also when a flag gives it.
    const second = await stdio(lab);
    await second.client.initialize('second');
    const other = (await connected(second.client)).params as Json;
    expect(other.environmentId).not.toBe(status.environmentId);
    await second.engine.stop();
    const third = await lab.start(['--client-name', 'first']);
    expect((await third.connected()).environmentId).toBe(status.environmentId);
    expect(lab.requests('enroll')).toBe(2);
  });

  it('RC-27: without a sign-in it serves the client, waits for a sign-in, and says why', async ({ lab }) => {
    const { engine, client } = await stdio(lab);
    await client.initialize();
    const status = (await client.call('remoteControl/status/read', {})).result;
    expect(status).toMatchObject({ status: 'connecting', environmentId: null });
    expect((await lab.status()).remoteControl).toMatchObject({ reason: 'authMissing' });
    await lab.signIn();
    await connected(client);
    expect(engine.running).toBe(true);
  });

  it('RC-27: with --auth-startup ready it fails without a sign-in', async ({ lab }) => {
    const { engine, client } = await stdio(lab, ['--auth-startup', 'ready']);
    client.send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    const { code, stderr } = await engine.exited;
    expect(code).toBe(3);
    expect(stderr).toMatch(/nobody is signed in/);
  });

  it('ACC-6: skips lines that are not JSON-RPC', async ({ lab }) => {
    await lab.signIn();
    const { client } = await stdio(lab);
    for (const junk of [
      '',
      'not JSON',
      '[1,2]',
      '"text"',
      '{"id":{}}',
      '{"result":1}',
      '\u0000',
      '{"id":1,',
    ]) {
      client.sendText(junk);
    }
    client.sendText('x'.repeat(17 * 1024 * 1024));
    await client.initialize();
    expect((await client.call('engine/echo', { payload: 'ü' })).result).toEqual({ payload: 'ü' });
  });

  it('RC-72: a request over 16 MiB is answered by its id, also behind its params, and the next one is served', async ({
    lab,
  }) => {
    const { client } = await stdio(lab, ['--no-remote-control', '--', process.execPath, CHILD, 'asks']);
    await client.initialize();
    const pad = 'y'.repeat(17 * 1024 * 1024);
    client.sendText(`{"id":2,"method":"test/x","params":{"pad":"${pad}"}}`);
    client.sendText(`{"params":{"id":5,"pad":"${pad}"},"method":"test/x","id":"three"}`);
    for (const id of [2, 'three']) {
      const { error } = await client.message((message) => message.id === id, `answer to ${id}`);
      expect(error).toEqual({ code: -32600, message: 'Invalid request: a message may have 16 MiB at most' });
    }
    // The app server waits for a response that never reaches it whole: it gets an error in its place.
    client.send({ id: 4, method: 'test/ask' });
    const { id } = await client.message(
      ({ method }) => method === 'test/question',
      'request of the app server',
    );
    client.sendText(`{"id":${JSON.stringify(id)},"result":{"pad":"${pad}"}}`);
    const { params } = await client.message(({ method }) => method === 'test/answered', 'what it got');
    expect(JSON.parse((params as { line: string }).line)).toMatchObject({ id, error: { code: -32004 } });
  });

  it('RC-70, RC-71: a byte order mark in front and a last line without a newline cost no message', async ({
    lab,
  }) => {
    const { engine } = await stdio(lab, ['--no-remote-control']);
    const params = { clientInfo: { name: 'x', version: '1' } };
    engine.child.stdin.end(`\ufeff${JSON.stringify({ id: 1, method: 'initialize', params })}`);
    const { code, stdout } = await engine.exited;
    expect(code).toBe(0);
    expect(JSON.parse(stdout.split('\n')[0] ?? '')).toMatchObject({ id: 1, result: { codexHome: lab.home } });
  });

  describe('RC-77: after the end of stdin', () => {
    const initialize = { id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } };
    /** The ids of the responses, and how it ended, after these messages were piped in. */
    const piped = async (lab: Lab, script: string, messages: readonly object[]) => {
      const { engine } = await stdio(lab, ['--no-remote-control', '--', process.execPath, '-e', script]);
      engine.child.stdin.end([initialize, ...messages].map((one) => JSON.stringify(one)).join('\n'));
      const { code, stdout, stderr } = await engine.exited;
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Json);
      return { code, stderr, lines, answered: lines.filter(({ method }) => method === undefined) };
    };
    const loop = (body: string) =>
      `const say = (m) => process.stdout.write(JSON.stringify(m) + '\\n');` +
      `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {` +
      `const m = JSON.parse(line); if (m.id === undefined) return; ${body} })`;

    it('slow responses, in any order, and what the app server sends at its end reach the client', async ({
      lab,
    }) => {
      const late = loop('setTimeout(() => say({ id: m.id, result: m.method }), m.params.ms ?? 0)');
      const { code, lines, answered } = await piped(
        lab,
        `${late}.on('close', () => say({ method: 'test/bye' }))`,
        [
          { method: 'initialized' },
          { id: 2, method: 'a', params: { ms: 900 } },
          { id: 3, method: 'b', params: { ms: 100 } },
        ],
      );
      expect(answered.map(({ id }) => id)).toEqual([1, 3, 2]);
      expect(lines.at(-1)).toEqual({ method: 'test/bye' });
      expect(code).toBe(0);
    });

    it('an app server that ends in a request is named, and each request gets an error', async ({ lab }) => {
      const { code, stderr, answered } = await piped(
        lab,
        loop(
          `if (m.id === 3) { process.stdout.write('{"id":3,'); process.exit(9); } if (m.id === 1) say({ id: 1, result: {} })`,
        ),
        [
          { id: 2, method: 'a' },
          { id: 3, method: 'b' },
        ],
      );
      expect(answered.map(({ id, error }) => [id, (error as Json | undefined)?.code])).toEqual([
        [1, undefined],
        [2, -32002],
        [3, -32002],
      ]);
      expect([code, stderr]).toEqual([1, expect.stringContaining('exited with code 9')]);
    });

    it('a program that reads its whole input before it answers gets its end', { timeout: 40_000 }, async ({
      lab,
    }) => {
      const { code, answered } = await piped(
        lab,
        `let all = ''; process.stdin.on('data', (part) => { all += part }).on('end', () => { for (const line of all.trim().split('\\n')) { const { id } = JSON.parse(line); if (id) console.log(JSON.stringify({ id, result: {} })) } })`,
        [{ method: 'initialized' }, { id: 2, method: 'a' }],
      );
      expect(answered.map(({ id, result }) => [id, result])).toEqual([
        [1, {}],
        [2, {}],
      ]);
      expect(code).toBe(0);
    });

    it('requests of the app server get an error, because nobody can answer them', async ({ lab }) => {
      const { answered } = await piped(
        lab,
        loop(
          `if (m.method === undefined) say({ id: 2, result: m.error.message }); else if (m.id === 2) say({ id: 7, method: 'test/ask' }); else say({ id: m.id, result: {} })`,
        ),
        [{ id: 2, method: 'a' }],
      );
      expect(answered.at(-1)).toEqual({ id: 2, result: 'The client has closed its input.' });
    });
  });

  it('a client that does not read stalls only itself, and a second start names the first', async ({
    lab,
  }) => {
    await lab.signIn();
    const { engine, client } = await stdio(lab);
    await client.initialize();
    await connected(client);
    engine.child.stdout.pause();
    const payload = 'x'.repeat(64 * 1024);
    for (let n = 0; n < 200; n += 1) client.send({ id: n, method: 'engine/echo', params: { payload } });
    expect((await lab.status()).remoteControl.status).toBe('connected');
    const second = await lab.cli(['start', '--home', lab.home, '--base-url', await lab.baseUrl()]);
    expect(second).toMatchObject({ code: 4, stderr: expect.stringContaining(`pid ${engine.child.pid}`) });
    engine.child.stdout.resume();
    await client.message(({ id }) => id === 199, 'last answer');
  });
});

describe('RC-44: --remote-control preference', () => {
  const preference = (lab: Lab) => stdio(lab, ['--remote-control', 'preference', '--client-name', 'app']);
  const settled = (lab: Lab, reason: string) =>
    lab.reached({ reason, status: 'disabled', environmentId: null });

  it('unset means off; durable changes are stored, ephemeral ones are not', async ({ lab }) => {
    await lab.signIn();
    const first = await preference(lab);
    await first.client.initialize();
    await settled(lab, 'preferenceUnset');
    expect(lab.requests('enroll')).toBe(0);
    await first.client.call('remoteControl/enable', { ephemeral: true });
    await connected(first.client);
    await first.engine.stop();

    const second = await preference(lab);
    await second.client.initialize();
    await settled(lab, 'preferenceUnset');
    expect((await second.client.call('remoteControl/enable', {})).result).toMatchObject({
      environmentId: expect.any(String),
    });
    await connected(second.client);
    await second.engine.stop();

    const third = await preference(lab);
    await third.client.initialize();
    await connected(third.client);
    await third.client.call('remoteControl/disable', { ephemeral: true });
    await third.engine.stop();

    const fourth = await preference(lab);
    await fourth.client.initialize();
    await connected(fourth.client);
    expect((await fourth.client.call('remoteControl/disable', {})).result).toMatchObject({
      status: 'disabled',
      environmentId: null,
    });
    await fourth.engine.stop();

    const fifth = await preference(lab);
    await fifth.client.initialize();
    await settled(lab, 'preferenceOff');
    await fifth.engine.stop();
    expect(lab.requests('enroll')).toBe(1);
    expect(await storedRecords(`${lab.home}/rc-engine.sqlite`)).toEqual([
      expect.objectContaining({ preference: 'off' }),
    ]);
  });

  it('stores a durable disable also when remote control was off and no account was read', async ({ lab }) => {
    await lab.signIn();
    const first = await stdio(lab, ['--client-name', 'app']);
    await first.client.initialize();
    await connected(first.client);
    await first.client.call('remoteControl/enable', {});
    await first.engine.stop();
    const second = await stdio(lab, ['--no-remote-control', '--client-name', 'app']);
    await second.client.initialize();
    expect((await second.client.call('remoteControl/disable', {})).result).toMatchObject({
      status: 'disabled',
    });
    await second.engine.stop();
    const third = await preference(lab);
    await third.client.initialize();
    await settled(lab, 'preferenceOff');
  });
});
