import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createBackend } from '../../src/backend/index.js';
import {
  call,
  connectController,
  controlUrl,
  enroll,
  event,
  pair,
  ServerPeer,
  serverHeaders,
} from './peers.js';

describe('createBackend', () => {
  it('RC-1: listens on a loopback address and reports its URL', async () => {
    const backend = await createBackend({ listen: 'http://127.0.0.1:0/backend-api' });
    expect(backend.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/backend-api$/);
    expect(backend.events[0]?.kind).toBe('listening');
    await backend.close();
  });

  it('refuses every other address', async () => {
    for (const listen of [
      'http://0.0.0.0:1',
      'http://192.168.1.1:80',
      'http://example.com',
      'https://127.0.0.1:1',
      'http://user@127.0.0.1:1',
      'http://127.0.0.1:1/other',
      'nowhere',
    ]) {
      await expect(createBackend({ listen }), listen).rejects.toMatchObject({ code: 'usage' });
    }
  });

  it('reports a port that is in use', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    await expect(createBackend({ listen: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'listenerFailed',
    });
    taken.close();
  });

  it('close() ends every socket, request and timer within a second', async () => {
    const backend = await createBackend();
    const identity = await enroll(backend);
    const server = await ServerPeer.open(backend, identity);
    const controller = await connectController(backend, await pair(backend, identity));
    const lost = new Promise((resolve) => controller.onClose(resolve));
    // A peer that has stopped reading, so it cannot answer the close frame.
    const stalled = await ServerPeer.open(backend, await enroll(backend));
    stalled.socket.pause();
    backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'hang' } });
    backend.fault({ action: 'answer', fault: { route: 'enroll', answer: 'truth', delayMs: 60_000 } });
    backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'hang' } });
    const failed = ['server/refresh', 'server/enroll'].map((path) =>
      call(controlUrl(backend, path), { body: {} }).then(
        () => 'response',
        () => 'ended',
      ),
    );
    const hung = new WebSocket(controlUrl(backend, 'server').replace(/^http/, 'ws'), {
      headers: serverHeaders(identity),
    });
    const hungUp = new Promise((resolve) => hung.once('error', resolve));
    await Promise.all(['refresh', 'enroll', 'socket'].map((route) => event(backend, 'fault', { route })));

    const before = performance.now();
    await backend.close();
    expect(performance.now() - before).toBeLessThan(1_000);
    expect(await server.closed).toBe(1001);
    await lost;
    await hungUp;
    expect(await Promise.all(failed)).toEqual(['ended', 'ended']);
    stalled.socket.terminate();
    await expect(call(controlUrl(backend, 'server/enroll'), { body: {} })).rejects.toThrow();
  });
});
