import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { it, type Lab } from '../support/lab.js';

const DIRECTORY = join(import.meta.dirname, '../app-server');
const OWN = [process.execPath, join(DIRECTORY, 'child.mjs')] as const;
const SHARED = [
  process.execPath,
  join(DIRECTORY, 'shared-child.mjs'),
  '--listen',
  'unix://{socket}',
] as const;
const LOCAL = ['--no-remote-control', '--listen', 'ws://127.0.0.1:0'] as const;

/** Where the engine listens. */
async function addressOf(
  engine: Awaited<ReturnType<Lab['start']>>,
): Promise<{ connect: string; http: string }> {
  const line = await engine.line(({ type }) => type === 'listening', 'address');
  return { connect: String(line.connectUrl), http: String(line.url).replace(/^ws/, 'http') };
}

/** The response to `initialize` on a new connection, which stays open until the engine ends. */
function initialize(url: string): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url);
    ws.on('error', reject);
    ws.on('close', () => reject(new Error('closed without a response')));
    ws.on('message', (data) => {
      const message = JSON.parse(String(data)) as Record<string, unknown>;
      if (message.id === 1) resolve(message);
    });
    const params = { clientInfo: { name: 'test', version: '1' } };
    ws.on('open', () => ws.send(JSON.stringify({ id: 1, method: 'initialize', params })));
  });
}

function readyz(url: string): Promise<{ status: number | undefined; body: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    get(new URL('/readyz', url), (response) => {
      let text = '';
      response.on('data', (data) => {
        text += String(data);
      });
      response.on('end', () => resolve({ status: response.statusCode, body: JSON.parse(text) }));
    }).on('error', reject);
  });
}

const status = (lab: Lab, ...args: string[]) => lab.cli(['status', '--home', lab.home, ...args]);

describe('RC-61: the start says the mode and why', () => {
  it.for([
    ['its own', OWN, [], 'perClient', 'one for each client'],
    ['shared', SHARED, [], 'shared', 'one for all clients'],
    ['its own, as asked', OWN, ['--app-server-mode', 'per-client'], 'perClient', 'one for each client'],
  ] as const)('%s', async ([, command, options, mode, words], { lab }) => {
    await lab.signIn();
    const engine = await lab.start([...LOCAL, ...options, '--', ...command]);
    const { appServer } = await engine.line(({ type }) => type === 'started', 'start');
    expect(appServer).toEqual({ name: command.join(' '), mode, modeReason: expect.any(String) });
    const { modeReason } = appServer as { modeReason: string };
    const { appServerHealth } = JSON.parse((await status(lab, '--json')).stdout);
    expect(appServerHealth).toMatchObject({ mode, modeReason });
    const shown = (await status(lab, '--verbose')).stdout.replace(/\s+/g, ' ');
    expect(shown).toContain(modeReason);
    await engine.stop();
    const person = await lab.start([...LOCAL, ...options, '--verbose', '--', ...command], {}, false);
    await person.until(() => person.stdout.includes('see also'), 'first screen');
    expect(person.stdout).toMatch(new RegExp(`^app server .*, ${words}$`, 'm'));
    expect(person.stdout).toContain(`because ${modeReason}.`);
  });
});

describe('RC-65: a TMPDIR that cannot be used gets a warning at start', () => {
  it('because it does not exist, or is too long for sockets; the shared child listens elsewhere', async ({
    lab,
  }) => {
    await lab.signIn();
    const missing = join(lab.folder, 'missing');
    const long = join(lab.folder, 'x'.repeat(110));
    await mkdir(long);
    for (const [TMPDIR, why] of [
      [missing, 'does not exist'],
      [long, 'is too long for sockets'],
    ] as const) {
      const engine = await lab.start([...LOCAL, '--', ...SHARED], { TMPDIR });
      await engine.until(() => engine.stderr.includes(why), 'warning');
      expect(engine.stderr).toContain(`TMPDIR ${TMPDIR} ${why}`);
      expect(await initialize((await addressOf(engine)).connect)).toHaveProperty('result.pid');
      await engine.stop();
    }
  });
});

describe('RC-69: an app server that fails', () => {
  it('status has exit code 6, with a link to the backend, and /readyz is 503', async ({ lab }) => {
    const engine = await lab.connected(['--listen', 'ws://127.0.0.1:0', '--', ...OWN, 'exits']);
    const { connect: url, http } = await addressOf(engine);
    expect((await status(lab)).code).toBe(0);
    expect((await readyz(http)).status).toBe(200);
    const { error } = await initialize(url);
    expect(error).toMatchObject({ code: -32002, data: { reason: 'appServerExited' } });
    const ready = await readyz(http);
    expect(ready).toMatchObject({
      status: 503,
      body: { appServer: { state: 'failing', reason: 'appServerExited', mode: 'perClient' } },
    });
    expect(JSON.stringify(ready.body), 'the cause').not.toContain('nothing works here');
    const text = await status(lab);
    expect([text.code, text.stdout.replace(/\s+/g, ' ')]).toEqual([
      6,
      expect.stringContaining('nothing works here'),
    ]);
    const json = await status(lab, '--json');
    expect(json.code).toBe(6);
    expect(JSON.parse(json.stdout).appServerHealth).toMatchObject({
      ...{ state: 'failing', reason: 'appServerExited', ready: false, exits: 1, failures: 1 },
      detail: expect.stringContaining('nothing works here'),
    });
  });
});

describe.skipIf(!existsSync('/proc/self/fd'))('RC-68: no file descriptors (ulimit -n)', () => {
  it('a client gets outOfDescriptors, and the app server has not failed', async ({ lab }) => {
    await lab.signIn();
    const limit = { before: 'ulimit -n 48' };
    const engine = await lab.start([...LOCAL, '--', ...OWN], {}, true, limit);
    const { connect: url } = await addressOf(engine);
    const answers: Record<string, unknown>[] = [];
    // Each client needs one descriptor for itself and several for its child.
    for (let client = 0; client < 20; client += 1) {
      const answer = await initialize(url);
      answers.push(answer);
      if ('error' in answer) break;
    }
    expect(answers[0]).toHaveProperty('result');
    expect(answers.at(-1)?.error).toMatchObject({
      code: -32002,
      message: expect.stringMatching(/EMFILE|too many open files/i),
      data: { reason: 'outOfDescriptors' },
    });
    const { code, stdout } = await status(lab, '--json');
    expect(code).not.toBe(6);
    expect(JSON.parse(stdout).appServerHealth).toMatchObject({ state: 'serving', failures: 0, exits: 0 });
  });

  it('a command that gets no answer names the engine by its pid', async ({ lab }) => {
    await lab.signIn();
    const engine = await lab.start([...LOCAL], {}, true, { before: 'ulimit -n 48' });
    const { port } = new URL((await addressOf(engine)).http);
    // Connections without a request take all descriptors.
    const taken = Array.from({ length: 60 }, () => connect(Number(port), '127.0.0.1').on('error', () => {}));
    await Promise.all(taken.map((socket) => once(socket, 'connect')));
    const { code, stderr } = await status(lab);
    for (const socket of taken) socket.destroy();
    expect(code).toBe(1);
    // The engine closes the connection, or never sees it: the system decides. It is named in both cases.
    expect(stderr).toMatch(
      new RegExp(`The engine with pid ${engine.child.pid} (runs[^]*ulimit -n|did not answer)`),
    );
    expect(stderr).not.toContain('No engine runs');
  });
});
