import { createServer, type Server } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { createAppServer } from '../../src/app-server/create.js';
import { SocketConnector } from '../../src/app-server/socket.js';
import { SupervisedAppServer } from '../../src/app-server/supervisor.js';
import { silentLogger } from '../../src/observe/logger.js';
import { EngineError } from '../../src/protocol/errors.js';
import { Secret } from '../../src/protocol/secret.js';
import { connect, initializing, listening, until } from '../listener/rig.js';
import { tmpFolder } from '../support/tmp.js';

const servers: { close(): void }[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

interface Upstream {
  onConnect?: (ws: WebSocket) => void;
  port: number;
  readonly authorizations: (string | undefined)[];
  readonly sockets: WebSocket[];
}

/** An app server that answers `initialize`; the test handles everything else. */
async function upstream(
  where: number | string,
  onMessage?: (ws: WebSocket, text: string) => void,
): Promise<Upstream> {
  const http: Server = createServer();
  const server = new WebSocketServer({ server: http });
  const sockets: WebSocket[] = [];
  const authorizations: (string | undefined)[] = [];
  const found: Upstream = { port: 0, authorizations, sockets };
  server.on('connection', (ws, request) => {
    found.onConnect?.(ws);
    sockets.push(ws);
    authorizations.push(request.headers.authorization);
    ws.on('message', (data: Buffer) => {
      const text = data.toString();
      const { id, method } = JSON.parse(text) as { id?: unknown; method?: string };
      if (method === 'initialize') ws.send(JSON.stringify({ id, result: {} }));
      else if (onMessage !== undefined) onMessage(ws, text);
      else if (id !== undefined) ws.send(`{"id":${JSON.stringify(id)}, "result":${text}}`);
    });
  });
  servers.push({
    close: () => {
      for (const ws of sockets) ws.terminate();
      http.close();
    },
  });
  await new Promise<void>((done) => http.listen(where, done));
  const address = http.address();
  found.port = typeof address === 'object' && address !== null ? address.port : 0;
  return found;
}

function errorOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}

const engineAt = (url: string, bearer?: Secret) =>
  listening({ appServer: createAppServer({ kind: 'socket', url, bearer }, silentLogger) });

describe('the URL of an app server', () => {
  const create = (url: string, bearer?: Secret) =>
    createAppServer({ kind: 'socket', url, bearer }, silentLogger);
  const token = new Secret('upstream-token');

  it.each([
    'ws://192.0.2.1:9',
    'WS://192.0.2.1:9',
    'ws://example.com',
    'ws://localhost.example.com',
    'ws://127.0.0.1.example.com',
    'ws://localhost@example.com',
    'ws://0.0.0.0:9',
    'ws://[::]:9',
    'ws://[::ffff:192.0.2.1]:9',
    'ws://[fe80::1]:9',
  ])('WSA-14a: a token is refused for %s', (url) => {
    expect(() => create(url, token)).toThrow(EngineError);
    expect(() => create(url, token)).not.toThrow('upstream-token');
  });

  it('WSA-14a: the message names the flag, the URL without its query, and the next step', () => {
    const error = errorOf(() => create('ws://192.0.2.1:9/path?key=hush', token));
    expect(error).toMatchObject({
      code: 'usage',
      message:
        '--app-server ws://192.0.2.1:9/path would send the token of --app-server-token-file unencrypted to another machine.',
      remediation: 'Use a wss:// URL, or ws:// to this machine.',
    });
    expect(errorOf(() => create('ws://192.0.2.1:9/path?key=hush'))).toMatchObject({
      message: expect.stringContaining('the query of that URL'),
    });
  });

  it.each([
    'ws://127.0.0.1:9',
    'ws://127.1:9',
    'ws://localhost:9',
    'ws://[::1]:9',
    'wss://192.0.2.1:9',
    'wss://example.com?key=hush',
    'unix:///run/app.sock?key=hush',
  ])('WSA-14a: a token is accepted for %s', (url) => {
    expect(() => create(url, token)).not.toThrow();
  });

  it('WSA-14a: without a token and a query, ws:// to another machine is accepted', () => {
    expect(() => create('ws://192.0.2.1:9/path')).not.toThrow();
  });
});

describe('an app server behind a socket', () => {
  it('WSA-25: each connection has its own upstream socket with the bearer token, and messages pass unchanged', async () => {
    const far = await upstream(0);
    const at = await engineAt(`ws://127.0.0.1:${far.port}`, new Secret('upstream-token'));
    const [a, b] = [await connect(at), await connect(at)];
    await a.initialize();
    await b.initialize();
    expect(far.authorizations).toEqual(['Bearer upstream-token', 'Bearer upstream-token']);
    a.ws.send('{"id":"a b","method":"x","params":{"n":12345678901234567890}  }');
    await a.until(() => a.messages.find(({ id }) => id === 'a b'), 'answer');
    expect(a.texts.at(-1)).toBe(
      '{"id":"a b", "result":{"id":"a b","method":"x","params":{"n":12345678901234567890}  }}',
    );
    a.ws.close();
    await until(() => far.sockets[0]?.readyState === 3, 'the upstream socket to end with its client');
    expect(far.sockets[1]?.readyState).toBe(1);
  });

  it('works over a unix socket', async () => {
    const path = join(await tmpFolder(), 'app.sock');
    await upstream(path);
    const at = await engineAt(`unix://${path}`);
    const client = await connect(at);
    expect((await client.initialize()).result).toEqual({});
  });

  it('messages keep their order both ways', async () => {
    const far = await upstream(0);
    const at = await engineAt(`ws://127.0.0.1:${far.port}`);
    const client = await connect(at);
    await client.initialize();
    for (let id = 1_000; id < 1_500; id += 1) client.send({ id, method: 'x' });
    await client.until(() => client.messages.some(({ id }) => id === 1_499), 'all');
    const ids = client.messages.flatMap(({ id }) => (typeof id === 'number' && id >= 1_000 ? [id] : []));
    expect(ids).toEqual(Array.from({ length: 500 }, (_, i) => 1_000 + i));
  });

  it('an upstream that refuses the connection closes the client with a clear reason', async () => {
    const at = await engineAt('ws://127.0.0.1:1');
    const { code, reason } = await (await initializing(at)).closed;
    expect([code, reason]).toEqual([
      1011,
      'The app server ws://127.0.0.1:1/ cannot be reached: ECONNREFUSED.',
    ]);
  });

  it('a rejected token is reported, without the token', async () => {
    const http = createServer();
    http.on('upgrade', (_request, socket) => socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'));
    servers.push(http);
    await new Promise<void>((done) => http.listen(0, done));
    const address = http.address() as net.AddressInfo;
    const at = await engineAt(`ws://127.0.0.1:${address.port}/?token=in-the-url`, new Secret('the-token'));
    const { reason } = await (await initializing(at)).closed;
    expect(reason).toContain('answered HTTP 401');
    expect(reason + JSON.stringify(at.engine.fullStatus)).not.toMatch(/the-token|in-the-url/);
  });

  it('while an upstream hangs messages wait, and a client that disconnects ends the connection attempt', async () => {
    const dials: net.Socket[] = [];
    const mute = net.createServer((socket) => dials.push(socket));
    servers.push({
      close: () => {
        for (const socket of dials) socket.destroy();
        mute.close();
      },
    });
    await new Promise<void>((done) => mute.listen(0, done));
    const at = await engineAt(`ws://127.0.0.1:${(mute.address() as net.AddressInfo).port}`);
    const client = await connect(at);
    client.send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    await until(() => dials.length === 1, 'the dial');
    const ended = new Promise((done) => dials[0]?.resume().once('close', done));
    client.ws.terminate();
    await ended;
  });

  it.each(['ws', 'unix'])(
    'an upstream that never answers the upgrade fails after the timeout, with the reason (%s)',
    async (kind) => {
      const mute = net.createServer((socket) => socket.on('error', () => {}).resume());
      const socketPath = join(await tmpFolder(), 'mute.sock');
      const at = kind === 'unix' ? { path: socketPath } : { port: 0, host: '127.0.0.1' };
      await new Promise<void>((done) => mute.listen(at, done));
      servers.push(mute);
      const address = mute.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const url = kind === 'unix' ? `unix://${socketPath}` : `ws://127.0.0.1:${port}/`;
      const onSkipped = () => {};
      const perClient = new SocketConnector({ url, bearer: undefined, handshakeTimeout: 300, onSkipped });
      const appServer = new SupervisedAppServer({
        ...{ name: 'mute', mode: 'socket', modeReason: 'test', perClient, log: silentLogger },
      });
      const client = await initializing(await listening({ appServer }));
      const { code, reason } = await client.closed;
      expect(code).toBe(1011);
      expect(reason).toContain(
        `The app server ${url} cannot be reached: Opening handshake has timed out.`.slice(0, 100),
      );
    },
  );

  it('WSA-25: invalid messages and remote-control notifications of an upstream are skipped, also before its initialize response', async () => {
    const junk = ['hello', '[1,2]', '"text"', '', '{"half":'];
    const claim = '{"method":"remoteControl/status/changed","params":{"status":"errored"}}';
    const far = await upstream(0, (ws, text) => {
      for (const one of [...junk, claim]) ws.send(one);
      ws.send(Buffer.from('{}'));
      ws.send(`{"id":${(JSON.parse(text) as { id: number }).id},"result":"good"}`);
    });
    far.onConnect = (ws) => {
      for (const one of [...junk, claim]) ws.send(one);
    };
    const at = await engineAt(`ws://127.0.0.1:${far.port}`);
    const raw: string[] = [];
    const ws = new WebSocket(at.info.connectUrl.reveal());
    ws.on('message', (data: Buffer) => raw.push(data.toString()));
    await new Promise((done) => ws.once('open', done));
    ws.send('{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}');
    await until(() => raw.some((text) => text.includes('"id":1')), 'initialize');
    ws.send('{"id":2,"method":"x"}');
    await until(() => raw.some((text) => text.includes('"good"')), 'the answer');
    ws.terminate();
    // Text that is not JSON never reaches a client, also when it begins like a message.
    expect(raw.filter((text) => junk.includes(text))).toEqual([]);
    expect(raw.filter((text) => text.includes('errored'))).toEqual([]);
  });

  it('WSA-26: when an upstream closes, the client is closed with the upstream’s code in the reason', async () => {
    const far = await upstream(0, (ws) => ws.close(1012, 'restart'));
    const at = await engineAt(`ws://127.0.0.1:${far.port}`);
    const client = await connect(at);
    await client.initialize();
    client.send({ id: 5, method: 'x' });
    const { code, reason } = await client.closed;
    expect([code, reason]).toEqual([
      1011,
      `The app server ws://127.0.0.1:${far.port}/ closed the connection (1012 service restart: restart).`,
    ]);
  });

  it('WSA-24: with 128 requests waiting the next gets -32001; the waiting ones are served when there is room', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((done) => {
      release = done;
    });
    const answered: string[] = [];
    const far = await upstream(0, (ws, text) => {
      const { id } = JSON.parse(text) as { id: number };
      void held.then(() => ws.send(JSON.stringify({ id, result: 1 })));
      answered.push(text);
    });
    const at = await engineAt(`ws://127.0.0.1:${far.port}`);
    const client = await connect(at);
    await client.initialize();
    far.sockets[0]?.pause();
    // More than the system buffers for a socket that nobody reads.
    client.send({ id: 999, method: 'x', params: { pad: 'x'.repeat(12 * 1024 * 1024) } });
    for (let id = 1_000; id < 1_300; id += 1) client.send({ id, method: 'x' });
    await client.until(() => client.messages.some(({ error }) => error !== undefined), 'an overload error');
    const overloaded = client.messages.filter(({ error }) => error !== undefined);
    expect(overloaded[0]).toMatchObject({
      error: { code: -32001, message: 'Server overloaded; retry later.' },
    });
    far.sockets[0]?.resume();
    release();
    await client.until(
      () => client.messages.filter(({ id }) => Number(id) >= 999).length === 301,
      'an answer to each',
      15_000,
    );
  });
});
