import net from 'node:net';
import { errnoOf } from './errno.js';

/**
 * Starts a server on a port or a unix socket; rejects with what Node reports when it cannot listen. A unix socket has
 * mode 0600 from the moment it exists, so nobody else can connect in between.
 */
export function listenPrivately(server: net.Server, where: net.ListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // The socket file is created inside listen(), before it returns. A Windows pipe has no mode.
    const isFile = where.path !== undefined && !where.path.startsWith('\\\\');
    const umask = isFile ? process.umask(0o177) : undefined;
    try {
      server.listen(where, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  });
}

/** Connects to a unix socket once: undefined when a process accepts the connection, else the error code. */
export function connectError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(undefined);
    });
    probe.once('error', (error) => resolve(errnoOf(error) ?? error.name));
  });
}
