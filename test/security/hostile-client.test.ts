/**
 * A hostile client beside a bystander: whatever it sends, the bystander is answered and what it held is released. The
 * messages follow a grammar, from a seed that each failure shows.
 */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { openCallbackServer } from '../../src/account/login/callback-port.js';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { createEngine } from '../../src/engine/engine.js';
import type { ListenUrl } from '../../src/engine/options.js';
import { Secret } from '../../src/protocol/secret.js';
import { connectController, enroll, pair, ServerPeer } from '../backend/peers.js';
import { Client, connect, listening, type Running, until } from '../listener/rig.js';
import { LineClient } from '../support/control.js';
import { tmpFolder } from '../support/tmp.js';

const SEED = Number(process.env.RC_TEST_SEED ?? 20_261_127);
const MESSAGES = 600;

/** A linear congruential generator: the same seed gives the same messages. */
function random(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Messages from a grammar: JSON-RPC of every shape, frames of the backend, deep and wide values, and no JSON at all. */
function* hostileMessages(seed: number, count: number): Generator<string> {
  const rnd = random(seed);
  const pick = <T>(values: readonly T[]): T => values[rnd(values.length)] as T;
  const methods = ['initialize', 'engine/echo', 'engine/status/read', 'account/read', 'x', 'thread/start'];
  const scalar = (): string =>
    pick([
      'null',
      'true',
      '0',
      '-0',
      '1e400',
      '9007199254740993',
      '"\\u0000"',
      '"\\ud800"',
      '""',
      '{}',
      '[]',
    ]);
  const value = (depth: number): string => {
    if (depth === 0) return scalar();
    const inner = Array.from({ length: rnd(4) }, () => value(depth - 1));
    return rnd(2) === 0
      ? `[${inner.join(',')}]`
      : `{${inner.map((one, n) => `"${pick(['a', 'id', 'method', '__proto__', String(n)])}":${one}`).join(',')}}`;
  };
  for (let n = 0; n < count; n += 1) {
    const shape = rnd(10);
    if (shape < 4) {
      const id = pick(['1', '"a"', 'null', '1.5', '{}', String(n)]);
      yield `{"id":${id},"method":"${pick(methods)}","params":${value(3)}}`;
    } else if (shape === 4)
      yield `{"${pick(['id', 'ID', 'i\\u0064'])}":${n},"result":${value(2)},"method":"x"}`;
    else if (shape === 5) yield `${'['.repeat(2_000)}${']'.repeat(2_000)}`;
    else if (shape === 6)
      yield `{"id":${n},"method":"engine/echo","params":{"payload":"${'x'.repeat(rnd(200_000))}"}}`;
    else if (shape === 7)
      yield pick(['', '{', 'nul', '{"id":1,}', '\u0000', '"text"', '[1,2,3]', '{"a":1}{"b":2}']);
    else if (shape === 8)
      yield `{"type":"${pick(['client_message', 'server_message', 'ack', 'ping', 'pong', 'client_closed', 'x'])}","client_id":${scalar()},"stream_id":${scalar()},"seq_id":${scalar()},"message":${value(2)}}`;
    else yield value(4);
  }
}

const isOpen = (socket: WebSocket): boolean => socket.readyState === WebSocket.OPEN;

/** Sends all messages over a WebSocket; the server may close it. */
async function sendAll(socket: WebSocket): Promise<void> {
  socket.on('error', () => {});
  for (const text of hostileMessages(SEED, MESSAGES)) {
    if (!isOpen(socket)) return;
    await new Promise<void>((resolve) => socket.send(text, () => resolve()));
  }
}

const descriptors = async (): Promise<number> => (await readdir('/proc/self/fd').catch(() => [])).length;

/** Whether the bystander gets the response to its own request. */
async function echo(bystander: Client, payload: unknown): Promise<boolean> {
  const { result } = await bystander.request('engine/echo', { payload }, 20_000);
  return JSON.stringify(result) === JSON.stringify({ payload });
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

describe(`the listener beside a hostile client (seed ${SEED})`, () => {
  const places: readonly [string, () => Promise<ListenUrl>][] = [
    ['ws', async () => 'ws://127.0.0.1:0'],
    ['unix', async () => `unix://${join(await tmpFolder(), 'l.sock')}`],
  ];

  function open(at: Running): Promise<Client> {
    if (at.port !== 0) return connect(at);
    return Client.open(`ws+unix://${at.info.url.slice('unix://'.length)}:/?token=${at.token}`);
  }

  it.each(places)(
    'WSA-60: %s: a bystander is answered, and connections and descriptors return',
    { timeout: 90_000 },
    async (_, place) => {
      const at = await listening({
        listen: await place(),
        authority: { mode: 'queryToken', enforced: true },
        maxConnections: 100,
      });
      const bystander = await open(at);
      await bystander.initialize();
      const before = await descriptors();

      // Grammar-made messages, before and after initialize.
      for (const initialized of [false, true]) {
        const hostile = await open(at);
        if (initialized) await hostile.initialize();
        const sent = sendAll(hostile.ws);
        for (let n = 0; n < 5; n += 1) expect(await echo(bystander, n)).toBe(true);
        await sent;
        hostile.ws.terminate();
      }

      // Answers that nobody reads: far more than the limit of unsent data.
      const unread = await open(at);
      await unread.initialize();
      unread.ws.pause();
      const large = JSON.stringify({
        id: 1,
        method: 'engine/echo',
        params: { payload: 'x'.repeat(900_000) },
      });
      for (let n = 0; n < 60; n += 1) unread.ws.send(large);
      expect(await echo(bystander, 'unread')).toBe(true);

      // A flood of small requests, and silent sockets, with and without a complete request.
      const flood = await open(at);
      await flood.initialize();
      for (let n = 0; n < 20_000; n += 1) flood.ws.send(`{"id":${n},"method":"engine/echo"}`);
      const silentOnes = Array.from({ length: 150 }, (_one, n) => {
        const socket = net.connect(at.target);
        socket.on('error', () => {});
        if (n % 2 === 0) socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
        return socket;
      });
      expect(await echo(bystander, 'flood')).toBe(true);

      for (const one of [unread, flood]) one.ws.terminate();
      for (const socket of silentOnes) socket.destroy();
      await until(() => at.engine.fullStatus.connections.length === 1, 'the end of all others', 30_000);
      await until(async () => (await descriptors()) <= before + 4, 'the descriptors', 30_000);
      expect(await echo(bystander, true)).toBe(true);
      bystander.ws.terminate();
    },
  );
});

it(`WSA-60: the control socket serves a bystander beside a hostile client (seed ${SEED})`, {
  timeout: 60_000,
}, async () => {
  const home = await tmpFolder();
  const at = await listening({ home });
  const { controlSocket } = JSON.parse(await readFile(join(home, 'engine.json'), 'utf8')) as {
    controlSocket: string;
  };
  const bystander = await LineClient.connect(controlSocket);
  await bystander.initialize();
  const hostile = net.connect(controlSocket);
  hostile.on('error', () => {});
  await once(hostile, 'connect');
  for (const text of hostileMessages(SEED + 1, MESSAGES)) hostile.write(`${text}\n`);
  // It asks on and on, and reads nothing.
  for (let n = 0; n < 5_000; n += 1) hostile.write(`{"id":${n},"method":"engine/status/read"}\n`);
  const silentOnes = Array.from({ length: 20 }, () => net.connect(controlSocket).on('error', () => {}));
  for (let n = 0; n < 5; n += 1) expect((await bystander.call('engine/status/read')).result).toBeDefined();
  for (const socket of [hostile, ...silentOnes]) socket.destroy();
  expect((await bystander.call('engine/status/read')).result).toBeDefined();
  bystander.close();
  expect(at.engine.fullStatus.connections).toEqual([]);
});

it(`WSA-60: over stdio a request is still answered after hostile messages (seed ${SEED})`, {
  timeout: 60_000,
}, async () => {
  const [input, output] = [new PassThrough(), new PassThrough()];
  const engine = createEngine({
    home: await tmpFolder(),
    listen: 'stdio://',
    remoteControl: 'off',
    stdio: { input, output },
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
  });
  ends.push(() => engine.stop());
  await engine.start();
  const client = new LineClient(
    output,
    (line) => input.write(line),
    () => input.end(),
  );
  await client.initialize();
  for (const text of hostileMessages(SEED + 2, MESSAGES)) client.sendText(text);
  client.send({ id: 'last', method: 'engine/echo', params: { payload: 'last' } });
  expect((await client.message(({ id }) => id === 'last', 'the last response')).result).toEqual({
    payload: 'last',
  });
});

describe(`the embedded backend (seed ${SEED})`, () => {
  async function backend(): Promise<Backend> {
    const running = await createBackend();
    ends.push(() => running.close());
    return running;
  }

  it('WSA-60: serves a bystander beside a hostile engine, a hostile controller and silent sockets', {
    timeout: 60_000,
  }, async () => {
    const running = await backend();
    const identity = await enroll(running);
    const server = await ServerPeer.open(running, identity);
    const bystander = await connectController(running, await pair(running, identity));

    const hostileEngine = await ServerPeer.open(running, await enroll(running));
    const { token } = await pair(running, identity);
    const url = running.url.replace(/^http/, 'ws');
    const hostileController = new WebSocket(`${url}/wham/remote/control/client`, {
      headers: { authorization: `Bearer ${token.reveal()}` },
    });
    await once(hostileController, 'open');
    const silentOnes = Array.from({ length: 200 }, () =>
      net.connect(Number(new URL(running.url).port), '127.0.0.1').on('error', () => {}),
    );
    const sent = Promise.all([sendAll(hostileEngine.socket), sendAll(hostileController)]);
    for (let n = 0; n < 5; n += 1) {
      const asked = bystander.request(`thread/${n}`, {});
      const request = await server.request(`thread/${n}`);
      server.answer(request, n + 1);
      await asked;
    }
    await sent;
    const again = bystander.request('thread/last', {});
    server.answer(await server.request('thread/last'), 6);
    await again;
    for (const socket of silentOnes) socket.destroy();
    hostileController.terminate();
    await bystander.close();
    await Promise.all([server.close(), hostileEngine.socket.terminate()]);
  });
});

it(`WSA-60: the callback of a sign-in answers the browser beside hostile requests (seed ${SEED})`, async () => {
  const opened = await openCallbackServer([0], new Secret('right'), new AbortController().signal);
  if (opened === undefined) throw new Error('no port is free');
  ends.push(() => opened.close());
  const sockets = [...hostileMessages(SEED + 3, 100)].map((text) => {
    const socket = net.connect(opened.port, '127.0.0.1').on('error', () => {});
    socket.write(`GET /auth/callback?code=${encodeURIComponent(text.slice(0, 200))} HTTP/1.1\r\n${text}`);
    return socket;
  });
  const answer = await fetch(`http://127.0.0.1:${opened.port}/auth/callback?state=wrong&code=x`);
  expect(answer.status).toBe(400);
  for (const socket of sockets) socket.destroy();
});
