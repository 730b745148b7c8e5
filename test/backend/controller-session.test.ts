import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, createBackend } from '../../src/backend/index.js';
import type { ClaimedController } from '../../src/controller/claim.js';
import { controlUrl, dial, enroll, pair, ServerPeer, until } from './peers.js';

let backend: Backend;
let server: ServerPeer;
let claimed: ClaimedController;
beforeEach(async () => {
  backend = await createBackend();
  const identity = await enroll(backend);
  server = await ServerPeer.open(backend, identity);
  claimed = await pair(backend, identity);
});
afterEach(() => backend.close());

const SESSION = 'session-0123456789abcdef';

async function open(headers: Record<string, string> = {}) {
  const frames: Record<string, unknown>[] = [];
  let changed: () => void = () => {};
  const answer = await dial(
    controlUrl(backend, 'client'),
    {
      authorization: `Bearer ${claimed.token.reveal()}`,
      'x-codex-protocol-version': '3',
      'x-rc-engine-session': SESSION,
      ...headers,
    },
    (socket) =>
      socket.on('message', (data) => {
        frames.push(JSON.parse(String(data)) as Record<string, unknown>);
        changed();
      }),
  );
  return {
    answer,
    frames,
    send: (frame: object) => {
      if (answer instanceof WebSocket)
        answer.send(JSON.stringify({ client_id: claimed.clientId, stream_id: 's1', ...frame }));
    },
    drop: () => {
      if (answer instanceof WebSocket) answer.terminate();
    },
    frame: (type: string) =>
      until(
        () => frames.find((frame) => frame.type === type),
        (again) => {
          changed = again;
          return () => {};
        },
        type,
      ),
  };
}

const INITIALIZE = { type: 'client_message', seq_id: 1, message: { id: 1, method: 'initialize' } };

describe('RC-91, RC-92: a controller that sends numbered frames', () => {
  it('needs the version and the id of its session', async () => {
    expect((await open({ 'x-codex-protocol-version': '2' })).answer).toMatchObject({ status: 400 });
    expect((await open({ 'x-rc-engine-session': 'short' })).answer).toMatchObject({ status: 400 });
  });

  it('gets again what it has not acknowledged, and repeats nothing to the server', async () => {
    const first = await open();
    expect(await first.frame('environment')).toEqual({ type: 'environment', connected: true });
    first.send(INITIALIZE);
    const request = await server.request('initialize');
    expect(request).toMatchObject({ client_id: claimed.clientId, stream_id: 's1' });
    await first.frame('ack');
    server.answer(request, 1, '{"big":9007199254740993}');
    const message = await first.frame('server_message');
    expect(message).toMatchObject({ stream_id: 's1', seq_id: 1 });
    first.drop();

    const second = await open();
    expect(await second.frame('server_message')).toEqual(message);
    second.send(INITIALIZE);
    second.send({ type: 'client_message', seq_id: 2, message: { id: 2, method: 'next' } });
    await server.request('next');
    expect(server.frames.filter((frame) => frame.message?.method === 'initialize')).toHaveLength(1);
    // The frame of the server is acknowledged only when the controller has it.
    expect(server.frames.filter(({ type }) => type === 'ack')).toEqual([]);
    second.send({ type: 'ack', seq_id: 1 });
    await server.frame(({ type, seq_id }) => type === 'ack' && seq_id === 1, 'ack');
  });

  it('learns that a stream is gone', async () => {
    const controller = await open();
    controller.send({ type: 'client_message', seq_id: 5, message: { id: 1, method: 'later' } });
    expect(await controller.frame('client_closed')).toMatchObject({ stream_id: 's1', code: 4410 });
  });
});
