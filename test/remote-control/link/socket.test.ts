import { once } from 'node:events';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { createDialer } from '../../../src/net/dialer.js';
import { Secret } from '../../../src/protocol/secret.js';
import { dialBackendSocket } from '../../../src/remote-control/link/dial.js';
import type { BackendSocket, SocketEnd } from '../../../src/remote-control/link/socket.js';
import { httpServer } from '../../support/http.js';

/** Both ends of a link, and the stream below the far one. */
async function link(prepare: (peer: WebSocket) => void = () => {}) {
  const accepts = new WebSocketServer({ noServer: true });
  const server = await httpServer((response) => response.end());
  const far = new Promise<{ peer: WebSocket; stream: Socket }>((resolve) => {
    server.server.once('upgrade', (request, stream: Socket) => {
      accepts.handleUpgrade(request, stream, Buffer.alloc(0), (peer) => {
        prepare(peer);
        resolve({ peer, stream });
      });
    });
  });
  const result = await dialBackendSocket(
    {
      url: `ws://127.0.0.1:${server.port}/`,
      enrollment: { serverId: 'srv_1' },
      serverName: 'host',
      token: { secret: new Secret('rct-1'), expiresAt: 0 },
      installationId: 'inst-1',
      cursor: undefined,
      dialer: createDialer({ env: {} }),
      timing: { handshakeTimeout: 5_000 },
      env: { now: Date.now },
    },
    new AbortController().signal,
  );
  if (result.kind !== 'open') throw new Error(result.failure.message);
  return { socket: result.socket, server, ...(await far) };
}

const endOf = (socket: BackendSocket): Promise<SocketEnd> =>
  new Promise((resolve) => socket.onClose(resolve));

function collect(socket: BackendSocket, count: number): Promise<string[]> {
  return new Promise((resolve) => {
    const texts: string[] = [];
    socket.onFrame((frame) => {
      texts.push(frame.toString());
      if (texts.length === count) resolve(texts);
    });
  });
}

describe('BackendSocket', () => {
  it('RC-17: frames that arrive before there is a listener are not lost', async () => {
    const { socket } = await link((peer) => {
      for (let n = 0; n < 500; n += 1) peer.send(`early ${n}`);
    });
    await new Promise((resolve) => setImmediate(resolve));
    const texts = await collect(socket, 500);
    expect(texts[0]).toBe('early 0');
    expect(texts[499]).toBe('early 499');
    socket.terminate();
  });

  it('RC-40: gives text frames as bytes, and of binary frames only the size', async () => {
    const { socket, peer } = await link();
    const seen: unknown[] = [];
    const done = new Promise<void>((resolve) => {
      socket.onBinary((bytes) => seen.push(['binary', bytes]));
      socket.onFrame((frame) => {
        seen.push([frame.toString(), frame.length]);
        if (frame.toString() === 'last') resolve();
      });
    });
    peer.send('ä€😀');
    peer.send(Buffer.from([1, 2, 3]));
    peer.send('last');
    await done;
    expect(seen).toEqual([
      ['ä€😀', 9],
      ['binary', 3],
      ['last', 4],
    ]);
    socket.terminate();
  });

  it('RC-41: pings, reports pongs, and answers the pings of the backend', async () => {
    const { socket, peer } = await link();
    socket.onFrame(() => {});
    const pong = new Promise<void>((resolve) => socket.onPong(resolve));
    socket.ping();
    await pong;
    peer.ping();
    await once(peer, 'pong');
    socket.terminate();
  });

  it('RC-41: compression is not offered', async () => {
    const { socket, peer } = await link();
    expect(peer.extensions).toBe('');
    socket.terminate();
  });

  it('RC-36: frames arrive in the order in which they were sent, and those of one turn together', async () => {
    const { socket, peer, stream } = await link();
    socket.onFrame(() => {});
    let pieces = 0;
    stream.on('data', () => {
      pieces += 1;
    });
    const texts: string[] = [];
    const done = new Promise<void>((resolve) => {
      peer.on('message', (data) => {
        texts.push(data.toString());
        if (texts.length === 101) resolve();
      });
    });
    for (let n = 0; n < 100; n += 1) socket.send(`frame ${n}`);
    expect(socket.bufferedAmount).toBeGreaterThan(1_000);
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(socket.bufferedAmount).toBe(0);
    socket.send('last');
    await done;
    expect(texts.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, n) => `frame ${n}`));
    expect(pieces).toBeLessThanOrEqual(3);
    socket.terminate();
  });

  it('RC-58: of a backend that sends frames and does not read the answers, no more is read until it does', {
    timeout: 60_000,
  }, async () => {
    const { socket, peer, stream } = await link();
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    let received = 0;
    let most = 0;
    socket.onFrame(() => {
      received += 1;
      socket.send(received > 60 * 5_000 ? 'the end' : 'x'.repeat(1_000));
      most = Math.max(most, socket.bufferedAmount);
    });
    peer.pause();
    const frame = Buffer.concat([Buffer.from([0x81, 125]), Buffer.alloc(125, 'y')]);
    const block = Buffer.concat(Array<Buffer>(5_000).fill(frame));
    for (let n = 0; n < 60; n += 1) stream.write(block);
    // Held: nothing changes for many turns of the event loop.
    let unchanged = 0;
    let last = -1;
    while (unchanged < 200) {
      await turn();
      const now = socket.bufferedAmount + received + stream.writableLength;
      unchanged = now === last && socket.bufferedAmount > 0 ? unchanged + 1 : 0;
      last = now;
      most = Math.max(most, socket.bufferedAmount);
    }
    expect(most).toBeGreaterThan(15 * 1024 * 1024);
    expect(most).toBeLessThan(24 * 1024 * 1024);

    const afterAll = new Promise<void>((resolve) => {
      peer.on('message', (data) => {
        if (data.toString() === 'the end') resolve();
      });
    });
    peer.resume();
    peer.send('end');
    await afterAll;
    expect(received).toBe(60 * 5_000 + 1);
    socket.terminate();
  });

  it('RC-36: reports when there is room again', async () => {
    const { socket, stream } = await link();
    socket.onFrame(() => {});
    stream.pause();
    let drained = false;
    const drain = new Promise<void>((resolve) =>
      socket.onDrain(() => {
        drained = true;
        resolve();
      }),
    );
    const big = 'x'.repeat(150 * 1024);
    while (socket.bufferedAmount < 16 * 1024 * 1024) socket.send(big);
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(drained).toBe(false);
    expect(socket.bufferedAmount).toBeGreaterThan(4 * 1024 * 1024);
    stream.resume();
    await drain;
    expect(socket.bufferedAmount).toBe(0);
    socket.terminate();
  });

  it('RC-39: accepts a message far larger than a chunk', async () => {
    const { socket, peer } = await link();
    const texts = collect(socket, 1);
    peer.send('y'.repeat(20 * 1024 * 1024));
    expect((await texts)[0]?.length).toBe(20 * 1024 * 1024);
    socket.terminate();
  });

  it('RC-25: a close frame of the backend is a clean end with code and reason', async () => {
    const { socket, peer, server } = await link();
    socket.onFrame(() => {});
    const end = endOf(socket);
    peer.close(4001, 'moved to Bearer abc123');
    expect(await end).toEqual({
      code: 4001,
      reason: 'moved to Bearer <redacted>',
      clean: true,
      fault: null,
      error: undefined,
    });
    await server.idle();
  });

  it('RC-25: a lost connection is an end that is not clean', async () => {
    const { socket, stream, server } = await link();
    socket.onFrame(() => {});
    const end = endOf(socket);
    stream.resetAndDestroy();
    expect(await end).toMatchObject({ code: 1006, clean: false });
    await server.idle();
  });

  it('RC-40: text that is not UTF-8 ends the link, and the error says so', async () => {
    const { socket, stream } = await link();
    let frames = 0;
    socket.onFrame(() => {
      frames += 1;
    });
    const end = endOf(socket);
    stream.write(Buffer.from([0x81, 0x02, 0xc3, 0x28]));
    expect((await end).error).toMatch(/UTF-8/);
    expect(frames).toBe(0);
  });

  it('RC-40: a frame whose header announces more than 64 MiB ends the link before it is buffered', async () => {
    const { socket, stream } = await link();
    socket.onFrame(() => {});
    const end = endOf(socket);
    stream.write(Buffer.from([0x81, 0x7f, 0, 0, 0, 0, 0x05, 0, 0, 0]));
    expect((await end).error).toMatch(/payload/i);
  });

  it('RC-25: an end before there is a listener is reported to the first listener', async () => {
    const { socket, server } = await link();
    socket.terminate();
    await server.idle();
    expect(await endOf(socket)).toMatchObject({ code: 1006, clean: false });
    await socket.close(1000, 1_000);
  });

  it('RC-46: close sends the code and resolves when the socket is closed', async () => {
    const { socket, peer, server } = await link();
    socket.onFrame(() => {});
    const received = once(peer, 'close');
    socket.send('before the end');
    const message = once(peer, 'message');
    await Promise.all([socket.close(1000, 2_000), socket.close(1000, 2_000)]);
    expect((await message)[0]?.toString()).toBe('before the end');
    expect((await received)[0]).toBe(1000);
    await server.idle();
  });

  it('RC-43: the connection is ended at the limit when the backend does not answer the close frame', async () => {
    const { socket, stream, server } = await link();
    socket.onFrame(() => {});
    stream.removeAllListeners('data');
    stream.pause();
    const started = performance.now();
    await socket.close(1000, 100);
    const took = performance.now() - started;
    expect(took).toBeGreaterThanOrEqual(95);
    expect(took).toBeLessThan(1_000);
    stream.resume();
    await server.idle();
  });

  it('RC-43: an open socket without an owner can be closed, too', async () => {
    const { socket, peer, server } = await link((far) => far.send('unread'));
    const received = once(peer, 'close');
    await socket.close(1000, 2_000);
    expect((await received)[0]).toBe(1000);
    await server.idle();
  });

  it('RC-36: frames for a closing or closed socket are dropped silently', async () => {
    const { socket, server } = await link();
    socket.onFrame(() => {});
    const closing = socket.close(1000, 1_000);
    socket.send('late');
    socket.ping();
    await closing;
    socket.send('later');
    socket.ping();
    socket.terminate();
    await server.idle();
  });

  it('RC-46: a close leaves no timer running', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((what) => what === 'Timeout').length;
    const { socket, server } = await link();
    socket.onFrame(() => {});
    const before = timers();
    await socket.close(1000, 30_000);
    await server.idle();
    expect(timers()).toBeLessThanOrEqual(before);
  });
});
