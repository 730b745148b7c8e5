import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { describe, expect, it } from 'vitest';
import { Client, connect, listening, openRaw, until, upgradeText } from './rig.js';

const TLS = join(import.meta.dirname, '../support/tls');
const MASK = [0, 0, 0, 0];
const masked = (head: number, payload: string | Buffer) => {
  const data = Buffer.from(payload);
  const length =
    data.length < 126 ? [0x80 | data.length] : [0x80 | 126, data.length >> 8, data.length & 0xff];
  return Buffer.concat([Buffer.from([head, ...length, ...MASK]), data]);
};
const INITIALIZE = '{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}';

/** Opens a connection, sends these frames, and returns the close code that comes back; 0: the connection was cut. */
async function closeCodeFor(
  at: Awaited<ReturnType<typeof listening>>,
  frames: readonly Buffer[],
): Promise<number> {
  const { socket } = await openRaw(at.port, upgradeText({ path: `/?token=${at.token}` }));
  const got: Buffer[] = [];
  socket.on('data', (data: Buffer) => got.push(data));
  const closed = once(socket, 'close');
  for (const frame of frames) socket.write(frame);
  await closed;
  const bytes = Buffer.concat(got);
  const close = bytes.indexOf(0x88);
  return close < 0 ? 0 : bytes.readUInt16BE(close + 2);
}

describe('invalid frames', () => {
  it.each<[string, Buffer[], number]>([
    ['not masked', [Buffer.from([0x81, 2, 0x7b, 0x7d])], 1002],
    ['a reserved bit', [masked(0xc1, '{}')], 1002],
    ['an unknown opcode', [masked(0x83, '{}')], 1002],
    ['text that is not UTF-8', [masked(0x81, Buffer.from([0xff, 0xfe]))], 1007],
    ['a continuation without a first frame', [masked(0x80, '{}')], 1002],
    ['a ping in two parts', [masked(0x09, 'a')], 1002],
    ['a ping of 126 bytes', [masked(0x89, 'x'.repeat(126))], 1002],
    ['an invalid close code', [masked(0x88, Buffer.from([0x03, 0xe7]))], 1002],
  ])('%s: closes this connection with the right code, and no other', async (_, frames, code) => {
    const at = await listening();
    const other = await connect(at);
    await other.initialize();
    expect(await closeCodeFor(at, frames)).toBe(code);
    await until(() => at.engine.fullStatus.connections.length === 1, 'the connection to end');
    expect((await other.request('engine/echo', { payload: 1 })).result).toEqual({ payload: 1 });
  });

  it('WSA-17: --max-message-bytes limits the whole message, however many frames it has', async () => {
    const at = await listening({ maxMessageBytes: 1_000 });
    const client = await connect(at);
    await client.initialize();
    const text = JSON.stringify({ id: 7, method: 'engine/echo', params: { payload: '' } });
    const exact = text.replace('""', `"${'x'.repeat(1_000 - text.length)}"`);
    client.ws.send(exact.slice(0, 400), { fin: false });
    client.ws.send(exact.slice(400), { fin: true });
    await client.until(() => client.messages.find(({ id }) => id === 7), 'the response to 1,000 bytes');
    client.ws.send(exact.slice(0, 600), { fin: false });
    client.ws.send(`${exact.slice(600)} `, { fin: true });
    expect((await client.closed).code).toBe(1009);
  });

  it('WSA-21: texts that are not message objects are skipped, and a jsonrpc member is accepted', async () => {
    const at = await listening();
    const client = await connect(at);
    for (const text of ['', '[]', `[${INITIALIZE}]`, '7', 'null', '{', '{"id":{},"method":"initialize"}']) {
      client.ws.send(text);
    }
    client.send({ jsonrpc: '2.0', ...(JSON.parse(INITIALIZE) as object) });
    await client.until(() => client.messages.find(({ id }) => id === 1), 'the response');
    expect(client.messages.filter(({ method }) => method === undefined)).toHaveLength(1);
    expect(at.log.filter(({ message }) => message.includes('not a JSON-RPC message'))).toHaveLength(7);
  });

  it('skipped messages are logged at most ten times a second, with a count of the rest and without their content', async () => {
    const at = await listening();
    const client = await connect(at);
    for (let i = 0; i < 500; i += 1) client.ws.send(`MARKED ${i}`);
    await client.initialize();
    const lines = () => at.log.filter(({ message }) => /skipped/.test(message));
    const rest = () =>
      lines().reduce((sum, { message }) => sum + Number(/^(\d+) more/.exec(message)?.[1] ?? 0), 0);
    const logged = () => lines().filter(({ message }) => !/more/.test(message)).length;
    await until(() => logged() + rest() === 500, 'all to be counted');
    expect(logged()).toBeLessThanOrEqual(20);
    expect(JSON.stringify(at.log)).not.toContain('MARKED');
  });

  it('WSA-23: a client does not get the notifications that it opted out of, by exact name', async () => {
    const at = await listening();
    const optedOut = await connect(at);
    await optedOut.initialize({ optOutNotificationMethods: ['remoteControl/status/changed'] });
    const similar = await connect(at);
    await similar.initialize({ optOutNotificationMethods: ['remoteControl/status', 'remoteControl/*'] });
    await similar.until(
      () => similar.messages.find(({ method }) => method === 'remoteControl/status/changed'),
      'its status',
    );
    await optedOut.request('engine/echo', {});
    expect(optedOut.messages.filter(({ method }) => method !== undefined)).toEqual([]);
  });
});

describe('limits of connections', () => {
  it('WSA-16: above the limit a connection gets 503 with Retry-After; when another ends there is room again', async () => {
    const at = await listening({ maxConnections: 2 });
    const clients = [await connect(at), await connect(at)];
    const { text } = await openRaw(at.port, upgradeText({ path: `/?token=${at.token}` }));
    expect(text).toMatch(/^HTTP\/1\.1 503 /);
    expect(text).toMatch(/^Retry-After: \d+\r$/m);
    expect(at.verdicts().at(-1)).toBe('queryToken rejected tooManyConnections');
    clients[0]?.ws.close();
    await until(() => at.engine.fullStatus.connections.length === 1, 'room');
    expect((await (await connect(at)).initialize()).result).toBeTypeOf('object');
  });

  it('WSA-16: an incomplete TLS handshake is cut in time, and so is a silent client after a complete one', async () => {
    const [cert, key] = await Promise.all(
      ['backend.pem', 'backend.key.pem'].map((name) => readFile(join(TLS, name), 'utf8')),
    );
    const at = await listening({
      listen: 'wss://127.0.0.1:0',
      tls: { cert: cert ?? '', key: key ?? '' },
      timing: { upgradeTimeout: 500 },
    });
    const began = performance.now();
    const half = net.connect(at.port, '127.0.0.1', () =>
      half.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00])),
    );
    const silent = tls.connect({ port: at.port, host: '127.0.0.1', rejectUnauthorized: false });
    for (const socket of [half, silent]) socket.on('error', () => {}).resume();
    await Promise.all([once(half, 'close'), once(silent, 'close')]);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(at.verdicts()).toEqual(Array(2).fill('queryToken rejected handshakeTooSlow'));
    const client = await Client.open(at.info.connectUrl.reveal(), {}, { rejectUnauthorized: false });
    expect((await client.initialize()).result).toBeTypeOf('object');
  });
});
