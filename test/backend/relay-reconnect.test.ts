import { describe, expect, it } from 'vitest';
import { createBackend } from '../../src/backend/index.js';
import { closeReason, connectController, enroll, event, pair, ServerPeer } from './peers.js';
import { closing, initialize, relayRig } from './relay-rig.js';

const rig = relayRig();

describe('when the server disconnects and reconnects', () => {
  it('holds the messages of a controller until the server connects', async () => {
    const controller = await rig.openController();
    const answer = controller.request('early');
    const server = await rig.openServer();
    server.answer(await server.request('early'), 1, '"on time"');
    expect(await answer).toBe('on time');
  });

  it('closes the controller as offline when no server connects in time', async () => {
    const controller = await rig.openController();
    const failed = controller.request('anyone').catch((error: { code: string }) => error.code);
    expect(await closeReason(controller)).toBe('environmentOffline');
    expect(await failed).toBe('environmentOffline');
    const raw = await rig.openSocket();
    expect(await closing(raw)).toEqual([4404, 'environment offline']);
  });

  it('RC-37: after a reconnect sends the messages behind the cursor, and none before it', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
    const request = await initialize(first, controller);
    controller.notify('taken');
    const taken = await first.request('taken');
    await first.close();
    controller.notify('while offline');
    const second = await rig.openServer(taken.cursor);
    const missed = await second.request('while offline');
    expect(missed).toMatchObject({ stream_id: request.stream_id, seq_id: 3 });
    expect(second.frames.filter((frame) => frame.type === 'client_message')).toHaveLength(1);
  });

  it('RC-37: a cursor from before everybody was gone hides no message of a later controller', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
    await initialize(first, controller);
    for (const method of ['a', 'b', 'c']) controller.notify(method);
    await controller.close();
    const { cursor } = await first.frame(({ type }) => type === 'client_closed', 'client_closed');
    // Its pong confirms all frames, so nothing waits any more.
    await new Promise((resolve) => first.socket.once('ping', resolve));
    await first.close();
    const later = await rig.openController();
    later.notify('early');
    const second = await rig.openServer(cursor);
    expect(await second.request('early')).toMatchObject({ seq_id: 1 });
  });

  it('RC-37: sends messages again that were in flight when the link broke', async () => {
    const slow = await createBackend({ timing: { deliveryCheck: 60_000 } });
    try {
      const own = await enroll(slow);
      const controller = await connectController(slow, await pair(slow, own));
      const first = await ServerPeer.open(slow, own);
      const request = await initialize(first, controller);
      for (const method of ['a', 'b', 'c']) controller.notify(method);
      await first.request('c');
      first.socket.terminate();
      await event(slow, 'socketClosed', { side: 'server' });
      // The cursor says that the server has received nothing after initialize.
      const second = await ServerPeer.open(slow, own, { 'x-codex-subscribe-cursor': request.cursor });
      await second.request('c');
      expect(
        second.frames.filter((frame) => frame.type === 'client_message').map((frame) => frame.seq_id),
      ).toEqual([2, 3, 4]);
    } finally {
      await slow.close();
    }
  });

  it('RC-37: removes the messages that the server has confirmed with a pong', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
    const request = await initialize(first, controller);
    const pinged = new Promise<void>((resolve) => first.socket.on('ping', () => resolve()));
    controller.notify('read');
    await first.request('read');
    await pinged;
    // The pong was sent before this close, so the backend sees it first.
    await first.close();
    const second = await rig.openServer(request.cursor);
    controller.notify('next');
    await second.request('next');
    expect(second.frames.map((frame) => frame.message?.method).filter(Boolean)).toEqual(['next']);
  });

  it('a server without a cursor has lost its state: its virtual clients close, and no message is repeated', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
    await initialize(first, controller);
    const why = closeReason(controller);
    await first.close();
    const second = await rig.openServer();
    expect(await why).toBe('appServerClosed');
    const fresh = await rig.openController();
    fresh.notify('fresh');
    await second.request('fresh');
    expect(second.frames.filter((frame) => frame.type === 'client_message')).toHaveLength(1);
  });

  it('closes the controllers of a server that does not reconnect in time', async () => {
    const server = await rig.openServer();
    const controller = await rig.openController();
    await initialize(server, controller);
    const why = closeReason(controller);
    await server.close();
    expect(await why).toBe('environmentOffline');
  });

  it('RC-34: sends client_closed to a server that reconnects, for each controller that disconnected meanwhile', async () => {
    const first = await rig.openServer();
    const controller = await rig.openController();
    const request = await initialize(first, controller);
    await first.close();
    await event(rig.backend, 'socketClosed', { side: 'server' });
    await controller.close();
    await event(rig.backend, 'streamClosed', { streamId: request.stream_id });
    const second = await rig.openServer(request.cursor);
    const closed = await second.frame((frame) => frame.type === 'client_closed', 'client_closed');
    expect(closed.stream_id).toBe(request.stream_id);
  });
});
