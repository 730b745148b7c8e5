import net from 'node:net';
import { writeProgress } from '../system/write-progress.js';
import { LineConnection, MAX_LINE_BYTES } from './line-connection.js';
import type { LocalClient, LocalTransport } from './local-client.js';

export interface ControlServer {
  readonly path: string;
  /** Opens the socket again, because its file is gone. Open connections stay. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const MAX_CONTROL_CLIENTS = 64;

/**
 * Opens the control socket of the home, on which commands such as `rc-engine status` query the running engine: JSON-RPC,
 * one message per line. Who may read the secrets in the home may also query the engine.
 * @param listen Opens the socket at `path`, and throws when it cannot be opened or belongs to somebody else.
 */
export async function listenControl(
  path: string,
  listen: (server: net.Server) => Promise<void>,
  accept: (transport: LocalTransport) => LocalClient,
): Promise<ControlServer> {
  const sockets = new Set<net.Socket>();
  const open = async (): Promise<net.Server> => {
    const opened = net.createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      serveLines(socket, accept);
    });
    opened.maxConnections = MAX_CONTROL_CLIENTS;
    await listen(opened);
    return opened;
  };
  let server = await open();
  return {
    path,
    reopen: async () => {
      // First: closing a server removes the file at its path.
      server.close();
      server = await open();
    },
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Unsent data of a control client beside its longest message, bytes. WSA-18 */
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
/** Time between two checks whether a client reads what waits for it, ms. */
const PROGRESS_CHECK = 1_000;
/** How long a client may keep its end open after the engine has closed the connection, ms. */
const CLOSE_LIMIT = 1_000;

function serveLines(socket: net.Socket, accept: (transport: LocalTransport) => LocalClient): void {
  /** Runs while data waits for the client. */
  let checks: NodeJS.Timeout | undefined;
  let progress = '';
  let longest = 0;
  const check = () => {
    const now = writeProgress(socket);
    if (now !== progress) client.session.progress();
    progress = now;
  };
  const client = accept({
    send: (text) => {
      const before = lines.unsentBytes;
      if (lines.write(text)) return true;
      longest = Math.max(longest, lines.unsentBytes - before);
      progress = writeProgress(socket);
      checks ??= setInterval(check, PROGRESS_CHECK).unref();
      if (lines.unsentBytes - longest > MAX_UNSENT_BYTES) {
        client.close('clientOverloaded', 'the client does not read what is sent');
      }
      return false;
    },
    pauseReading: (paused) => {
      if (paused) lines.pause();
      else lines.resume();
    },
    close: () => {
      clearInterval(checks);
      // What it does not read would wait for ever.
      if (lines.unsentBytes > 0)
        client.skipped('the rest for a client that does not read', lines.unsentBytes);
      socket.end();
      // A client that keeps its end open must not keep this one.
      setTimeout(() => socket.destroy(), CLOSE_LIMIT).unref();
    },
  });
  const lines = new LineConnection(socket, socket, {
    onLine: (line) => client.receive(line),
    onTooLong: (bytes, envelope) => client.receiveTooLarge(bytes, MAX_LINE_BYTES, envelope),
    onDrain: () => {
      clearInterval(checks);
      checks = undefined;
      longest = 0;
      client.drained();
    },
    onEnd: () => {
      clearInterval(checks);
      client.ended();
      socket.destroy();
    },
  });
}
