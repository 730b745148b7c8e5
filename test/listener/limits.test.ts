import { once } from 'node:events';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { tmpFolder } from '../support/tmp.js';
import {
  bearer,
  CAPABILITY,
  Client,
  capability,
  connect,
  listening,
  raw,
  until,
  upgrade,
  upgradeText,
} from './rig.js';

const MIB = 1024 * 1024;

/** A connection that sends `text` and then nothing; `ended` resolves with the response when the server has ended it. */
function silent(port: number, text = ''): { socket: net.Socket; ended: Promise<string> } {
  const socket = net.connect(port, '127.0.0.1');
  let got = '';
  const ended = new Promise<string>((resolve) => {
    socket.on('data', (data) => {
      got += data.toString('latin1');
    });
    socket.on('end', () => resolve(got));
    socket.on('close', () => resolve(got));
    socket.on('error', () => {});
  });
  socket.on('connect', () => socket.write(text));
  return { socket, ended };
}

describe('a listener full of degraded connections', () => {
  const unchecked = { authority: { mode: 'queryToken', enforced: false } } as const;

  /** Upgraded connections that send nothing more and read nothing. */
  async function fillWithSilent(connect: () => net.Socket, count: number): Promise<net.Socket[]> {
    return Promise.all(
      Array.from({ length: count }, async () => {
        const socket = connect();
        socket.on('error', () => {});
        socket.write(upgradeText());
        const [response] = await once(socket, 'data');
        expect(String(response)).toContain('101');
        socket.pause();
        return socket;
      }),
    );
  }

  it('WSA-61: 1,000 silent ones do not keep a client with the token out; it gets the place of the oldest', async () => {
    const at = await listening({ ...unchecked, maxConnections: 1_000 });
    const silentOnes = await fillWithSilent(() => net.connect(at.port, '127.0.0.1'), 1_000);
    try {
      expect((await upgrade(at)).status).toBe(503);
      expect((await upgrade(at, { path: '/?token=wrong' })).status).toBe(503);
      for (let n = 0; n < 3; n += 1) {
        const owner = await connect(at);
        expect((await owner.initialize()).result).toBeTypeOf('object');
      }
      expect(at.log.filter(({ message }) => message.includes('its place is needed'))).toHaveLength(3);
      let reasons = 0;
      for (const socket of silentOnes) {
        socket.on('data', (data) => {
          if (data.toString('latin1').includes('with the token needed the place')) reasons += 1;
        });
        socket.resume();
      }
      await until(() => reasons === 3, 'the reason in the close frame of three');
    } finally {
      for (const socket of silentOnes) socket.destroy();
    }
  });

  it('WSA-61: silent connections go before those that have initialized; established ones never', async () => {
    const at = await listening({ ...unchecked, maxConnections: 3 });
    const first = await connect(at);
    const used = await Client.open(at.info.url);
    await used.initialize();
    const silentOne = await Client.open(at.info.url);
    const second = await connect(at);
    expect((await silentOne.closed).code).toBe(1013);
    const third = await connect(at);
    expect((await used.closed).code).toBe(1013);
    expect((await upgrade(at, { path: `/?token=${at.token}` })).status).toBe(503);
    for (const one of [first, second, third]) expect((await one.initialize()).result).toBeTypeOf('object');
  });

  it('WSA-61: the same holds for a unix socket', async () => {
    const path = join(await tmpFolder(), 'l.sock');
    const at = await listening({ ...unchecked, listen: `unix://${path}`, maxConnections: 20 });
    const silentOnes = await fillWithSilent(() => net.connect(path), 20);
    try {
      expect((await raw(path, upgradeText())).status).toBe(503);
      const owner = await Client.open(`ws+unix://${path}:/?token=${at.token}`);
      expect((await owner.initialize()).result).toBeTypeOf('object');
    } finally {
      for (const socket of silentOnes) socket.destroy();
    }
  });
});

describe('handshakes', () => {
  it('WSA-16: a slow client and a silent one are rejected in time, each with one log line', async () => {
    const at = await listening({ timing: { upgradeTimeout: 1_000 } });
    const began = performance.now();
    const mute = silent(at.port);
    const slow = silent(at.port, 'GET / HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => slow.socket.write('X-A: 1\r\n'), 50);
    const answers = await Promise.all([mute.ended, slow.ended]);
    clearInterval(drip);
    expect(performance.now() - began).toBeLessThan(2_000);
    for (const answer of answers) expect(answer).toMatch(/^HTTP\/1\.1 408/);
    expect(at.verdicts()).toEqual(Array(2).fill('queryToken rejected handshakeTooSlow'));
  });

  it('WSA-16: with 128 handshakes in progress one more gets 503 with Retry-After, until another ends', async () => {
    const at = await listening();
    const half = Array.from({ length: 128 }, () => silent(at.port, 'GET / HTTP/1.1\r\n'));
    await Promise.all(half.map(({ socket }) => new Promise((done) => socket.once('connect', done))));
    const refused = await upgrade(at, { path: `/?token=${at.token}` });
    expect(refused.status).toBe(503);
    expect(refused.text).toMatch(/^Retry-After: \d+\r$/m);
    expect(at.verdicts()).toEqual(['queryToken rejected tooManyHandshakes']);
    half[0]?.socket.destroy();
    const client = await connect(at);
    expect((await client.initialize()).result).toBeTypeOf('object');
    for (const { socket } of half) socket.destroy();
  });

  it('WSA-16: of 2,000 connections at once 1,024 are accepted, and the others get 503', async () => {
    const at = await listening();
    const sockets: net.Socket[] = [];
    const statuses = await Promise.all(
      Array.from(
        { length: 2_000 },
        () =>
          new Promise<string>((resolve) => {
            const socket = net.connect(at.port, '127.0.0.1', () =>
              socket.write(upgradeText({ path: `/?token=${at.token}` })),
            );
            sockets.push(socket);
            socket.once('data', (data) => resolve(data.toString('latin1', 9, 12)));
            socket.once('error', (error) => resolve(error.message));
          }),
      ),
    );
    const count = (status: string) => statuses.filter((one) => one === status).length;
    expect([count('101'), count('503')]).toEqual([1_024, 976]);
    expect(at.engine.fullStatus.connections).toHaveLength(1_024);
    for (const socket of sockets) socket.destroy();
    await until(() => at.engine.fullStatus.connections.length === 0, 'all connections to end');
    expect((await upgrade(at, { path: `/?token=${at.token}` })).status).toBe(101);
  });

  it('WSA-19: 1,000 rejections are logged in about ten lines a second with a count of the rest, and the next good client is accepted at once', async () => {
    const at = await listening({ authority: capability });
    const lane = async () => {
      for (let i = 0; i < 50; i += 1)
        expect((await upgrade(at, { headers: [bearer(`x${i}`)] })).status).toBe(401);
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: 20 }, lane));
    const seconds = (performance.now() - began) / 1_000;
    const start = performance.now();
    expect((await upgrade(at, { headers: [bearer(CAPABILITY)] })).status).toBe(101);
    expect(performance.now() - start).toBeLessThan(100);
    const rest = () =>
      at.log.reduce(
        (sum, line) => sum + ('count' in line && typeof line.count === 'number' ? line.count : 0),
        0,
      );
    const logged = () => at.verdicts().filter((one) => one.includes('rejected')).length;
    await until(() => logged() + rest() === 1_000, 'all rejections to be counted');
    expect(logged()).toBeLessThanOrEqual(10 * Math.ceil(seconds + 1));
    const { decisions, lastRejections } = at.engine.fullStatus.listener ?? {};
    expect(decisions?.find(({ reason }) => reason === 'invalidCapability')?.count).toBe(1_000);
    expect(lastRejections).toHaveLength(20);
  });
});

describe('messages', () => {
  it('WSA-17: a message of 16 MiB is accepted; one byte more closes the connection with 1009', async () => {
    const at = await listening();
    const client = await connect(at);
    await client.initialize();
    const head = '{"id":7,"method":"engine/echo","params":{"payload":"';
    const tail = '"}}';
    const text = head + 'x'.repeat(16 * MIB - head.length - tail.length) + tail;
    client.ws.send(text);
    await client.until(() => client.messages.find(({ id }) => id === 7), 'the response to 16 MiB', 15_000);
    client.ws.send(`${text} `);
    expect((await client.closed).code).toBe(1009);
    expect((await connect(at)).ws.readyState).toBe(1);
  });

  it('WSA-17: binary messages are logged and skipped', async () => {
    const at = await listening();
    const client = await connect(at);
    client.ws.send(Buffer.from('{"id":1,"method":"initialize"}'));
    await client.initialize();
    expect(client.messages.filter(({ id }) => id === 1)).toHaveLength(1);
    expect(at.log.filter(({ message }) => /binary/.test(message))).toHaveLength(1);
  });

  it('an incomplete frame delays neither other clients nor the stop', async () => {
    const at = await listening();
    const half = net.connect(at.port, '127.0.0.1');
    half.write(upgradeText({ path: `/?token=${at.token}` }));
    await new Promise((done) => half.once('data', done));
    half.write(Buffer.from([0x81, 0xfe, 0x40]));
    half.on('error', () => {});
    expect((await (await connect(at)).initialize()).result).toBeTypeOf('object');
    const began = performance.now();
    await at.engine.stop();
    expect(performance.now() - began).toBeLessThan(3_000);
    half.destroy();
  });

  it('WSA-18: nothing more is answered to a client that does not read, what waits for it stays small, and others are not delayed', async () => {
    const at = await listening();
    const slow = await connect(at);
    const quick = await connect(at);
    await slow.initialize();
    await quick.initialize();
    slow.ws.pause();
    const payload = 'x'.repeat(900 * 1024);
    for (let i = 0; i < 64; i += 1) slow.send({ id: 100 + i, method: 'engine/echo', params: { payload } });
    const held = () => at.engine.fullStatus.connections.some((connection) => connection.held);
    await until(held, 'reading from the slow client to be paused', 15_000);
    const began = performance.now();
    expect((await quick.request('engine/echo', { payload: 1 })).result).toEqual({ payload: 1 });
    expect(performance.now() - began).toBeLessThan(1_000);
    const sent = at.engine.fullStatus.connections.map(({ bytesOut }) => bytesOut);
    expect(Math.max(...sent)).toBeLessThan(32 * MIB);
    slow.ws.resume();
    await until(() => slow.messages.some(({ id }) => id === 163), 'every request to be answered', 15_000);
  });

  it('WSA-18: a client that does not read for the time limit is closed with 1013', async () => {
    const at = await listening({ timing: { sendStall: 300 } });
    const slow = await connect(at);
    await slow.initialize();
    slow.ws.pause();
    const payload = 'x'.repeat(900 * 1024);
    for (let i = 0; i < 32; i += 1) slow.send({ id: 100 + i, method: 'engine/echo', params: { payload } });
    const states = () => at.engine.fullStatus.connections.map(({ state }) => state);
    await until(() => states().includes('closing') || states().length === 0, 'closing', 8_000);
    slow.ws.resume();
    expect((await slow.closed).code).toBe(1013);
  });
});

describe('after connecting', () => {
  it('WSA-22: initialize must come first, and only once', async () => {
    const at = await listening();
    const client = await connect(at);
    expect(await client.request('engine/status/read')).toMatchObject({
      error: { message: 'Not initialized' },
    });
    await client.initialize();
    expect(await client.request('initialize', { clientInfo: { name: 'x', version: '1' } })).toMatchObject({
      error: { message: 'Already initialized' },
    });
  });

  it('WSA-20: a stop closes clients with 1012 and accepts no new ones', async () => {
    const at = await listening();
    const client = await connect(at);
    await client.initialize();
    const stopped = at.engine.stop();
    expect((await client.closed).code).toBe(1012);
    await stopped;
    expect((await raw(at.port, upgradeText())).status).toBe(0);
  });

  it('WSA-20a: by default a connection stays open when its token expires, and the log says so', async () => {
    const { jwt, signedBearer } = await import('./rig.js');
    const at = await listening({ authority: { ...signedBearer, skew: 0 } });
    const exp = Math.floor(Date.now() / 1000) + 1;
    const client = await Client.open(at.info.url, { authorization: `Bearer ${jwt({ exp })}` });
    await client.initialize();
    await until(() => Date.now() > (exp + 1) * 1_000, 'the token to expire');
    expect((await client.request('engine/echo', { payload: 1 })).result).toEqual({ payload: 1 });
    expect(
      at.log.some(({ message }) => message.includes('open connections stay open when their token expires')),
    ).toBe(true);
    await expect(Client.open(at.info.url, { authorization: `Bearer ${jwt({ exp })}` })).rejects.toThrow(
      '401',
    );
  });

  it('WSA-20a: with --close-on-token-expiry a connection is closed with 1008 when its token expires', async () => {
    const { jwt, signedBearer } = await import('./rig.js');
    const at = await listening({ authority: { ...signedBearer, skew: 0 }, closeOnTokenExpiry: true });
    const exp = Math.floor(Date.now() / 1000) + 2;
    const client = await Client.open(at.info.url, { authorization: `Bearer ${jwt({ exp })}` });
    expect((await client.closed).code).toBe(1008);
    expect(Date.now()).toBeGreaterThanOrEqual(exp * 1_000);
  });
});
