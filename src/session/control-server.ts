import { chmodSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import net from 'node:net';
import { EngineError } from '../protocol/errors.js';
import { LineConnection } from './line-connection.js';
import type { LocalClient, LocalTransport } from './local-clients.js';

export interface ControlServer {
  readonly path: string;
  close(): Promise<void>;
}

/**
 * The socket in the home on which `rc-engine status` and its like ask the running engine: JSON-RPC, one message a
 * line. Mode 0600: whoever may read the home's secrets may ask. The home's lock is held, so a socket file that is
 * already there is a leftover.
 */
export async function listenControl(
  path: string,
  accept: (transport: LocalTransport) => LocalClient,
): Promise<ControlServer> {
  const isPipe = path.startsWith('\\\\');
  if (!isPipe) await unlink(path).catch(() => {});
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    serveLines(socket, accept);
  });
  server.maxConnections = MAX_CONTROL_CLIENTS;
  // No moment in which others could connect: the socket is made with the right mode.
  const umask = isPipe ? undefined : process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
      // The socket file is made within listen(), before it returns.
      if (umask !== undefined) process.umask(umask);
    });
    if (!isPipe) chmodSync(path, 0o600);
  } catch (error) {
    throw new EngineError('homeUnusable', `The control socket ${path} cannot be opened.`, { cause: error });
  }
  return {
    path,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const MAX_CONTROL_CLIENTS = 64;

function serveLines(socket: net.Socket, accept: (transport: LocalTransport) => LocalClient): void {
  const client = accept({
    send: (text) => lines.write(text),
    get bufferedAmount() {
      return lines.bufferedAmount;
    },
    hold: (held) => {
      if (held) lines.pause();
      else lines.resume();
    },
    close: () => {
      socket.end();
    },
  });
  const lines = new LineConnection(socket, socket, {
    onLine: (line) => client.receive(line),
    onTooLong: (bytes) => client.skipped('a line over 16 MiB', bytes),
    onDrain: () => client.drained(),
    onEnd: () => {
      client.ended();
      socket.destroy();
    },
  });
}
