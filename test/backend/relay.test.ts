import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, createBackend } from '../../src/backend/index.js';
import type { ClaimedController } from '../../src/controller/claim.js';
import type { Controller } from '../../src/controller/controller.js';
import { ChunkAssembler } from '../../src/protocol/chunks.js';
import { MAX_FRAME_BYTES } from '../../src/protocol/frames.js';
import { OutboundStream } from '../../src/protocol/outbound.js';
import {
  connectController,
  controlUrl,
  dial,
  type Enrolled,
  ended,
  enroll,
  event,
  type Frame,
  pair,
  ServerPeer,
  until,
} from './peers.js';

let backend: Backend;
let identity: Enrolled;
let claimed: ClaimedController;
beforeEach(async () => {
  backend = await createBackend({
    timing: { offlineHold: 150, reconnectHold: 400, proof: 20, streamPing: 50 },
  });
  identity = await enroll(backend);
  claimed = await pair(backend, identity);
});
afterEach(() => backend.close());

const openServer = (cursor?: string) =>
  ServerPeer.open(backend, identity, cursor === undefined ? {} : { 'x-codex-subscribe-cursor': cursor });
const open = () => connectController(backend, claimed);

/** A bare socket of the controller, for looking at texts. */
async function openRaw(target = backend, token = claimed.token.reveal()): Promise<WebSocket> {
  const socket = await dial(controlUrl(target, 'client'), { authorization: `Bearer ${token}` });
  if (!(socket instanceof WebSocket)) throw new Error(`refused: ${socket.status}`);
  return socket;
}
const textFrom = (socket: WebSocket) =>
  new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));
const closing = (socket: WebSocket) =>
  new Promise<[number, string]>((resolve) =>
    socket.once('close', (code, reason) => resolve([code, reason.toString()])),
  );

/** Opens the stream as an app server would, and gives the request that opened it. */
async function initialize(server: ServerPeer, controller: Controller) {
  const answered = controller.request('initialize', { clientInfo: { name: 'test' } });
  const request = await server.request('initialize');
  server.answer(request, 1);
  await answered;
  return request;
}

describe('from controller to server', () => {
  it('RC-30, RC-32: each message is a frame of one virtual client, with rising seq ids and cursors', async () => {
    const server = await openServer();
    const controller = await open();
    controller.notify('one');
    controller.notify('two');
    const one = await server.request('one');
    const two = await server.request('two');
    expect(one).toMatchObject({ client_id: claimed.clientId, seq_id: 1, message: { method: 'one' } });
    expect(two).toMatchObject({ client_id: claimed.clientId, stream_id: one.stream_id, seq_id: 2 });
    expect(one.cursor).not.toBe(two.cursor);
    expect(one.stream_id).toMatch(/^[0-9a-f-]{36}$/);

    const second = await open();
    second.notify('three');
    const three = await server.request('three');
    expect(three).toMatchObject({ client_id: claimed.clientId, seq_id: 1 });
    expect(three.stream_id).not.toBe(one.stream_id);
  });

  it('design 2.7: carries the text of a message untouched', async () => {
    const server = await openServer();
    const socket = await openRaw();
    const text = '{ "id" : 12345678901234567890, "method":"big",\n "params":{"z":1.0,"a":[]} }';
    socket.send(text);
    expect((await server.request('big')).raw).toContain(`"message":${text},`);
  });

  it('tells the controller itself what is no message', async () => {
    await openServer();
    const socket = await openRaw();
    for (const [text, code] of [
      ['no json', -32700],
      ['[1]', -32600],
    ] as const) {
      const answer = textFrom(socket);
      socket.send(text);
      expect(JSON.parse(await answer)).toMatchObject({ id: null, error: { code } });
    }
    const closed = closing(socket);
    socket.send(Buffer.from([1]));
    expect((await closed)[0]).toBe(1003);
  });

  it('RC-39: cuts what is over the frame limit into chunks', async () => {
    const server = await openServer();
    const controller = await open();
    const pad = 'é'.repeat(300_000);
    controller.notify('before');
    controller.notify('large', { pad });
    controller.notify('after');
    await server.request('after');
    const chunks = server.frames.filter((frame) => frame.type === 'client_message_chunk');
    const assembler = new ChunkAssembler();
    const results = chunks.map((frame) =>
      assembler.feed(
        frame.stream_id,
        frame.seq_id,
        {
          segmentId: frame.segment_id,
          segmentCount: frame.segment_count,
          messageSizeBytes: frame.message_size_bytes,
          chunkBase64: frame.message_chunk_base64,
        },
        Buffer.byteLength(frame.raw),
      ),
    );
    const last = results.at(-1);
    expect(last?.kind === 'complete' && JSON.parse(last.text)).toEqual({ method: 'large', params: { pad } });
    expect(chunks.every((frame) => Buffer.byteLength(frame.raw) <= MAX_FRAME_BYTES)).toBe(true);
    expect(new Set(chunks.map((frame) => frame.seq_id))).toEqual(new Set([2]));
  });

  it('RC-34: pings each virtual client, so that it is not taken for idle', async () => {
    const server = await openServer();
    const controller = await open();
    controller.notify('hello');
    const { stream_id: streamId } = await server.request('hello');
    await server.frame((frame) => frame.type === 'ping' && frame.stream_id === streamId, 'ping');
  });

  it('RC-34: says client_closed when the controller leaves, after what it sent last', async () => {
    const server = await openServer();
    const controller = await open();
    controller.notify('last words');
    await controller.close();
    const farewell = await server.frame((frame) => frame.type === 'client_closed', 'client_closed');
    const { stream_id: streamId } = await server.request('last words');
    expect(farewell).toMatchObject({ client_id: claimed.clientId, stream_id: streamId });
    expect(server.frames.map((frame) => frame.type).filter((type) => type !== 'ping')).toEqual([
      'client_message',
      'client_closed',
    ]);
  });
});

describe('from server to controller', () => {
  it('carries an answer untouched, and acknowledges it once it is delivered', async () => {
    const server = await openServer();
    const socket = await openRaw();
    const answer = textFrom(socket);
    socket.send('{"id":7,"method":"initialize"}');
    const request = await server.request('initialize');
    server.answer(request, 1, '{ "n":12345678901234567890 }');
    expect(await answer).toBe('{"id":7,"result":{ "n":12345678901234567890 }}');
    const ack = await server.frame((frame) => frame.type === 'ack', 'ack');
    expect(ack).toMatchObject({ client_id: request.client_id, stream_id: request.stream_id, seq_id: 1 });
  });

  it('RC-36: acknowledges what it had before without delivering it again', async () => {
    const server = await openServer();
    const controller = await open();
    const seen: string[] = [];
    controller.onNotification((method) => seen.push(method));
    const request = await initialize(server, controller);
    const notify = (seqId: number, method: string): void =>
      server.send({
        type: 'server_message',
        message: { method },
        client_id: request.client_id,
        stream_id: request.stream_id,
        seq_id: seqId,
      });
    notify(2, 'two');
    notify(2, 'two');
    notify(1, 'one');
    notify(3, 'three');
    await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 3, 'ack of 3');
    await until(
      () => (seen.includes('three') ? true : undefined),
      (changed) => controller.onNotification(changed),
      'three',
    );
    expect(seen).toEqual(['two', 'three']);
  });

  it('RC-36, RC-38: puts chunks together, also when the link broke in between and they are sent again', async () => {
    const first = await openServer();
    const controller = await open();
    const request = await initialize(first, controller);
    const outbound = new OutboundStream(request.client_id, request.stream_id, { firstSeqId: 2 });
    const note = new Promise((resolve) => controller.onNotification((_method, params) => resolve(params)));
    const frames = outbound.send(JSON.stringify({ method: 'large', params: 'é'.repeat(400_000) }));
    if (typeof frames === 'string') throw new Error(frames);
    const all = [...frames];
    while (outbound.hasMore) all.push(...outbound.more());
    expect(all.length).toBeGreaterThan(5);
    for (const frame of all.slice(0, 4)) first.socket.send(String(frame));
    await first.close();
    const second = await openServer(request.cursor);
    for (const frame of outbound.replay()) second.socket.send(String(frame));
    expect(await note).toBe('é'.repeat(400_000));
    await second.frame((frame) => frame.type === 'ack' && frame.seq_id === 2, 'ack');
  });

  it('RC-36: acknowledges frames of controllers that are gone, so that the server need not keep them', async () => {
    const server = await openServer();
    const controller = await open();
    const request = await initialize(server, controller);
    await controller.close();
    await server.frame((frame) => frame.type === 'client_closed', 'client_closed');
    server.answer(request, 9);
    const ack = await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 9, 'ack');
    expect(ack.stream_id).toBe(request.stream_id);
  });

  it('RC-33: takes pongs for itself; one that says unknown ends a connection that had been open', async () => {
    const server = await openServer();
    const controller = await open();
    const why = ended(controller);
    const request = await initialize(server, controller);
    const pong = (seqId: number, status: string): void =>
      server.send({
        type: 'pong',
        status,
        client_id: request.client_id,
        stream_id: request.stream_id,
        seq_id: seqId,
      });
    pong(2, 'active');
    await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 2, 'ack of the pong');
    pong(3, 'unknown');
    expect(await why).toBe('appServerClosed');
  });

  it('RC-36: acknowledges nothing that a slow controller has not taken, pongs behind it included', async () => {
    const server = await openServer();
    const slow = await openRaw();
    slow.send('{"id":1,"method":"slow"}');
    const { client_id, stream_id } = await server.request('slow');
    slow.pause();
    const message = { method: 'bulk', params: 'x'.repeat(140_000) };
    const last = 120;
    for (let seqId = 1; seqId < last; seqId += 1) {
      server.send({ type: 'server_message', message, client_id, stream_id, seq_id: seqId });
    }
    server.send({ type: 'pong', status: 'active', client_id, stream_id, seq_id: last });
    // Another controller's ack shows that all of this has been seen.
    const quick = await open();
    const answer = quick.request('quick');
    const request = await server.request('quick');
    server.answer(request, 1);
    await answer;
    const isAck = (stream: string) => (frame: Frame) => frame.type === 'ack' && frame.stream_id === stream;
    await server.frame(isAck(request.stream_id), 'ack of the quick one');
    const acked = server.frames.filter(isAck(stream_id)).map((frame) => frame.seq_id);
    expect(Math.max(0, ...acked)).toBeLessThan(last - 1);
    slow.resume();
    await server.frame((frame) => isAck(stream_id)(frame) && frame.seq_id === last, 'ack of the pong');
  });

  it('RC-39: a message whose chunks are wrong is reported and acknowledged, and harms nothing else', async () => {
    const server = await openServer();
    const controller = await open();
    const { client_id, stream_id } = await initialize(server, controller);
    const chunk = {
      type: 'server_message_chunk',
      client_id,
      stream_id,
      segment_count: 2,
      message_size_bytes: 9,
    };
    server.send({ ...chunk, seq_id: 2, segment_id: 1, message_chunk_base64: 'AAAA' });
    await event(backend, 'messageLost', { why: 'outOfOrder' });
    await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 2, 'ack');
    const next = controller.request('next');
    server.answer(await server.request('next'), 3, '"fine"');
    expect(await next).toBe('fine');
  });
});

describe('when the server comes and goes', () => {
  it('holds what a controller sends until the server is there', async () => {
    const controller = await open();
    const answer = controller.request('early');
    const server = await openServer();
    server.answer(await server.request('early'), 1, '"on time"');
    expect(await answer).toBe('on time');
  });

  it('tells the controller that the environment is offline when nobody comes', async () => {
    const controller = await open();
    const failed = controller.request('anyone').catch((error: { code: string }) => error.code);
    expect(await ended(controller)).toBe('environmentOffline');
    expect(await failed).toBe('environmentOffline');
    const raw = await openRaw();
    expect(await closing(raw)).toEqual([4404, 'environment offline']);
  });

  it('RC-37: after a reconnect sends what comes after the cursor, and nothing before it', async () => {
    const first = await openServer();
    const controller = await open();
    const request = await initialize(first, controller);
    controller.notify('taken');
    const taken = await first.request('taken');
    await first.close();
    controller.notify('while away');
    const second = await openServer(taken.cursor);
    const missed = await second.request('while away');
    expect(missed).toMatchObject({ stream_id: request.stream_id, seq_id: 3 });
    expect(second.frames.filter((frame) => frame.type === 'client_message')).toHaveLength(1);
  });

  it('RC-37: sends again what was on its way when the link broke', async () => {
    const slow = await createBackend({ timing: { proof: 60_000 } });
    try {
      const own = await enroll(slow);
      const controller = await connectController(slow, await pair(slow, own));
      const first = await ServerPeer.open(slow, own);
      const request = await initialize(first, controller);
      for (const method of ['a', 'b', 'c']) controller.notify(method);
      await first.request('c');
      first.socket.terminate();
      await event(slow, 'socketClosed', { side: 'server' });
      // The server says that it had delivered nothing after initialize.
      const second = await ServerPeer.open(slow, own, { 'x-codex-subscribe-cursor': request.cursor });
      await second.request('c');
      expect(
        second.frames.filter((frame) => frame.type === 'client_message').map((frame) => frame.seq_id),
      ).toEqual([2, 3, 4]);
    } finally {
      await slow.close();
    }
  });

  it('RC-37: keeps nothing that the server has proved to have read', async () => {
    const first = await openServer();
    const controller = await open();
    const request = await initialize(first, controller);
    const asked = new Promise<void>((resolve) => first.socket.on('ping', () => resolve()));
    controller.notify('read');
    await first.request('read');
    await asked;
    // The pong was sent before this close, so the backend sees it first.
    await first.close();
    const second = await openServer(request.cursor);
    controller.notify('next');
    await second.request('next');
    expect(second.frames.map((frame) => frame.message?.method).filter(Boolean)).toEqual(['next']);
  });

  it('a server without a cursor has lost its memory: what it had opened is over, and nothing is repeated to it', async () => {
    const first = await openServer();
    const controller = await open();
    await initialize(first, controller);
    const why = ended(controller);
    await first.close();
    const second = await openServer();
    expect(await why).toBe('appServerClosed');
    const fresh = await open();
    fresh.notify('fresh');
    await second.request('fresh');
    expect(second.frames.filter((frame) => frame.type === 'client_message')).toHaveLength(1);
  });

  it('gives up on a server that stays away', async () => {
    const server = await openServer();
    const controller = await open();
    await initialize(server, controller);
    const why = ended(controller);
    await server.close();
    expect(await why).toBe('environmentOffline');
  });

  it('RC-34: tells a server that comes back which controllers have left', async () => {
    const first = await openServer();
    const controller = await open();
    const request = await initialize(first, controller);
    await first.close();
    await event(backend, 'socketClosed', { side: 'server' });
    await controller.close();
    await event(backend, 'streamClosed', { streamId: request.stream_id });
    const second = await openServer(request.cursor);
    const farewell = await second.frame((frame) => frame.type === 'client_closed', 'client_closed');
    expect(farewell.stream_id).toBe(request.stream_id);
  });
});

describe('bounds', () => {
  it('closes a controller with 1013 when too much waits for the server', async () => {
    const patient = await createBackend();
    const own = await enroll(patient);
    const { token } = await pair(patient, own);
    const socket = await openRaw(patient, token.reveal());
    const closed = closing(socket);
    const text = JSON.stringify({ method: 'flood', params: 'x'.repeat(20 * 1024 * 1024) });
    for (let n = 0; n < 5; n += 1) socket.send(text);
    expect((await closed)[0]).toBe(1013);
    await patient.close();
  });

  it('RC-39: closes a controller that sends more than any message may hold', async () => {
    await openServer();
    const socket = await openRaw();
    const closed = closing(socket);
    socket.send('x'.repeat(100 * 1024 * 1024 + 1));
    expect((await closed)[0]).toBe(1009);
  });

  it('serves at most sixteen sockets of one controller', async () => {
    await openServer();
    const sockets = await Promise.all(Array.from({ length: 16 }, () => openRaw()));
    await expect(openRaw()).rejects.toThrow('refused: 429');
    sockets[0]?.terminate();
    await event(backend, 'socketClosed', { side: 'controller' });
    await openRaw();
  });
});
