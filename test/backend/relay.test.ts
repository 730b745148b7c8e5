import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { createBackend } from '../../src/backend/index.js';
import { ChunkAssembler } from '../../src/protocol/chunks.js';
import { MAX_FRAME_BYTES } from '../../src/protocol/frames.js';
import { OutboundStream } from '../../src/protocol/outbound.js';
import { closeReason, enroll, event, type Frame, pair, until } from './peers.js';
import { closing, initialize, openControllerSocket, relayRig } from './relay-rig.js';

const rig = relayRig();
const textFrom = (socket: WebSocket) =>
  new Promise<string>((resolve) => socket.once('message', (data) => resolve(String(data))));

describe('from controller to server', () => {
  it('RC-30, RC-32: each message is a frame of one virtual client, with increasing seq ids and new cursors', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    controller.notify('one');
    controller.notify('two');
    const one = await server.request('one');
    const two = await server.request('two');
    expect(one).toMatchObject({ client_id: rig.claimed.clientId, seq_id: 1, message: { method: 'one' } });
    expect(two).toMatchObject({ client_id: rig.claimed.clientId, stream_id: one.stream_id, seq_id: 2 });
    expect(one.cursor).not.toBe(two.cursor);
    expect(one.stream_id).toMatch(/^[0-9a-f-]{36}$/);

    const second = await rig.openController();
    second.notify('three');
    const three = await server.request('three');
    expect(three).toMatchObject({ client_id: rig.claimed.clientId, seq_id: 1 });
    expect(three.stream_id).not.toBe(one.stream_id);
  });

  it('relays the text of a message unchanged', async () => {
    const server = await rig.openServer();
    const socket = await rig.openSocket();
    const text = '{ "id" : 12345678901234567890, "method":"big",\n "params":{"z":1.0,"a":[]} }';
    socket.send(text);
    expect((await server.request('big')).raw).toContain(`"message":${text},`);
  });

  it('responds to a text that is not a message with an error', async () => {
    await rig.openServer();
    const socket = await rig.openSocket();
    for (const [text, code] of [
      ['not json', -32700],
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

  it('RC-39: splits a message above the frame limit into chunks', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
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

  it('RC-34: pings each virtual client, so that the server does not close it as idle', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    controller.notify('hello');
    const { stream_id: streamId } = await server.request('hello');
    await server.frame((frame) => frame.type === 'ping' && frame.stream_id === streamId, 'ping');
  });

  it('RC-34: sends client_closed when the controller disconnects, after its last message', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    controller.notify('last');
    await controller.close();
    const closed = await server.frame((frame) => frame.type === 'client_closed', 'client_closed');
    const { stream_id: streamId } = await server.request('last');
    expect(closed).toMatchObject({ client_id: rig.claimed.clientId, stream_id: streamId });
    expect(server.frames.map((frame) => frame.type).filter((type) => type !== 'ping')).toEqual([
      'client_message',
      'client_closed',
    ]);
  });
});

describe('from server to controller', () => {
  it('relays a response unchanged, and acknowledges it once it is delivered', async () => {
    const server = await rig.openServer();
    const socket = await rig.openSocket();
    const answer = textFrom(socket);
    socket.send('{"id":7,"method":"initialize"}');
    const request = await server.request('initialize');
    server.answer(request, 1, '{ "n":12345678901234567890 }');
    expect(await answer).toBe('{"id":7,"result":{ "n":12345678901234567890 }}');
    const ack = await server.frame((frame) => frame.type === 'ack', 'ack');
    expect(ack).toMatchObject({ client_id: request.client_id, stream_id: request.stream_id, seq_id: 1 });
  });

  it('RC-36: acknowledges a repeated frame without delivering it again', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
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

  it('RC-36, RC-38: assembles chunks, also when the link breaks in between and they are sent again', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
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
    const second = await rig.openServer(request.cursor);
    for (const frame of outbound.replay()) second.socket.send(String(frame));
    expect(await note).toBe('é'.repeat(400_000));
    await second.frame((frame) => frame.type === 'ack' && frame.seq_id === 2, 'ack');
  });

  it('RC-36: acknowledges frames for controllers that have disconnected, so that the server can drop them', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    const request = await initialize(server, controller);
    await controller.close();
    await server.frame((frame) => frame.type === 'client_closed', 'client_closed');
    server.answer(request, 9);
    const ack = await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 9, 'ack');
    expect(ack.stream_id).toBe(request.stream_id);
  });

  it('RC-33: does not relay pongs; status unknown closes a virtual client that was open', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    const why = closeReason(controller);
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

  it('RC-36: does not acknowledge frames that a slow controller has not received, including pongs behind them', async () => {
    const server = await rig.openServer();
    const slow = await rig.openSocket();
    slow.send('{"id":1,"method":"slow"}');
    const { client_id, stream_id } = await server.request('slow');
    slow.pause();
    const message = { method: 'bulk', params: 'x'.repeat(140_000) };
    const last = 120;
    for (let seqId = 1; seqId < last; seqId += 1) {
      server.send({ type: 'server_message', message, client_id, stream_id, seq_id: seqId });
    }
    server.send({ type: 'pong', status: 'active', client_id, stream_id, seq_id: last });
    // The ack of another controller shows that the backend has read all of this.
    const quick = await rig.openController();
    const answer = quick.request('quick');
    const request = await server.request('quick');
    server.answer(request, 1);
    await answer;
    const isAck = (stream: string) => (frame: Frame) => frame.type === 'ack' && frame.stream_id === stream;
    await server.frame(isAck(request.stream_id), 'ack of the second controller');
    const acked = server.frames.filter(isAck(stream_id)).map((frame) => frame.seq_id);
    expect(Math.max(0, ...acked)).toBeLessThan(last - 1);
    slow.resume();
    await server.frame((frame) => isAck(stream_id)(frame) && frame.seq_id === last, 'ack of the pong');
  });

  it('RC-39: a message with invalid chunks is reported and acknowledged, and nothing else fails', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    const { client_id, stream_id } = await initialize(server, controller);
    const chunk = {
      type: 'server_message_chunk',
      client_id,
      stream_id,
      segment_count: 2,
      message_size_bytes: 9,
    };
    server.send({ ...chunk, seq_id: 2, segment_id: 1, message_chunk_base64: 'AAAA' });
    await event(rig.backend, 'messageLost', { why: 'outOfOrder' });
    await server.frame((frame) => frame.type === 'ack' && frame.seq_id === 2, 'ack');
    const next = controller.request('next');
    server.answer(await server.request('next'), 3, '"fine"');
    expect(await next).toBe('fine');
  });
});

describe('limits', () => {
  it('closes a controller with 1013 when too many messages wait for the server', async () => {
    const waiting = await createBackend({ timing: { offlineHold: 60_000 } });
    const own = await enroll(waiting);
    const { token } = await pair(waiting, own);
    const socket = await openControllerSocket(waiting, token.reveal());
    const closed = closing(socket);
    const text = JSON.stringify({ method: 'flood', params: 'x'.repeat(20 * 1024 * 1024) });
    for (let n = 0; n < 5; n += 1) socket.send(text);
    expect((await closed)[0]).toBe(1013);
    await waiting.close();
  });

  it('RC-39: closes a controller that sends a message above the limit', async () => {
    await rig.openServer();
    const socket = await rig.openSocket();
    const closed = closing(socket);
    socket.send('x'.repeat(100 * 1024 * 1024 + 1));
    expect((await closed)[0]).toBe(1009);
  });

  it('accepts at most sixteen sockets of one controller', async () => {
    await rig.openServer();
    const sockets = await Promise.all(Array.from({ length: 16 }, () => rig.openSocket()));
    await expect(rig.openSocket()).rejects.toThrow('refused: 429');
    sockets[0]?.terminate();
    await event(rig.backend, 'socketClosed', { side: 'controller' });
    await rig.openSocket();
  });
});
