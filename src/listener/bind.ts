import { statSync } from 'node:fs';
import type { Server } from 'node:net';
import { dirname } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { clearSocketPath, type ListenAddress } from './address.js';

type Bindable = Extract<ListenAddress, { kind: 'tcp' | 'unix' }>;

/** A burst of connections waits in the system, not in the clients' retries. */
const BACKLOG = 4_096;

/**
 * Binds a server and answers its URL as clients write it; a unix socket has mode 0600 from its first moment.
 * @throws EngineError `listenerFailed`
 */
export async function bind(server: Server, address: Bindable, secure: boolean): Promise<string> {
  if (address.kind === 'unix') await clearSocketPath(address.path);
  try {
    await listen(server, address);
  } catch (error) {
    const where = address.kind === 'unix' ? address.path : `${address.host} port ${address.port}`;
    throw new EngineError('listenerFailed', `Cannot listen on ${where}: ${bindText(error)}.`, {
      cause: error,
    });
  }
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) return `unix://${String(bound)}`;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `${secure ? 'wss' : 'ws'}://${host}:${bound.port}/`;
}

/** Whether somebody else may remove the socket and wait there for our clients and their tokens. */
export function isDirectoryShared(path: string): boolean {
  const folder = statSync(dirname(path), { throwIfNoEntry: false });
  if (folder === undefined || process.platform === 'win32') return false;
  const foreign = folder.uid !== process.getuid?.() && folder.uid !== 0;
  // In a sticky folder, such as /tmp, nobody removes what is not theirs.
  return foreign || ((folder.mode & 0o022) !== 0 && (folder.mode & 0o1000) === 0);
}

function listen(server: Server, address: Bindable): Promise<void> {
  const unix = address.kind === 'unix';
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // No moment in which others could connect: the socket is made with the right mode, within listen().
    const umask = unix ? process.umask(0o177) : undefined;
    try {
      const where = unix ? { path: address.path } : { host: address.host, port: address.port };
      server.listen({ ...where, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      if (umask !== undefined) process.umask(umask);
    }
  });
}

function bindText(error: unknown): string {
  switch (errnoOf(error)) {
    case 'EADDRINUSE':
      return 'the address is in use';
    case 'EADDRNOTAVAIL':
      return 'the address does not belong to this machine';
    case 'EACCES':
      return 'permission denied (EACCES)';
    default:
      return errnoText(error);
  }
}
