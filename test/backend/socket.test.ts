import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, createBackend } from '../../src/backend/index.js';
import {
  controlUrl,
  dial,
  enroll,
  event,
  type Identity,
  readIdentity,
  refreshCall,
  ServerPeer,
  serverHeaders,
} from './peers.js';

let backend: Backend;
let identity: Identity;
beforeEach(async () => {
  backend = await createBackend();
  identity = await enroll(backend);
});
afterEach(() => backend.close());

async function refusal(headers: Record<string, string>, target = backend): Promise<[number, unknown]> {
  const answer = await dial(controlUrl(target, 'server'), headers);
  if (answer instanceof WebSocket) throw new Error('the socket was accepted');
  return [answer.status, answer.body.detail];
}

describe('socket of a server', () => {
  it('RC-17: accepts the five headers', async () => {
    const peer = await ServerPeer.open(backend, identity);
    await event(backend, 'socketOpened', { side: 'server', serverId: identity.serverId });
    expect(backend.servers).toEqual([
      { serverId: identity.serverId, environmentId: identity.environmentId, name: 'laptop', connected: true },
    ]);
    await peer.close();
    await event(backend, 'socketClosed', { side: 'server', code: 1000 });
    expect(backend.servers[0]?.connected).toBe(false);
  });

  it('RC-17: refuses a missing or wrong header', async () => {
    const valid = serverHeaders(identity);
    const without = (name: string) =>
      Object.fromEntries(Object.entries(valid).filter(([key]) => key !== name));
    expect(await refusal(without('authorization'))).toEqual([401, 'Unauthorized']);
    for (const name of Object.keys(valid).filter((key) => key !== 'authorization')) {
      expect(await refusal(without(name))).toEqual([400, `The header ${name} is missing`]);
    }
    expect((await refusal({ ...valid, 'x-codex-protocol-version': '2' }))[0]).toBe(400);
    expect((await refusal({ ...valid, 'x-codex-name': 'not base64' }))[0]).toBe(400);
    expect((await refusal({ ...valid, 'x-codex-name': '/v8=' }))[0]).toBe(400);
    expect((await refusal({ ...valid, 'x-codex-installation-id': 'other' }))[0]).toBe(403);
  });

  it('RC-8a: stores the name that the server sends', async () => {
    const name = Buffer.from('Größe 🖥').toString('base64');
    await ServerPeer.open(backend, identity, { 'x-codex-name': name });
    expect(backend.servers[0]?.name).toBe('Größe 🖥');
  });

  it('RC-19: refuses a token that is unknown, expired, or of another server', async () => {
    const other = await enroll(backend);
    expect(await refusal(serverHeaders({ ...identity, token: 'rcs_unknown' }))).toEqual([
      401,
      'Unauthorized',
    ]);
    expect((await refusal(serverHeaders({ ...identity, token: other.token })))[0]).toBe(403);
    backend.fault({ action: 'expireTokens', inSeconds: 0 });
    expect((await refusal(serverHeaders(identity)))[0]).toBe(401);
    const renewed = readIdentity(await refreshCall(backend, identity.serverId));
    await ServerPeer.open(backend, renewed);
  });

  it('RC-20: responds to an unknown server with the detail that leads to a new enrollment', async () => {
    backend.fault({ action: 'forgetServers' });
    expect(await refusal(serverHeaders(identity))).toEqual([404, 'Remote app server not found']);
  });

  it('RC-16: a second socket of a server replaces the first', async () => {
    const first = await ServerPeer.open(backend, identity);
    const second = await ServerPeer.open(backend, identity);
    expect(await first.closed).toBe(1000);
    expect(second.socket.readyState).toBe(WebSocket.OPEN);
    expect(backend.servers[0]?.connected).toBe(true);
  });

  it('RC-24: a second socket is refused with 409 when it is configured so', async () => {
    const strict = await createBackend({ onSecondSocket: 'conflict' });
    try {
      const own = await enroll(strict);
      const first = await ServerPeer.open(strict, own);
      expect((await refusal(serverHeaders(own), strict))[0]).toBe(409);
      expect(first.socket.readyState).toBe(WebSocket.OPEN);
      await first.close();
      await event(strict, 'socketClosed', { side: 'server' });
      await ServerPeer.open(strict, own);
    } finally {
      await strict.close();
    }
  });

  it('RC-40, RC-41: answers pings, offers no compression, and stays open after invalid frames', async () => {
    const peer = await ServerPeer.open(backend, identity);
    expect(peer.socket.extensions).toBe('');
    for (const frame of [
      '',
      '{',
      '[]',
      '{"type":"x"}',
      '{"type":"pong","client_id":"c","stream_id":"s","seq_id":1}',
    ])
      peer.socket.send(frame);
    peer.socket.send(Buffer.from([0, 255]));
    peer.socket.send('x'.repeat(500_000));
    const pong = new Promise((resolve) => peer.socket.once('pong', resolve));
    peer.socket.ping('are you there');
    expect(String(await pong)).toBe('are you there');
    expect(backend.events.filter(({ kind }) => kind === 'frameSkipped')).toHaveLength(7);
  });

  it('RC-41: destroys a socket that no longer answers', async () => {
    const fast = await createBackend({ timing: { heartbeat: 40 } });
    try {
      const own = await enroll(fast);
      const socket = new WebSocket(controlUrl(fast, 'server').replace(/^http/, 'ws'), {
        headers: serverHeaders(own),
        autoPong: false,
      });
      const code = new Promise((resolve) => socket.once('close', resolve));
      expect(await code).toBe(1006);
      await event(fast, 'socketClosed', { side: 'server' });
      expect(fast.servers[0]?.connected).toBe(false);
    } finally {
      await fast.close();
    }
  });
});
