/** Nothing that a peer wrote acts on the terminal of the person who reads it. RC-55 */
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { CANARY, poisoned, unsafeParts } from '../support/canary.js';
import { HostileEngine } from '../support/hostile-engine.js';
import { it, type Lab } from '../support/lab.js';

/** Whatever came out is safe to read, and the canary is in it: the peer's string was shown, not dropped. */
function expectSafe(output: string): void {
  expect(unsafeParts(output)).toEqual([]);
  expect(output).toContain('MARK');
}

/** A backend and a controller side that put the canary wherever they can; `call` talks to it. */
async function hostileBackend(answer: (method: string) => object): Promise<string> {
  const server = http.createServer((_request, response) => {
    response.end(
      JSON.stringify({
        client_id: 'c',
        controller_token: 'rcc-0123456789',
        environment_id: 'e',
        server_name: CANARY,
      }),
    );
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const { id, method } = JSON.parse(String(data)) as { id?: number; method: string };
      if (id === undefined) return;
      if (method === 'close') socket.close(4000, `MARK\u001b[2J\u202e`);
      else if (method === 'initialize') {
        socket.send(JSON.stringify({ method: CANARY, params: { [CANARY]: CANARY } }));
        socket.send(JSON.stringify({ id, result: {} }));
      } else socket.send(JSON.stringify({ id, ...answer(method) }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/backend-api`;
}

async function call(lab: Lab, answer: (method: string) => object, args: string[], input = '') {
  const file = join(lab.folder, 'controller.json');
  await writeFile(
    file,
    JSON.stringify({
      client_id: 'c',
      controller_token: 'rcc-0123456789',
      environment_id: 'e',
      server_name: 'n',
    }),
    { mode: 0o600 },
  );
  lab.exempt.push(file);
  const base = await hostileBackend(answer);
  return lab.cli(['call', '--base-url', base, '--controller', file, ...args], {}, input);
}

describe('the terminal', () => {
  it('RC-55: the log shows the method of a client on one line, also as JSON', async ({ lab }) => {
    for (const format of ['pretty', 'json']) {
      const engine = await lab.start(
        [
          '--listen',
          'ws://127.0.0.1:0',
          '--log-format',
          format,
          '--log-level',
          'info',
          '--allow-method',
          'thread/*',
        ],
        {},
        true,
      );
      const { connectUrl } = await engine.line(({ type }) => type === 'listening', 'listening');
      const client = new WebSocket(String(connectUrl));
      await once(client, 'open');
      client.send(
        JSON.stringify({
          id: 1,
          method: 'initialize',
          params: { clientInfo: { name: CANARY, version: CANARY } },
        }),
      );
      client.send(JSON.stringify({ method: 'initialized' }));
      client.send(JSON.stringify({ id: 2, method: CANARY, params: {} }));
      await engine.until(() => engine.stderr.includes('MARK'), 'canary');
      client.terminate();
      await engine.stop();
      expectSafe(engine.stderr);
      expect(unsafeParts(engine.stdout)).toEqual([]);
    }
  });

  it('RC-55: call shows results, errors and close reasons', async ({ lab }) => {
    const refused = await call(lab, () => ({ error: { code: -1, message: CANARY } }), ['some/method']);
    expectSafe(refused.stderr);
    const value = { [CANARY]: [CANARY] };
    const answered = await call(lab, () => ({ result: value }), ['some/method']);
    expectSafe(answered.stdout);
    expect(JSON.parse(answered.stdout)).toEqual(value);
    const json = await call(lab, () => ({ result: value }), ['--json', 'some/method']);
    expectSafe(json.stdout);
    expect(JSON.parse(json.stdout)).toEqual(value);
    const lines = await call(lab, () => ({ error: { code: -1, message: CANARY } }), [], 'some/method {}\n');
    expectSafe(lines.stdout);
    const closed = await call(lab, () => ({}), ['close']);
    expect(unsafeParts(closed.stderr + closed.stdout)).toEqual([]);
  });

  it('RC-55: each command that asks the engine shows its answers', { timeout: 90_000 }, async ({ lab }) => {
    const running = await lab.connected(['--listen', 'ws://127.0.0.1:0']);
    const { connectUrl } = await running.line(({ type }) => type === 'listening', 'listening');
    const client = new WebSocket(String(connectUrl));
    await once(client, 'open');
    client.send(
      JSON.stringify({ id: 1, method: 'initialize', params: { clientInfo: { name: 'n', version: '1' } } }),
    );
    await once(client, 'message');
    const status = await lab.status();
    client.terminate();
    await running.stop();
    const remoteClients = [{ clientId: 'c', name: 'n' }];
    const hostile = poisoned({ ...status, remoteClients }) as { remoteControl: object };
    // Pairing needs a connection. RC-103
    const paired = { ...hostile, remoteControl: { ...hostile.remoteControl, status: 'connected' } };
    const account = {
      mode: 'chatgpt',
      email: 'e',
      plan: 'p',
      accountId: 'a',
      userId: 'u',
      source: 'file',
      file: join(lab.home, 'auth.json'),
      login: null,
      problem: { reason: 'r', message: 'm' },
    };
    const link = { status: 's', state: 's', reason: 'r', lastFailure: { message: 'm' } };
    const answers: Record<string, unknown> = {
      'engine/status/read': hostile,
      'engine/account/read': poisoned(account),
      'remoteControl/pairing/start': {
        manualPairingCode: CANARY,
        pairingCode: CANARY,
        environmentId: CANARY,
        expiresAt: 9e9,
      },
      'engine/repair': poisoned({ failure: { reason: 'r', message: 'm' }, report: link }),
      'account/login/start': {
        loginId: 'id',
        verificationUrl: CANARY,
        userCode: CANARY,
        authUrl: `http://127.0.0.1:1/?${CANARY}`,
      },
      'account/logout': {},
    };
    const completed = {
      method: 'account/login/completed',
      params: { loginId: 'id', success: false, error: CANARY },
    };
    const commands = [
      ['status'],
      ['wait', '--timeout', '0'],
      ['pair'],
      ['repair'],
      ['repair', '--step', 'retry', '--yes'],
      ['whoami'],
      ['login', '--device'],
      ['login', '--no-browser'],
    ];
    let engine = await HostileEngine.open(lab.home, (method) => ({ result: answers[method] ?? {} }), [
      completed,
    ]);
    try {
      for (const command of commands) {
        answers['engine/status/read'] = command[0] === 'pair' ? paired : hostile;
        for (const more of [[], ['--json']]) {
          const { stdout, stderr } = await lab.cli([...command, '--home', lab.home, ...more], {
            LANG: 'C.UTF-8',
          });
          expect(unsafeParts(stdout + stderr), command.join(' ')).toEqual([]);
          expect(stdout + stderr, command.join(' ')).toContain('MARK');
        }
      }
      await engine.close();
      engine = await HostileEngine.open(lab.home, () => ({ error: { code: -1, message: CANARY } }));
      for (const command of [...commands, ['logout'], ['pair', '--json']]) {
        const { stdout, stderr } = await lab.cli([...command, '--home', lab.home]);
        expect(unsafeParts(stdout + stderr), command.join(' ')).toEqual([]);
        // whoami explains a refusal in its own words.
        if (command[0] !== 'whoami') expect(stdout + stderr, command.join(' ')).toContain('MARK');
      }
    } finally {
      await engine.close();
    }
  });

  it('RC-55: start shows what the app server, the backend and the sign-in wrote', async ({ lab }) => {
    await mkdir(lab.home, { recursive: true, mode: 0o700 });
    await lab.signIn(`account-${CANARY}`);
    const whoami = await lab.cli(['whoami', '--home', lab.home]);
    expect(unsafeParts(whoami.stdout + whoami.stderr)).toEqual([]);
    await lab.signIn();
    const backend = await lab.backend();
    for (const route of ['enroll', 'refresh', 'socket'] as const) {
      backend.fault({
        action: 'answer',
        fault: {
          route,
          answer: 'status',
          status: 503,
          body: { error: { message: CANARY, code: CANARY } },
        } as never,
      });
    }
    const script = `const t=${JSON.stringify(CANARY)};process.stderr.write(t+'\\n');process.stdout.write(t+'\\n');setInterval(()=>{},1e3)`;
    const engine = await lab.start(
      ['--listen', 'ws://127.0.0.1:0', '--log-level', 'trace', '--', process.execPath, '-e', script],
      {},
      false,
    );
    const url = await engine.until(() => /(ws:\/\/\S+token=\S+)/.exec(engine.stdout)?.[1], 'connect URL');
    const client = new WebSocket(url);
    await once(client, 'open');
    client.send(
      JSON.stringify({ id: 1, method: 'initialize', params: { clientInfo: { name: CANARY, version: '1' } } }),
    );
    await engine.until(() => engine.stderr.includes('MARK'), 'canary');
    client.terminate();
    await engine.stop();
    expectSafe(engine.stderr + engine.stdout);
  });
});
