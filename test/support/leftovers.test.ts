import { spawn } from 'node:child_process';
import { watch } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, describe, expect, it } from 'vitest';
import { leftoversOf } from './leftovers.js';

const endings: (() => void)[] = [];
afterAll(() => {
  for (const end of endings) end();
});

describe('the check for leftovers', () => {
  it('finds a server, a socket, a timer of either kind, a watcher and a child', async () => {
    const left = await leftoversOf(async () => {
      const server = net.createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as net.AddressInfo;
      const socket = net.connect(port, '127.0.0.1');
      await new Promise((resolve) => socket.once('connect', resolve));
      const timer = setTimeout(() => {}, 60_000);
      const quiet = setInterval(() => {}, 60_000).unref();
      const watcher = watch(tmpdir(), { persistent: false }, () => {});
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
      endings.push(() => {
        server.close();
        socket.destroy();
        clearTimeout(timer);
        clearInterval(quiet);
        watcher.close();
        child.kill();
      });
    });
    const kinds = left.map((line) => line.split(' ')[0]);
    for (const kind of ['TCPSERVERWRAP', 'TCPWRAP', 'FSEVENTWRAP', 'PROCESSWRAP']) {
      expect(kinds).toContain(kind);
    }
    expect(kinds.filter((kind) => kind === 'Timeout')).toHaveLength(2);
    // It says where it was created, when code of this repository created it.
    for (const kind of ['FSEVENTWRAP', 'PROCESSWRAP', 'Timeout']) {
      expect(left.find((line) => line.startsWith(kind))).toContain('leftovers.test.ts');
    }
  });

  it('finds nothing when everything has ended, even if that takes a moment', async () => {
    const left = await leftoversOf(async () => {
      const server = net.createServer((socket) => socket.end('x'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as net.AddressInfo;
      const socket = net.connect(port, '127.0.0.1');
      socket.resume();
      socket.once('end', () => server.close());
      clearTimeout(setTimeout(() => {}, 60_000));
    });
    expect(left).toEqual([]);
  });
});
