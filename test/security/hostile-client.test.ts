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
import { hostileMessages, MESSAGES, SEED, sendAll, silentSockets } from '../support/hostile-peers.js';
import { tmpFolder } from '../support/tmp.js';

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
      const silentOnes = silentSockets(at.target, 150);
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
  const opened = await openCallbackServer(0, new Secret('right'));
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
