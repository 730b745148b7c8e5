/** Nobody gets an app server, or keeps a connection, without `initialize`; and strangers cannot take all of them. */
import net from 'node:net';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../../src/protocol/app-server.js';
import { RPC, resultText } from '../../src/protocol/jsonrpc.js';
import { Message } from '../../src/protocol/message.js';
import type { StdioStreams } from '../../src/session/stdio.js';
import { Client, connect, listening, until } from '../listener/rig.js';
import { tmpFolder } from '../support/tmp.js';

/** Answers each request with its method. Ends a connection when `release` is called, as a child process would. */
class SlowEndingAppServer implements AppServer {
  readonly name = 'slow to end';
  readonly clients: string[] = [];
  readonly seen: string[] = [];
  release: () => void = () => {};
  readonly #released = new Promise<void>((resolve) => {
    this.release = resolve;
  });

  async open(events: AppServerEvents, client: ClientContext): Promise<AppServerConnection> {
    this.clients.push(client.connectionId);
    await new Promise((resolve) => setTimeout(resolve, 20));
    return {
      send: ({ shape }) => {
        if (shape.kind === 'request' || shape.kind === 'notification') this.seen.push(shape.method);
        if (shape.kind === 'request') {
          events.onMessage(Message.from(resultText(shape.id, { reached: shape.method })));
        }
        return true;
      },
      pause: () => {},
      resume: () => {},
      close: () => {},
      ended: this.#released,
    };
  }

  async close(): Promise<void> {}
}

const overloaded = { code: RPC.overloaded, message: expect.stringContaining('without a valid token') };

describe('an app server', () => {
  it('WSA-35: is opened by the first valid initialize, and what follows at once arrives in order', async () => {
    const appServer = new SlowEndingAppServer();
    const at = await listening({ appServer });
    const client = await connect(at);
    expect(await client.request('thread/list')).toMatchObject({ error: { message: 'Not initialized' } });
    expect(await client.request('initialize', { clientInfo: 1 })).toMatchObject({ error: { code: -32600 } });
    expect(appServer.clients).toEqual([]);
    client.send({ id: 'a', method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    client.send({ method: 'initialized' });
    client.send({ id: 'b', method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    client.send({ id: 'c', method: 'thread/list' });
    await client.until(() => client.messages.some(({ id }) => id === 'c'), 'all responses');
    // The second one is refused at once, while the first has no response. RC-83
    expect(client.messages.filter(({ id }) => typeof id === 'string')).toMatchObject([
      { id: 'b', error: { code: -32600 } },
      { id: 'a', result: { reached: 'initialize' } },
      { id: 'c', result: { reached: 'thread/list' } },
    ]);
    expect(appServer.seen).toEqual(['initialize', 'initialized', 'thread/list']);
    expect(appServer.clients).toHaveLength(1);
  });

  it('WSA-37: degraded clients have 32 together, until one has ended; a client with the token is served', async () => {
    const appServer = new SlowEndingAppServer();
    const at = await listening({ appServer, authority: { mode: 'queryToken', enforced: false } });
    const strangers = await Promise.all(Array.from({ length: 40 }, () => Client.open(at.info.url)));
    const answers = await Promise.all(strangers.map((one) => one.initialize()));
    expect(answers.filter(({ result }) => result !== undefined)).toHaveLength(32);
    for (const { error } of answers.filter((one) => 'error' in one)) expect(error).toMatchObject(overloaded);
    const owner = await connect(at);
    expect(await owner.initialize()).toHaveProperty('result');

    const served = strangers.find((_, index) => answers[index]?.result !== undefined);
    const refused = strangers.find((_, index) => answers[index]?.error !== undefined);
    served?.ws.close();
    await served?.closed;
    expect((await refused?.initialize())?.error).toMatchObject(overloaded);
    expect(appServer.clients).toHaveLength(33);
    appServer.release();
    await until(async () => (await refused?.initialize())?.result !== undefined, 'a free place');
    expect(await owner.request('thread/list')).toHaveProperty('result');
  });
});

describe('a client that does not initialize', () => {
  const timing = { initializeTimeout: 300 };

  it('WSA-36: is closed with 1008 and the reason, whatever else it sends; others stay', async () => {
    const appServer = new SlowEndingAppServer();
    const at = await listening({ timing, appServer });
    const bystander = await connect(at);
    await bystander.initialize();
    const silent = await connect(at);
    const busy = await connect(at);
    const sending = setInterval(() => busy.send({ id: 1, method: 'initialize', params: {} }), 50);
    const closed = { code: 1008, reason: 'no valid initialize within 0.3 s' };
    expect(await Promise.all([silent.closed, busy.closed])).toEqual([closed, closed]);
    clearInterval(sending);
    expect(await bystander.request('thread/list')).toHaveProperty('result');
    expect(appServer.clients).toHaveLength(1);
  });

  it('WSA-36: is closed on the control socket too', async () => {
    const home = await tmpFolder();
    await listening({ home, timing });
    const socket = net.connect({ path: path.join(home, 'control.sock'), allowHalfOpen: true });
    socket.resume();
    await new Promise((resolve) => socket.once('end', resolve));
    socket.destroy();
  });

  it('WSA-36: may take its time over stdio', async () => {
    const streams = { input: new PassThrough(), output: new PassThrough() } satisfies StdioStreams;
    const { createEngine } = await import('../../src/engine/engine.js');
    const engine = createEngine({
      ...{ home: await tmpFolder(), listen: 'stdio://', remoteControl: 'off', stdio: streams },
      timing: { initializeTimeout: 30 },
    });
    await engine.start();
    await new Promise((resolve) => setTimeout(resolve, 150));
    const answered = new Promise((resolve) => streams.output.once('data', resolve));
    const params = { clientInfo: { name: 'x', version: '1' } };
    streams.input.write(`${JSON.stringify({ id: 1, method: 'initialize', params })}\n`);
    expect(String(await answered)).toContain('"result"');
    await engine.stop();
  });
});
