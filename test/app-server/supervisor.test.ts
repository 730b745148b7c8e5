import { createServer } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocketServer } from 'ws';
import { createAppServer } from '../../src/app-server/create.js';
import type { EngineLogger } from '../../src/observe/logger.js';
import { type Client, connect, listening, until } from '../listener/rig.js';
import { tmpFolder } from '../support/tmp.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const HELLO = { clientInfo: { name: 'x', version: '1' } };
const REFUSED = { error: { code: -32002, data: { reason: 'appServerBreaker' } } };

/** An engine in front of an upstream, and the warnings it logs. */
async function engineAt(url: string) {
  const warned: string[] = [];
  const logger: EngineLogger = {
    debug: () => {},
    info: () => {},
    warn: (_fields: object, message: string) => {
      warned.push(message);
    },
    error: () => {},
  };
  const appServer = createAppServer({ kind: 'socket', url, bearer: undefined }, logger);
  return { ...(await listening({ appServer })), warned };
}

const urlOf = (where: number | string) =>
  typeof where === 'number' ? `ws://127.0.0.1:${where}` : `unix://${where}`;

/** An address for a server that starts later: a port that was free a moment ago, or a path. */
async function freeAddress(kind: string): Promise<number | string> {
  if (kind === 'unix://') return join(await tmpFolder(), 'up.sock');
  const server = net.createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

function listenAt(server: net.Server, where: number | string): Promise<void> {
  ends.push(() => server.close());
  return new Promise((done) => {
    if (typeof where === 'number') server.listen(where, '127.0.0.1', done);
    else server.listen(where, done);
  });
}

/** Starts an app server that works. */
async function startWorkingAppServer(where: number | string): Promise<void> {
  const http = createServer();
  const server = new WebSocketServer({ server: http });
  server.on('connection', (ws) => {
    ends.push(() => ws.terminate());
    ws.on('message', (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as { id?: number };
      if (id !== undefined) ws.send(JSON.stringify({ id, result: { good: true } }));
    });
  });
  await listenAt(http, where);
}

/** Connects clients until one is not closed; also returns the close reasons of those before it. */
async function connectUntilServed(
  at: Awaited<ReturnType<typeof engineAt>>,
): Promise<{ client: Client; reasons: string[] }> {
  const reasons: string[] = [];
  for (;;) {
    const client = await connect(at);
    const answer = client.request('initialize', HELLO);
    answer.catch(() => {});
    // The error of a failed attempt is followed by the end; a refused client stays.
    const served = answer.then((got) => {
      const { data } = (got.error ?? {}) as { readonly data?: { readonly reason?: string } };
      return got.error === undefined || data?.reason === 'appServerBreaker' ? undefined : client.closed;
    });
    const end = await Promise.race([client.closed, served]);
    if (end === undefined) return { client, reasons };
    expect(end.code).toBe(1011);
    reasons.push(end.reason);
  }
}

describe.each(['ws://', 'unix://'])('an app server behind %s that is down', (kind) => {
  it('WSA-27: each client gets an error at once; after five failures there is one attempt a second, which notices that it is back', async () => {
    const where = await freeAddress(kind);
    const at = await engineAt(urlOf(where));
    const { client, reasons } = await connectUntilServed(at);
    expect(reasons).toHaveLength(5);
    for (const reason of reasons) expect(reason).toMatch(/cannot be reached: (ECONNREFUSED|no such file)/);
    const refused = client.messages.find(({ error }) => error !== undefined);
    expect(refused).toMatchObject(REFUSED);
    expect(JSON.stringify(refused)).toMatch(/failed 5 times.*cannot be reached: (ECONNREFUSED|no such file)/);
    // Twenty more clients get their answer as quickly.
    const began = performance.now();
    const others = await Promise.all(Array.from({ length: 20 }, () => connect(at)));
    const answers = await Promise.all(
      others.map((other) =>
        Promise.race([other.closed, other.request('initialize', HELLO)]).catch(() => undefined),
      ),
    );
    expect(performance.now() - began).toBeLessThan(3_000);
    expect(answers.filter((one) => one !== undefined)).toHaveLength(20);
    expect(at.warned.filter((one) => one.includes('cannot be reached')).length).toBeLessThan(10);
    await startWorkingAppServer(where);
    const back = performance.now();
    // The refused client repeats its request and is served; so is a new one.
    await until(
      async () => (await client.request('initialize', HELLO)).result !== undefined,
      'the app server to be back',
    );
    expect(performance.now() - back).toBeLessThan(4_000);
    expect((await client.request('x')).result).toEqual({ good: true });
    const next = await connect(at);
    expect((await next.initialize()).result).toEqual({ good: true });
  });
});

it('an upstream that closes each connection at once is tried at most once a second, however many clients ask', async () => {
  let dials = 0;
  const where = await freeAddress('ws://');
  const server = net.createServer((socket) => {
    dials += 1;
    socket.destroy();
  });
  await listenAt(server, where);
  const at = await engineAt(urlOf(where));
  const { client } = await connectUntilServed(at);
  expect(dials).toBe(5);
  const began = performance.now();
  for (let i = 0; i < 100; i += 1) await client.request('initialize', HELLO);
  const seconds = (performance.now() - began) / 1_000;
  expect(dials).toBeLessThanOrEqual(5 + Math.ceil(seconds));
  await until(async () => {
    await client.request('initialize', HELLO);
    return dials > 5;
  }, 'another attempt');
});

it('an upstream that upgrades and closes without a message counts as failed; one that has sent a message does not', async () => {
  let responds = true;
  const where = await freeAddress('ws://');
  const http = createServer();
  new WebSocketServer({ server: http }).on('connection', (ws) => {
    ws.on('message', (data: Buffer) => {
      const { id } = JSON.parse(data.toString()) as { id: number };
      if (responds) ws.send(JSON.stringify({ id, result: {} }));
      ws.close(1001, 'bye');
    });
  });
  await listenAt(http, where);
  const at = await engineAt(urlOf(where));
  for (let i = 0; i < 8; i += 1) {
    const client = await connect(at);
    client.send({ id: 1, method: 'initialize', params: HELLO });
    expect((await client.closed).reason).toContain('closed the connection (1001 going away: bye)');
    expect(client.messages.find(({ id }) => id === 1)).toEqual({ id: 1, result: {} });
  }
  responds = false;
  const { client, reasons } = await connectUntilServed(at);
  expect(reasons).toHaveLength(5);
  expect(client.messages.find(({ error }) => error !== undefined)).toMatchObject(REFUSED);
});
