import { createServer } from 'node:http';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { Client, until } from '../listener/rig.js';
import { CliProcess, cli } from '../support/cli.js';
import { LineClient } from '../support/control.js';
import { MemoryWatch, MIB } from '../support/memory.js';
import { tmpFolder } from '../support/tmp.js';

const CHILD = path.join(import.meta.dirname, 'heavy-child.mjs');
const MESSAGES = 300;
const PAD = 'x'.repeat(MIB);
/** Far below what is offered, and above what the bounds and the collector make of it. */
const MOST = 160 * MIB;

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

interface Row {
  readonly client: string | null;
  readonly state: string;
  readonly held: boolean;
}

/** The built engine in front of an app server, a process of its own so that its memory can be told. */
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
    status: async () => (await cli(['status', '--home', home])).stdout,
    row: async (name: string) => (await rows()).find(({ client }) => client === name),
    connect: (name: string) => Peer.connect(String(connectUrl), name),
    stop: () => run.stop(),
  };
}

/** A client for large amounts: counts what comes instead of keeping it. */
class Peer {
  readonly client: Client;
  /** Numbers of the floods' messages, as long as each follows the one before. */
  drops = 0;
  /** Messages of its own flood that have left it. */
  left = 0;
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

  /** Offers all messages at once, each as soon as the one before was taken. */
  async offer(): Promise<void> {
    const { ws } = this.client;
    for (let n = 1; n <= MESSAGES && ws.readyState === ws.OPEN; n += 1) {
      const text = JSON.stringify({ method: 'test/load', params: { n, pad: PAD } });
      await new Promise<void>((taken) => ws.send(text, () => taken()));
      this.left = n;
    }
  }

  /** How long an answer takes, ms. */
  async asked(): Promise<number> {
    const began = performance.now();
    await this.client.request('test/ping');
    return performance.now() - began;
  }
}

/** An upstream of this test; each connection does what `heavy-child.mjs` does. */
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

describe.each(['a child', 'an upstream socket'])('an app server (%s) that takes nothing', (kind) => {
  it('WSA-30: holds back only the client that feeds it, whatever that offers; afterwards all arrives, in order', {
    timeout: 90_000,
  }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const [eager, other] = [await at.connect('eager'), await at.connect('other')];
    await eager.client.request('test/deaf');
    const memory = await MemoryWatch.of(at.pid);
    const offering = eager.offer();
    await until(async () => (await at.row('eager'))?.held === true, 'the eager one to be held', 20_000);
    expect(await other.asked()).toBeLessThan(2_000);
    expect((await at.row('other'))?.held).toBe(false);
    expect((await at.status()).match(/held back by its app server/g)).toHaveLength(1);
    expect(eager.left).toBeLessThan(MESSAGES);
    expect(memory.grown).toBeLessThan(MOST);
    if (far === undefined) process.kill(eager.pid, 'SIGUSR2');
    else for (const ws of far.deaf) ws.resume();
    await offering;
    const { result } = await eager.client.request('test/ping', {}, 40_000);
    expect(result).toEqual({ count: MESSAGES });
    expect((await at.row('eager'))?.held).toBe(false);
    console.info(`${kind}: grew by ${Math.round(memory.end() / MIB)} MiB at most`);
    expect(memory.grown).toBeLessThan(MOST);
    await at.stop();
  });

  it('a stop ends a client that is held like any other: 1012, and in time', { timeout: 60_000 }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const eager = await at.connect('eager');
    await eager.client.request('test/deaf');
    void eager.offer();
    await until(async () => (await at.row('eager'))?.held === true, 'the eager one to be held', 20_000);
    const began = performance.now();
    const stopped = at.stop();
    expect((await eager.client.closed).code).toBe(1012);
    expect((await stopped).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(5_000);
  });

  it('WSA-30: a client that is held and goes away is noticed, and its connection there ends', {
    timeout: 60_000,
  }, async () => {
    const far = kind === 'a child' ? undefined : await upstream();
    const at = await engine(...(far === undefined ? CHILD_ARGS : ['--app-server', far.url]));
    const eager = await at.connect('eager');
    await eager.client.request('test/deaf');
    void eager.offer();
    await until(async () => (await at.row('eager'))?.held === true, 'the eager one to be held', 20_000);
    eager.client.ws.terminate();
    await until(async () => (await at.rows()).length === 0, 'the end of its connection', 10_000);
    if (far === undefined) await until(() => !lives(eager.pid), 'the end of its child', 10_000);
    else {
      for (const ws of far.deaf) ws.resume();
      await until(() => far.sockets.size === 0, 'the end of its upstream socket', 10_000);
    }
    await at.stop();
  });
});

describe.each(['a child', 'an upstream socket'])('a client that reads nothing', (kind) => {
  it(`WSA-18: holds back only its own app server (${kind}); afterwards all arrives, in order`, {
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
      'it to be slow',
      20_000,
    );
    expect(await other.asked()).toBeLessThan(2_000);
    expect((await at.row('other'))?.state).toBe('initialized');
    expect(slow.drops).toBeLessThan(MESSAGES);
    slow.client.ws.resume();
    await until(() => slow.drops === MESSAGES, 'everything', 30_000);
    console.info(`${kind}: grew by ${Math.round(memory.end() / MIB)} MiB at most`);
    expect(memory.grown).toBeLessThan(MOST);
    await at.stop();
  });
});

describe('over stdio', () => {
  it('WSA-30: nothing is read from stdin while the app server takes nothing; afterwards all arrives', {
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
    await until(held, 'stdin to be held', 10_000);
    expect(stdin.writableLength).toBeGreaterThan(30 * MIB);
    process.kill(pid, 'SIGUSR2');
    expect((await client.call('test/ping')).result).toEqual({ count: 50 });
    client.close();
    expect((await run.exited).code).toBe(0);
  });
});

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
