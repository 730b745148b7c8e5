import { createServer } from 'node:http';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Client, until } from '../listener/rig.js';
import { CliProcess, cli } from '../support/cli.js';
import { LineClient } from '../support/control.js';
import { MemoryWatch, MIB } from '../support/memory.js';
import { lives } from '../support/processes.js';
import { tmpFolder } from '../support/tmp.js';

const CHILD = path.join(import.meta.dirname, 'heavy-child.mjs');
const MESSAGES = 300;
const PAD = 'x'.repeat(MIB);
/** Far below what is sent, and above what the limits and the garbage collector need. */
const MAX_GROWTH = 160 * MIB;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Row {
  readonly client: string | null;
  readonly state: string;
  readonly held: boolean;
}

/** The built engine in front of an app server, in its own process so that its memory can be measured. */
async function engine(...args: string[]) {
  const home = await tmpFolder();
  const run = new CliProcess([
    ...['start', '--json', '--home', home, '--no-remote-control', '--listen', 'ws://127.0.0.1:0', ...args],
  ]);
  const { connectUrl } = await run.line(({ type }) => type === 'listening', 'listening line');
  const rows = async () =>
    (JSON.parse((await cli(['status', '--json', '--home', home])).stdout) as { connections: Row[] })
      .connections;
  return {
    pid: run.child.pid,
    rows,
    status: async () => (await cli(['status', '--verbose', '--home', home])).stdout,
    row: async (name: string) => (await rows()).find(({ client }) => client === name),
    connect: (name: string) => Peer.connect(String(connectUrl), name),
    stop: () => run.stop(),
  };
}

/** A client for large amounts of data: it counts messages instead of storing them. */
class Peer {
  readonly client: Client;
  /** Messages of the flood received in order; -1 after one out of order. */
  drops = 0;
  /** Messages of its own flood that have been sent. */
  sent = 0;
  pid = 0;

  constructor(client: Client) {
    this.client = client;
    client.ws.removeAllListeners('message');
    client.ws.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { method?: string; params?: { n?: number } };
      if (message.method === 'test/drop')
        this.drops = message.params?.n === this.drops + 1 ? this.drops + 1 : -1;
      else client.take(data.toString());
    });
  }

  static async connect(url: string, name: string): Promise<Peer> {
    const peer = new Peer(await Client.open(url));
    const { result } = await peer.client.request('initialize', { clientInfo: { name, version: '1' } });
    peer.pid = Number((result as { pid?: number }).pid);
    return peer;
  }

  /** Sends all messages, each as soon as the socket has taken the one before. */
  async sendAll(): Promise<void> {
    const { ws } = this.client;
    for (let n = 1; n <= MESSAGES && ws.readyState === ws.OPEN; n += 1) {
      const text = JSON.stringify({ method: 'test/load', params: { n, pad: PAD } });
      await new Promise<void>((taken) => ws.send(text, () => taken()));
      this.sent = n;
    }
  }

  /** How long a request takes, ms. */
  async roundTrip(): Promise<number> {
    const began = performance.now();
    await this.client.request('test/ping');
    return performance.now() - began;
  }
}

/** An upstream in this test; each connection behaves like `heavy-child.mjs`. */
async function upstream() {
  const http = createServer();
  const server = new WebSocketServer({ server: http, maxPayload: 2 * MIB });
  const deaf: WebSocket[] = [];
  server.on('connection', (ws) => {
    let count = 0;
    ws.on('message', (data: Buffer) => {
      const { id, method, params } = JSON.parse(data.toString()) as {
        id?: number;
        method: string;
        params: { n: number };
      };
      if (method === 'test/load') {
        count = params.n === count + 1 ? params.n : Number.NaN;
        return;
      }
      if (id !== undefined) ws.send(JSON.stringify({ id, result: { count } }));
      if (method === 'test/deaf') {
        deaf.push(ws);
        ws.pause();
      }
      if (method === 'test/flood') void flood(ws);
    });
  });
  await new Promise<void>((done) => http.listen(0, '127.0.0.1', done));
  ends.push(() => {
    for (const ws of server.clients) ws.terminate();
    http.close();
  });
  const { port } = http.address() as { port: number };
  return { url: `ws://127.0.0.1:${port}`, deaf, sockets: server.clients };
}

async function flood(ws: WebSocket): Promise<void> {
  for (let n = 1; n <= MESSAGES; n += 1) {
    const text = JSON.stringify({ method: 'test/drop', params: { n, pad: PAD } });
    await new Promise<void>((taken) => ws.send(text, () => taken()));
  }
}

const CHILD_ARGS = ['--', process.execPath, CHILD];

describe.each(['a child', 'an upstream socket'])('an app server (%s) that does not read', (kind) => {
  it('WSA-30: pauses only the client that sends to it, however much that sends; afterwards all of it arrives in order', {
    timeout: 90_000,
  }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const [eager, other] = [await at.connect('eager'), await at.connect('other')];
    await eager.client.request('test/deaf');
    const memory = await MemoryWatch.of(at.pid);
    const sending = eager.sendAll();
    await until(
      async () => (await at.row('eager'))?.held === true,
      'reading from the eager client to be paused',
      20_000,
    );
    expect(await other.roundTrip()).toBeLessThan(2_000);
    expect((await at.row('other'))?.held).toBe(false);
    expect((await at.status()).match(/paused because its app server is busy/g)).toHaveLength(1);
    expect(eager.sent).toBeLessThan(MESSAGES);
    expect(memory.grown).toBeLessThan(MAX_GROWTH);
    if (far === undefined) process.kill(eager.pid, 'SIGUSR2');
    else for (const ws of far.deaf) ws.resume();
    await sending;
    const { result } = await eager.client.request('test/ping', {}, 40_000);
    expect(result).toEqual({ count: MESSAGES });
    expect((await at.row('eager'))?.held).toBe(false);
    console.info(`${kind}: grew by ${Math.round(memory.end() / MIB)} MiB at most`);
    expect(memory.grown).toBeLessThan(MAX_GROWTH);
    await at.stop();
  });

  it('a stop closes a paused client in time and with 1012, like any other', { timeout: 60_000 }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const eager = await at.connect('eager');
    await eager.client.request('test/deaf');
    void eager.sendAll();
    await until(
      async () => (await at.row('eager'))?.held === true,
      'reading from the eager client to be paused',
      20_000,
    );
    const began = performance.now();
    const stopped = at.stop();
    expect((await eager.client.closed).code).toBe(1012);
    expect((await stopped).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('WSA-30: when a paused client disconnects, its connection to the app server ends', {
    timeout: 60_000,
  }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const eager = await at.connect('eager');
    await eager.client.request('test/deaf');
    void eager.sendAll();
    await until(
      async () => (await at.row('eager'))?.held === true,
      'reading from the eager client to be paused',
      20_000,
    );
    eager.client.ws.terminate();
    await until(async () => (await at.rows()).length === 0, 'its connection to end', 10_000);
    if (far === undefined) await until(() => !lives(eager.pid), 'its child to exit', 10_000);
    else {
      for (const ws of far.deaf) ws.resume();
      await until(() => far.sockets.size === 0, 'its upstream socket to close', 10_000);
    }
    await at.stop();
  });
});

describe.each(['a child', 'an upstream socket'])('a client that does not read', (kind) => {
  it(`WSA-18: pauses only its own app server (${kind}); afterwards all of it arrives in order`, {
    timeout: 90_000,
  }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const [slow, other] = [await at.connect('slow'), await at.connect('other')];
    const memory = await MemoryWatch.of(at.pid);
    await slow.client.request('test/flood', { messages: MESSAGES, size: MIB });
    slow.client.ws.pause();
    await until(
      async () => (await at.row('slow'))?.state.startsWith('paused') === true,
      'it to be paused',
      20_000,
    );
    expect(await other.roundTrip()).toBeLessThan(2_000);
    expect((await at.row('other'))?.state).toBe('initialized');
    expect(slow.drops).toBeLessThan(MESSAGES);
    slow.client.ws.resume();
    await until(() => slow.drops === MESSAGES, 'everything', 30_000);
    console.info(`${kind}: grew by ${Math.round(memory.end() / MIB)} MiB at most`);
    expect(memory.grown).toBeLessThan(MAX_GROWTH);
    await at.stop();
  });
});

describe('over stdio', () => {
  it('WSA-30: stdin is not read while the app server does not read; afterwards all of it arrives', {
    timeout: 60_000,
  }, async () => {
    const home = await tmpFolder();
    const run = new CliProcess([
      ...['start', '--home', home, '--no-remote-control', '--listen', 'stdio://', ...CHILD_ARGS],
    ]);
    const { stdin, stdout } = run.child;
    const client = new LineClient(
      stdout,
      (line) => stdin.write(line),
      () => stdin.end(),
    );
    const { pid } = (await client.initialize()) as { pid: number };
    await client.call('test/deaf');
    for (let n = 1; n <= 50; n += 1) client.send({ method: 'test/load', params: { n, pad: PAD } });
    const held = async () => {
      const { connections } = JSON.parse((await cli(['status', '--json', '--home', home])).stdout);
      return connections[0].held === true;
    };
    await until(held, 'reading from stdin to be paused', 10_000);
    expect(stdin.writableLength).toBeGreaterThan(30 * MIB);
    process.kill(pid, 'SIGUSR2');
    expect((await client.call('test/ping')).result).toEqual({ count: 50 });
    client.close();
    expect((await run.exited).code).toBe(0);
  });
});
