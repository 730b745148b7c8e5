import { createServer, type Server } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import { closeReason, connectController, enroll, type Identity, pair, ServerPeer } from '../backend/peers.js';

let backend: Backend;
let identity: Identity;
let server: ServerPeer;
beforeEach(async () => {
  backend = await createBackend();
  identity = await enroll(backend);
  server = await ServerPeer.open(backend, identity);
});
afterEach(() => backend.close());
const open = async () => connectController(backend, await pair(backend, identity));

/** Runs `use` with a backend that sends the same response to each request. */
async function withBackend<T>(answer: { status: number; body: string }, use: (url: string) => Promise<T>) {
  const http: Server = createServer((_request, response) => {
    response.writeHead(answer.status, { location: 'http://127.0.0.1:1/elsewhere' }).end(answer.body);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  try {
    return await use(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/backend-api`);
  } finally {
    http.closeAllConnections();
    http.close();
  }
}
const code = { kind: 'pairing', code: new Secret('rcp_secret-code') } as const;

describe('claim', () => {
  it('reports what went wrong, without the code', async () => {
    const cases = [
      [{ status: 200, body: 'no json' }, 'backendBadAnswer'],
      [{ status: 200, body: '{"client_id":"c"}' }, 'backendBadAnswer'],
      [{ status: 500, body: 'rcp_secret-code' }, 'remoteRefused'],
      [{ status: 404, body: '{}' }, 'remoteRefused'],
      [{ status: 302, body: '' }, 'networkUnreachable'],
    ] as const;
    for (const [answer, expected] of cases) {
      const error = await withBackend(answer, (baseUrl) => claim({ baseUrl }, code)).catch(
        (thrown) => thrown,
      );
      expect(error).toMatchObject({ code: expected });
      expect(`${error} ${JSON.stringify(error)} ${error.cause}`).not.toContain('secret-code');
    }
  });

  it('reports a backend that is down, and one that does not answer in time', async () => {
    await expect(claim({ baseUrl: 'http://127.0.0.1:1/' }, code)).rejects.toMatchObject({
      code: 'networkUnreachable',
    });
    backend.fault({ action: 'answer', fault: { route: 'claim', answer: 'hang' } });
    await expect(claim({ baseUrl: backend.url, timeout: 100 }, code)).rejects.toMatchObject({
      code: 'backendTimeout',
    });
  });
});

describe('Controller', () => {
  it('sends requests and returns to each its own response', async () => {
    const controller = await open();
    const first = controller.request('first', { a: 1 });
    const second = controller.request('second');
    server.answer(await server.request('second'), 1, '{"n":2}');
    const request = await server.request('first');
    expect(request.message).toMatchObject({ method: 'first', params: { a: 1 } });
    server.answer(request, 2, 'null');
    expect([await second, await first]).toEqual([{ n: 2 }, null]);
  });

  it('throws the error of a response', async () => {
    const controller = await open();
    const failed = controller.request('doomed').catch((thrown) => thrown);
    const { client_id, stream_id, message } = await server.request('doomed');
    const error = { code: -32601, message: 'no such method', data: { hint: 'x' } };
    server.send({
      type: 'server_message',
      message: { id: message.id, error },
      client_id,
      stream_id,
      seq_id: 1,
    });
    expect(await failed).toMatchObject({
      code: 'remoteRefused',
      rpc: error,
      message: 'doomed was refused: no such method (-32601)',
    });
  });

  it('passes on notifications, and responds to requests of the app server', async () => {
    const controller = await open();
    controller.notify('hello');
    const { client_id, stream_id } = await server.request('hello');
    let seqId = 0;
    const send = (message: unknown): void => {
      seqId += 1;
      server.send({ type: 'server_message', message, client_id, stream_id, seq_id: seqId });
    };
    const answer = (id: string) =>
      server.frame((frame) => frame.type === 'client_message' && frame.message.id === id, `answer to ${id}`);

    const note = new Promise((resolve) =>
      controller.onNotification((method, params) => resolve([method, params])),
    );
    send({ method: 'news', params: { n: 1 } });
    expect(await note).toEqual(['news', { n: 1 }]);

    send({ id: 'q1', method: 'may/i' });
    expect((await answer('q1')).message).toMatchObject({ error: { code: -32601 } });
    controller.onRequest((method, params) => ({ method, params }));
    send({ id: 'q2', method: 'may/i', params: 5 });
    expect((await answer('q2')).message).toEqual({ id: 'q2', result: { method: 'may/i', params: 5 } });
    controller.onRequest(() => {
      throw new Error('out of order');
    });
    send({ id: 'q3', method: 'may/i' });
    expect((await answer('q3')).message).toMatchObject({ error: { code: -32603, message: 'out of order' } });
  });

  it('rejects a request that is not answered in time, and all of them when it is closed', async () => {
    const controller = await open();
    await expect(controller.request('slow', {}, 50)).rejects.toMatchObject({ code: 'timeout' });
    const pending = controller.request('never').catch((thrown) => thrown);
    await server.request('never');
    const why = closeReason(controller);
    await controller.close();
    expect(await pending).toMatchObject({ code: 'linkClosed' });
    expect(await why).toBe('closed locally');
    await expect(controller.request('late')).rejects.toMatchObject({ code: 'linkClosed' });
    expect(() => controller.notify('late')).toThrow('not connected');
    await controller.close();
  });

  it('reports why its connection was closed', async () => {
    const controller = await open();
    const why = closeReason(controller);
    backend.fault({ action: 'dropSockets', side: 'controller' });
    expect(await why).toBe('linkLost');
    expect(() => controller.notify('late')).toThrow('the connection to the backend was lost');
  });

  it('reports why it cannot connect', async () => {
    const token = new Secret('rcc_unknown');
    await expect(new Controller({ baseUrl: backend.url, token }).connect()).rejects.toMatchObject({
      code: 'remoteRefused',
      remediation: expect.stringContaining('Pair it again'),
    });
    await expect(new Controller({ baseUrl: 'http://127.0.0.1:1', token }).connect()).rejects.toMatchObject({
      code: 'networkUnreachable',
    });
    backend.fault({ action: 'answer', fault: { route: 'controllerSocket', answer: 'status', status: 503 } });
    await expect(new Controller({ baseUrl: backend.url, token }).connect()).rejects.toMatchObject({
      code: 'handshakeFailed',
    });
    backend.fault({ action: 'answer', fault: { route: 'controllerSocket', answer: 'hang' } });
    await expect(
      new Controller({ baseUrl: backend.url, token, timeout: 100 }).connect(),
    ).rejects.toMatchObject({ code: 'handshakeTimeout' });
    const controller = await open();
    await expect(controller.connect()).rejects.toMatchObject({ code: 'usage' });
  });
});
