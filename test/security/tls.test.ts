import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import tls from 'node:tls';
import { expect, it } from 'vitest';
import { listening } from '../listener/rig.js';

const TLS = join(import.meta.dirname, '../support/tls');

it('WSA-16a: TLS renegotiation is refused, and TLS 1.3 is served', async () => {
  const [cert = '', key = ''] = await Promise.all(
    ['backend.pem', 'backend.key.pem'].map((name) => readFile(join(TLS, name), 'utf8')),
  );
  const at = await listening({ listen: 'wss://127.0.0.1:0', tls: { cert, key } });
  const dial = async (options: tls.ConnectionOptions): Promise<tls.TLSSocket> => {
    const socket = tls.connect({ port: at.port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
    return socket;
  };
  const old = await dial({ maxVersion: 'TLSv1.2' });
  const outcome = await new Promise<string>((resolve) => {
    old.on('error', () => resolve('refused'));
    old.once('close', () => resolve('refused'));
    old.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null ? 'done' : 'refused'));
  });
  expect(outcome).toBe('refused');
  old.destroy();
  const current = await dial({ minVersion: 'TLSv1.3' });
  current.end('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
  let text = '';
  for await (const data of current) text += String(data);
  expect(text).toContain('HTTP/1.1 200');
});

it('WSA-58: clients that leave during the TLS handshake keep nobody out', async () => {
  const [cert = '', key = ''] = await Promise.all(
    ['backend.pem', 'backend.key.pem'].map((name) => readFile(join(TLS, name), 'utf8')),
  );
  const at = await listening({ listen: 'wss://127.0.0.1:0', tls: { cert, key } });
  const leave = (open: () => Socket, event: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = open();
      socket.once(event, () => {
        socket.destroy();
        resolve();
      });
      socket.once('error', reject);
    });
  const address = { port: at.port, host: '127.0.0.1' };
  const secure = () => tls.connect({ ...address, rejectUnauthorized: false, minVersion: 'TLSv1.3' });
  // More than handshakes may be in progress, of each kind.
  for (let i = 0; i < 140; i += 1) {
    await leave(secure, 'secureConnect');
    await leave(() => connect(address), 'connect');
  }
  await leave(secure, 'secureConnect');
  expect(at.verdicts()).toEqual([]);
});
