/** One peer of the embedded backend cannot shut out or hurt another. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import {
  connectController,
  controlUrl,
  enroll,
  event,
  type Identity,
  pair,
  refreshCall,
  ServerPeer,
} from './peers.js';

let backend: Backend;
let identity: Identity;
let now: number;
beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  backend = await createBackend({ now: () => now });
  identity = await enroll(backend);
});
afterEach(() => backend.close());

/** A request from one of the addresses 127.x.x.x. */
function post(path: string, body: unknown, localAddress = '127.0.0.1', token = ''): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
    http
      .request(
        controlUrl(backend, path),
        { method: 'POST', agent: false, localAddress, headers },
        (response) => {
          response.resume();
          resolve(response.statusCode ?? 0);
        },
      )
      .on('error', reject)
      .end(JSON.stringify(body));
  });
}

const manualCode = (): string =>
  backend.startPairing(identity.environmentId).manualPairingCode?.reveal() ?? '';
const claimManual = (code: string, localAddress?: string): Promise<number> =>
  post('client/claim', { manual_pairing_code: code }, localAddress);

describe('wrong pairing codes', () => {
  it.skipIf(process.platform !== 'linux')(
    'RC-52: count for the peer that sent them: another one with the right code gets in',
    async () => {
      for (let n = 0; n < 10; n += 1) {
        expect(await post('client/claim', { pairing_code: `wrong-${n}` }, '127.0.0.2')).toBe(404);
      }
      expect(await claimManual('AAAA-AAAA-AAAA', '127.0.0.2')).toBe(429);
      expect(await claimManual('AAAA-AAAA-AAAA')).toBe(404);
      expect(await claimManual(manualCode())).toBe(200);
    },
  );

  it('RC-52: a right code of either kind is accepted although somebody guesses from the same address', async () => {
    const [long, manual] = [backend.startPairing(identity.environmentId).pairingCode.reveal(), manualCode()];
    for (let n = 0; n < 11; n += 1) await post('client/claim', { pairing_code: `wrong-${n}` });
    expect(await post('client/claim', { pairing_code: 'wrong' })).toBe(429);
    expect(await post('client/claim', { pairing_code: long })).toBe(200);
    expect(await claimManual(manual)).toBe(200);
  });

  it.skipIf(process.platform !== 'linux')(
    'RC-52: guesses from many addresses are limited together, and do not use up the code of the owner',
    async () => {
      const code = manualCode();
      const answers: number[] = [];
      for (let peer = 2; peer < 22; peer += 1) {
        for (let n = 0; n < 9; n += 1) answers.push(await claimManual('AAAA-AAAA-AAAA', `127.0.1.${peer}`));
      }
      expect(answers.filter((status) => status === 404)).toHaveLength(100);
      expect(answers.slice(100)).toEqual(Array(80).fill(429));
      expect(await claimManual(code)).toBe(200);
    },
  );

  it('RC-52: a manual code has 60 bits, all of them random', () => {
    const codes = Array.from({ length: 400 }, manualCode);
    expect(new Set(codes).size).toBe(400);
    const places = codes.map((code) => code.replaceAll('-', ''));
    for (let place = 0; place < 12; place += 1) {
      // 400 codes show nearly all of the 32 characters in each place.
      expect(new Set(places.map((text) => text[place])).size).toBeGreaterThan(27);
    }
  });

  it('RC-52: are limited in status requests, too, for each server', async () => {
    const check = (token: string, code: string) =>
      post('server/pair/status', { pairing_code: code }, undefined, token);
    const code = backend.startPairing(identity.environmentId).pairingCode.reveal();
    for (let n = 0; n < 10; n += 1) expect(await check(identity.token, `wrong-${n}`)).toBe(404);
    expect(await check(identity.token, code)).toBe(429);
    const other = await enroll(backend);
    const codeOfOther = backend.startPairing(other.environmentId).pairingCode.reveal();
    expect(await check(other.token, codeOfOther)).toBe(200);
    now += 60_000;
    expect(await check(identity.token, code)).toBe(200);
  });
});

describe('wrong tokens', () => {
  const pairAs = (token: string, localAddress?: string): Promise<number> =>
    post('server/pair', { manual_code: false }, localAddress, token);

  it('RC-57: the same wrong token has to wait after ten requests; a right one does not', async () => {
    for (let n = 0; n < 10; n += 1) expect(await pairAs('stale')).toBe(401);
    expect(await pairAs('stale')).toBe(429);
    expect(await pairAs('another')).toBe(401);
    expect(await pairAs(identity.token)).toBe(200);
    now += 60_000;
    expect(await pairAs('stale')).toBe(401);
  });

  it.skipIf(process.platform !== 'linux')(
    'RC-57: wrong tokens of one address have to wait after 100; other addresses and right tokens do not',
    async () => {
      for (let n = 0; n < 100; n += 1) expect(await pairAs(`guess-${n}`, '127.0.0.2')).toBe(401);
      expect(await pairAs('guess', '127.0.0.2')).toBe(429);
      expect(await pairAs(identity.token, '127.0.0.2')).toBe(200);
      expect(await pairAs('guess')).toBe(401);
    },
  );

  it('RC-57: an engine learns that its token has expired, whatever others send from its address', async () => {
    for (let n = 0; n < 101; n += 1) await pairAs(`guess-${n}`);
    expect(await pairAs('guess')).toBe(429);
    backend.fault({ action: 'expireTokens', inSeconds: 0 });
    await expect(ServerPeer.open(backend, identity)).rejects.toThrow('refused');
    await event(backend, 'socketRefused', { side: 'server', status: 401 });
  });
});

it('RC-53: enrollments never remove a connected server, and paired ones last', {
  timeout: 60_000,
}, async () => {
  const paired = await enroll(backend);
  await pair(backend, paired);
  const server = await ServerPeer.open(backend, identity);
  const idle = await enroll(backend);
  for (let n = 0; n < 1_010; n += 1) {
    now += 1;
    await enroll(backend);
  }
  expect((await refreshCall(backend, identity.serverId)).status).toBe(200);
  expect((await refreshCall(backend, paired.serverId)).status).toBe(200);
  expect((await refreshCall(backend, idle.serverId)).status).toBe(404);
  expect(backend.servers.length).toBe(1_000);
  await server.close();
});

it('RC-54: a controller that floods with pings and reads nothing gets the latest pong only', {
  timeout: 30_000,
}, async () => {
  const server = await ServerPeer.open(backend, identity);
  const bystander = await connectController(backend, await pair(backend, identity));
  const { token } = await pair(backend, identity);
  const url = new URL(controlUrl(backend, 'client'));
  const flooder = net.connect(Number(url.port), url.hostname);
  flooder.write(
    `GET ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${token.reveal()}\r\n\r\n`,
  );
  const [upgraded] = await once(flooder, 'data');
  expect(String(upgraded)).toContain('101');
  flooder.pause();
  const ping = (text: string): Buffer =>
    Buffer.concat([Buffer.from([0x89, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);
  const block = Buffer.concat(Array<Buffer>(2_000).fill(ping('x'.repeat(125))));
  let sent = 0;
  for (; sent < 60_000_000; sent += block.length) {
    if (!flooder.write(block)) await once(flooder, 'drain');
  }
  const asked = bystander.request('thread/list', {});
  const request = await server.request('thread/list');
  server.answer(request, 1);
  await asked;

  flooder.write(ping('the last ping'));
  let received = 0;
  let tail = '';
  for await (const data of flooder) {
    received += (data as Buffer).length;
    tail = (tail + String(data)).slice(-200);
    if (tail.includes('the last ping')) break;
  }
  expect(received).toBeLessThan(sent / 2);
  await bystander.close();
});
