import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAppServer } from '../../src/app-server/create.js';
import { type EngineLogger, silentLogger } from '../../src/observe/logger.js';
import type { Timing } from '../../src/protocol/timing.js';
import type { PolicyOptions } from '../../src/session/policy.js';
import { type Client, connect, initializing, listening, until } from '../listener/rig.js';
import { lives } from '../support/processes.js';
import { tmpFolder } from '../support/tmp.js';

const CHILD = path.join(import.meta.dirname, 'child.mjs');
const HELLO = { clientInfo: { name: 'x', version: '1' } };
const SHARED = path.join(import.meta.dirname, 'shared-child.mjs');

/** An engine in front of a command, with the log of the app-server adapter. */
async function behind(
  program: string,
  args: readonly string[],
  shared = false,
  policy: PolicyOptions = {},
  timing: Partial<Timing> = {},
) {
  const log: { readonly level: string; readonly message: string }[] = [];
  const note = (level: string) => (_fields: object, message: string) => {
    log.push({ level, message });
  };
  const logger: EngineLogger = {
    debug: note('debug'),
    info: note('info'),
    warn: note('warn'),
    error: note('error'),
  };
  const appServer = createAppServer({ kind: 'command', program, args, shared }, logger);
  const at = await listening({ appServer, policy, timing });
  return { ...at, log };
}
const child = (kind: string, policy?: PolicyOptions) =>
  behind(process.execPath, [CHILD, kind], false, policy);

async function initialized(at: Awaited<ReturnType<typeof behind>>): Promise<{ client: Client; pid: number }> {
  const client = await connect(at);
  const { result } = await client.initialize();
  return { client, pid: Number((result as { pid?: number } | undefined)?.pid) };
}

describe('a command as app server', () => {
  it('WSA-25: each connection has its own child, and messages pass unchanged both ways', async () => {
    const at = await child('good');
    const [a, b] = [await initialized(at), await initialized(at)];
    expect(a.pid).not.toBe(b.pid);
    const text = '{"id":5,"method":"test/raw","params":{"n":12345678901234567890, "s":"é\\u00e9"} }';
    a.client.ws.send(text);
    await a.client.until(() => a.client.messages.find(({ id }) => id === 5), 'answer');
    const answer = a.client.texts.find((one) => one.includes('"line"')) ?? '';
    expect(answer).toContain('{"id":5,  "result":{"n":12345678901234567890,');
    expect(JSON.parse(answer).result.line).toBe(text);
  });

  it('requests of the app server reach the client, and the responses go back', async () => {
    const at = await child('good');
    const { client } = await initialized(at);
    await client.request('test/ask', { why: 1 });
    const question = client.messages.find(({ method }) => method === 'test/question');
    expect(question).toMatchObject({ id: 'from-server', params: { why: 1 } });
    client.send({ id: 'from-server', result: { yes: true } });
    const received = await client.until(
      () => client.messages.find(({ method }) => method === 'test/answered'),
      'the response to arrive',
    );
    expect(JSON.stringify(received)).toContain('from-server');
  });

  it('RC-42: remote-control notifications of the app server are dropped; those of the engine arrive', async () => {
    const at = await child('good');
    const { client } = await initialized(at);
    await client.request('test/claim');
    const received = client.messages.filter(({ method }) => method === 'remoteControl/status/changed');
    expect(received).toMatchObject([{ params: { status: 'disabled' } }]);
  });

  it('a line break inside a message does not start a second message, so it cannot bypass a policy', async () => {
    const at = await child('good');
    const { client } = await initialized(at);
    client.ws.send('{"id":6,"method":"test/raw","params":\n{"id":7,"method":"test/evil"}\r\n}');
    await client.until(() => client.messages.find(({ id }) => id === 6), 'answer');
    await client.request('test/last');
    expect(client.messages.filter(({ id }) => id === 7)).toEqual([]);
  });

  it.each(['good', 'stubborn', 'family'])(
    'a child (%s) and all that it started end with its connection',
    async (kind) => {
      const at = await child(kind);
      const { client, pid } = await initialized(at);
      const pids = [pid];
      if (kind === 'family') {
        await until(() => at.log.some(({ message }) => /grandchild \d+/.test(message)), 'grandchild');
        pids.push(Number(/grandchild (\d+)/.exec(at.log.map(({ message }) => message).join('\n'))?.[1]));
      }
      for (const one of pids) expect(lives(one)).toBe(true);
      client.ws.close();
      await until(() => pids.every((one) => !lives(one)), 'the child to exit', 6_000);
    },
  );

  it('children end with the engine', async () => {
    const at = await child('stubborn');
    const { pid } = await initialized(at);
    await at.engine.stop();
    expect(lives(pid)).toBe(false);
  });

  it('WSA-26: when a child exits in the middle of a response, its connection closes with a clear reason and the next one gets a new child', async () => {
    const at = await child('good');
    const { client, pid } = await initialized(at);
    client.send({ id: 1, method: 'test/die' });
    expect(await client.closed).toEqual({ code: 1011, reason: 'The app server exited with code 7.' });
    const next = await initialized(at);
    expect(next.pid).not.toBe(pid);
  });

  it('a command that does not exist closes the connection with that reason', async () => {
    const at = await behind('/no/such/command', []);
    const client = await initializing(at);
    const { code, reason } = await client.closed;
    expect([code, reason]).toEqual([
      1011,
      'The app server /no/such/command cannot be started: no such file or directory (ENOENT).',
    ]);
  });

  it('WSA-7: denied requests and notifications never reach the app server; the others do', async () => {
    const at = await child('good', { denyMethods: ['test/secret*'] });
    const { client } = await initialized(at);
    const refused = await client.request('test/secrets');
    expect(refused).toMatchObject({ error: { code: -32003 } });
    client.send({ method: 'test/secretly', params: {} });
    client.send({ method: 'test/openly', params: {} });
    const received = await client.until(
      () => client.messages.find(({ method }) => method === 'test/told'),
      'the notification that the app server received',
    );
    expect(JSON.stringify(received)).toContain('test/openly');
    expect(JSON.stringify(client.messages)).not.toContain('"method":"test/secrets","params"');
  });

  it('WSA-27: after five exits within a minute requests get -32002 with the cause, and no child is started', async () => {
    const at = await child('exits');
    for (let i = 0; i < 5; i += 1) {
      const client = await initializing(at);
      expect((await client.closed).reason).toBe('The app server exited with code 3: nothing works here.');
    }
    const client = await connect(at);
    const answer = await client.request('initialize', { clientInfo: { name: 'x', version: '1' } });
    expect(answer).toMatchObject({ error: { code: -32002, data: { reason: 'appServerBreaker' } } });
    expect(JSON.stringify(answer)).toContain('exited with code 3: nothing works here');
    expect(client.ws.readyState).toBe(1);
    expect(at.engine.fullStatus).toMatchObject({
      appServerHealth: { state: 'down', reason: 'appServerBreaker', ready: false, exits: 5, children: 0 },
      counters: { appServerExits: 5, appServerFailures: 5 },
    });
  });

  it('WSA-27: is started again after the window, and a refused client is served when it repeats its request', {
    timeout: 40_000,
  }, async () => {
    const dir = await tmpFolder();
    const broken = path.join(dir, 'broken');
    writeFileSync(broken, '');
    const script =
      'if (require("node:fs").existsSync(process.argv[2])) process.exit(3); import(process.argv[1])';
    const at = await behind(
      process.execPath,
      ['-e', script, CHILD, broken],
      false,
      {},
      // Long enough for five starts on a busy machine.
      { appServerWindow: 8_000 },
    );
    for (let i = 0; i < 5; i += 1) await (await initializing(at)).closed;
    const client = await connect(at);
    expect((await client.request('initialize', HELLO)).error).toBeDefined();
    rmSync(broken);
    const state = () => at.engine.fullStatus.appServerHealth;
    await until(() => state()?.state === 'failing', 'the window to end', 20_000);
    expect(state()?.ready).toBe(true);
    expect((await client.request('initialize', HELLO)).result).toBeDefined();
    expect(state()).toMatchObject({ state: 'serving', reason: 'appServerServing' });
  });

  it.each([
    [
      'node',
      'node:internal/x:1\n  throw err;\n  ^\n\nError: Cannot find module "x"\n    at Module._resolve (node:x:1:2) {\n  code: "MODULE_NOT_FOUND"\n}\n\nNode.js v20.19.5',
      'Error: Cannot find module "x"',
    ],
    ['node with a code', 'TypeError [ERR_X]: no\n    at f (x:1)\n\nNode.js v24.1.0', 'TypeError [ERR_X]: no'],
    [
      'rust',
      'thread main panicked at src/main.rs:2:5:\nno such port\nnote: run with `RUST_BACKTRACE=1` environment variable',
      'no such port',
    ],
    [
      'go',
      'panic: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x1d\nexit status 2',
      'panic: index out of range',
    ],
    [
      'python',
      'Traceback (most recent call last):\n  File "x", line 1\nImportError: no module',
      'ImportError: no module',
    ],
    [
      'java',
      'Exception in thread "main" java.lang.Error: bad\n\tat a.B.main(B.java:5)',
      'Exception in thread "main" java.lang.Error: bad',
    ],
    ['a last word', 'Error: an old one\nretries\ngiving up: no licence', 'giving up: no licence'],
    ['only a version', 'Node.js v20.19.5', 'starting'],
  ])(
    'WSA-26: the exit is explained with the error, not with what follows it (%s)',
    async (_of, text, expected) => {
      const dir = await tmpFolder();
      const file = path.join(dir, 'stderr');
      writeFileSync(file, `starting\n${text}\n`);
      const at = await behind('/bin/sh', ['-c', 'cat "$1" >&2; exit 1', 'sh', file]);
      const client = await initializing(at);
      await client.closed;
      expect(at.engine.fullStatus.appServerHealth?.detail).toBe(
        `The app server exited with code 1: ${expected}.`,
      );
    },
  );

  it('lines that are not messages are logged and skipped', async () => {
    const at = await child('garbage');
    const { client } = await initialized(at);
    expect((await client.request('test/x')).result).toEqual({ method: 'test/x', params: {} });
    expect(at.log.filter(({ message }) => message.includes('is not a valid message'))).toHaveLength(4);
    expect(client.messages.every((one) => 'id' in one || 'method' in one)).toBe(true);
  });

  it.each(['flood', 'floodOut'])(
    'RC-73: lines without end are read, and fill a bounded part of the log (%s)',
    async (kind) => {
      const at = await child(kind);
      const { client } = await initialized(at);
      await client.request('test/x');
      client.ws.close();
      const counted = () =>
        at.log.find(({ message }) => /^\d+ lines of this app server were left out/.test(message));
      await until(() => counted() !== undefined, 'the count');
      const bytes = at.log.reduce((sum, { message }) => sum + message.length + 100, 0);
      expect(bytes).toBeGreaterThan(15_000);
      expect(bytes).toBeLessThan(32 * 1024);
      expect(
        at.log.filter(({ message }) => message.startsWith('more lines of this app server')),
      ).toHaveLength(1);
      expect(Number.parseInt(counted()?.message ?? '', 10)).toBeGreaterThan(5_000);
    },
  );

  it('a slow client pauses its own child only', async () => {
    const at = await child('good');
    const [slow, quick] = [await initialized(at), await initialized(at)];
    slow.client.ws.pause();
    for (let i = 0; i < 20; i += 1) {
      slow.client.send({ id: 100 + i, method: 'test/big', params: { size: 4 * 1024 * 1024 } });
    }
    const states = () => at.engine.fullStatus.connections.map(({ state }) => state);
    await until(() => states().includes('paused.initialized'), 'the slow one to be paused');
    expect((await quick.client.request('test/x')).result).toMatchObject({ method: 'test/x' });
    slow.client.ws.resume();
    await slow.client.until(() => slow.client.messages.some(({ id }) => id === 119), 'everything', 15_000);
    expect(slow.client.messages.filter(({ id }) => Number(id) >= 100)).toHaveLength(20);
  });
});

describe('a shared command', () => {
  it('one child serves all clients, and ends with the engine', async () => {
    const at = await behind(process.execPath, [SHARED], true);
    const [a, b] = [await connect(at), await connect(at)];
    const first = (await a.initialize()).result as { pid: number };
    const second = (await b.initialize()).result as { pid: number; count: number };
    expect(second).toEqual({ pid: first.pid, count: 2 });
    await at.engine.stop();
    expect(lives(first.pid)).toBe(false);
  });

  it('after its exit all its clients are closed, and the next client starts another child', async () => {
    const at = await behind(process.execPath, [SHARED], true);
    const [a, b] = [await connect(at), await connect(at)];
    const first = (await a.initialize()).result as { pid: number };
    await b.initialize();
    a.send({ id: 99, method: 'test/die' });
    expect([(await a.closed).code, (await b.closed).code]).toEqual([1011, 1011]);
    const next = await connect(at);
    const again = (await next.initialize()).result as { pid: number };
    expect(again.pid).not.toBe(first.pid);
  });

  it('RC-62: a child that never listens is ended after the timeout, and each client gets its own, with one log line', async () => {
    const at = await behind(
      process.execPath,
      [
        '-e',
        'process.argv.includes("--listen") ? setInterval(() => {}, 1e3) : import(process.argv[1])',
        CHILD,
      ],
      true,
      {},
      { appServerListen: 400 },
    );
    const [a, b] = [await initialized(at), await initialized(at)];
    expect(a.pid).not.toBe(b.pid);
    expect(at.engine.fullStatus.appServerHealth).toMatchObject({
      state: 'serving',
      mode: 'perClient',
      children: 2,
    });
    const why =
      'it cannot be shared, so each client gets its own until the engine starts again: The app server did not listen on its socket within 0.4 s.';
    expect(at.engine.fullStatus.appServerHealth?.modeReason).toBe(why);
    expect(at.log.filter(({ level, message }) => level === 'warn' && message.includes(why))).toHaveLength(1);
  });

  it('RC-62: a child that exits before it listens says why, and each client gets its own', async () => {
    const script =
      'if (process.argv.includes("--listen")) { console.error("unknown option --listen"); process.exit(4); } import(process.argv[1])';
    const at = await behind(process.execPath, ['-e', script, CHILD], true);
    // Nobody has connected: it is found at once.
    await until(() => at.engine.fullStatus.appServerHealth?.mode === 'perClient', 'the other mode');
    expect(at.engine.fullStatus.appServerHealth).toMatchObject({
      ...{ state: 'idle', reason: 'appServerNotListening', ready: true },
      modeReason: expect.stringContaining('exited with code 4: unknown option --listen, before it listened'),
    });
    const [a, b] = [await initialized(at), await initialized(at)];
    expect(a.pid).not.toBe(b.pid);
  });

  it('RC-64: when its socket file is deleted, new clients get a new child, old clients stay, and the old child ends with the last of them', async () => {
    const at = await behind(process.execPath, [SHARED], true);
    const a = await connect(at);
    const first = (await a.initialize()).result as { pid: number };
    const home = at.engine.home;
    const [directory] = readdirSync(home).filter((name) => name.startsWith('app-server-'));
    rmSync(path.join(home, String(directory)), { recursive: true });
    const b = await connect(at);
    const second = (await b.initialize()).result as { pid: number; count: number };
    expect(second.pid).not.toBe(first.pid);
    expect((await a.request('test/x')).result).toMatchObject({ pid: first.pid });
    expect(at.log.filter(({ message }) => message.includes('socket file'))).toHaveLength(1);
    a.ws.close();
    await until(() => !lives(first.pid), 'the old child to end', 5_000);
    expect((await b.request('test/x')).result).toMatchObject({ pid: second.pid });
  });

  it('RC-64: a deleted socket file is found without a client', async () => {
    const at = await behind(process.execPath, [SHARED], true, {}, { appServerCheck: 100 });
    const state = () => at.engine.fullStatus.appServerHealth;
    await until(() => state()?.state === 'listening', 'the child');
    const directory = () => readdirSync(at.engine.home).find((name) => name.startsWith('app-server-'));
    const first = directory();
    rmSync(path.join(at.engine.home, String(first)), { recursive: true });
    await until(() => directory() !== undefined && directory() !== first, 'another child');
    await until(() => state()?.state === 'listening' && state()?.children === 1, 'it to listen');
  });

  it('RC-63: five deaths within a minute, and clients get the cause until a minute after the first', {
    timeout: 40_000,
  }, async () => {
    const at = await behind(process.execPath, [SHARED], true, {}, { appServerWindow: 8_000 });
    for (let i = 0; i < 5; i += 1) {
      const client = await connect(at);
      await client.initialize();
      client.send({ id: 99, method: 'test/die' });
      expect((await client.closed).reason).toBe('The app server exited with code 9.');
    }
    const health = () => at.engine.fullStatus.appServerHealth;
    expect(health()).toMatchObject({ state: 'down', reason: 'appServerBreaker', ready: false, exits: 5 });
    const client = await connect(at);
    expect(await client.request('initialize', HELLO)).toMatchObject({
      error: { code: -32002, data: { reason: 'appServerBreaker' } },
    });
    // It starts again by itself, and the same client may try again.
    await until(() => health()?.state === 'listening', 'another child', 20_000);
    expect((await client.request('initialize', HELLO)).result).toBeDefined();
  });

  it('RC-66: restart ends the child, tells its clients why, and new clients get another one', async () => {
    const appServer = createAppServer(
      { kind: 'command', program: process.execPath, args: [SHARED], shared: true },
      silentLogger,
    );
    const at = await listening({ appServer });
    const a = await connect(at);
    const first = (await a.initialize()).result as { pid: number };
    await appServer.restart?.('The account has changed.');
    expect(lives(first.pid)).toBe(false);
    expect((await a.closed).reason).toBe('The account has changed.');
    const b = await connect(at);
    expect((await b.initialize()).result).not.toMatchObject({ pid: first.pid });
    expect(at.engine.fullStatus.appServerHealth).toMatchObject({ state: 'serving', exits: 0, failures: 0 });
  });
});

describe('an app server that does not answer initialize', () => {
  it.each([false, true])(
    'RC-67: is given up after the deadline, and the client may try again (shared: %s)',
    async (shared) => {
      const at = await behind(
        process.execPath,
        [shared ? SHARED : CHILD, 'mute'],
        shared,
        {},
        { appServerInitialize: 400 },
      );
      const client = await connect(at);
      expect(await client.request('initialize', HELLO)).toMatchObject({
        error: {
          code: -32002,
          message: 'The app server did not answer initialize within 0.4 s.',
          data: { reason: 'appServerMute' },
        },
      });
      expect(at.engine.fullStatus.appServerHealth).toMatchObject({
        ...{ state: shared ? 'backingOff' : 'failing', reason: 'appServerMute', failures: 1, exits: 0 },
      });
      expect(await client.request('initialize', HELLO)).toMatchObject({
        error: { data: { reason: 'appServerMute' } },
      });
      expect(client.ws.readyState).toBe(1);
      await until(
        () => (at.engine.fullStatus.appServerHealth?.children ?? 0) <= (shared ? 1 : 0),
        'the children to end',
      );
    },
  );
});
