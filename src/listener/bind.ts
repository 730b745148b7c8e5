import { type Stats, statSync, unlinkSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { entriesReplaceable } from '../system/permissions.js';
import { listenerOf } from '../system/socket-owner.js';
import { connectError, listenPrivately } from '../system/unix-socket.js';
import type { ListenAddress } from './address.js';

/** An address that a server can listen on. */
export type ServerAddress = Extract<ListenAddress, { kind: 'tcp' | 'unix' }>;

/** Connections of a burst wait in the system instead of failing in the clients. */
const BACKLOG = 4_096;

/**
 * Binds a server and returns its URL for clients. A unix socket has mode 0600 from the moment it exists.
 * @throws EngineError `listenerFailed`
 */
export async function bind(server: Server, address: ServerAddress, secure: boolean): Promise<string> {
  const unix = address.kind === 'unix';
  if (unix) await clearSocketPath(address.path);
  try {
    const where = unix ? { path: address.path } : { host: address.host, port: address.port };
    await listenPrivately(server, { ...where, backlog: BACKLOG });
  } catch (error) {
    const where = unix ? address.path : `${address.host} port ${address.port}`;
    throw new EngineError('listenerFailed', `Cannot listen on ${where}: ${bindErrorText(error)}.`, {
      cause: error,
    });
  }
  const bound = server.address();
  if (typeof bound !== 'object' || bound === null) return `unix://${String(bound)}`;
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `${secure ? 'wss' : 'ws'}://${host}:${bound.port}/`;
}

/** Whether another user could replace the socket with one of their own and receive the tokens of our clients. */
export function isDirectoryShared(path: string): boolean {
  const directory = statSync(dirname(path), { throwIfNoEntry: false });
  if (directory === undefined || process.platform === 'win32') return false;
  const foreign = directory.uid !== process.getuid?.() && directory.uid !== 0;
  return foreign || ancestorsOf(path).some((each) => entriesReplaceable(statSync(each)));
}

/** The directories above a path, up to the root. Who can replace one of them can replace the path. */
function ancestorsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === path ? [] : [parent, ...ancestorsOf(parent)];
}

/** Removes a stale socket file. A socket in use and any other file stay, and are an error. */
async function clearSocketPath(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new EngineError('listenerFailed', `The socket ${path} cannot be opened: ${errnoOf(error)}.`, {
      cause: error,
    });
  });
  if (found === undefined) return;
  if (found.isDirectory()) throw directoryError(path);
  if (!isSocket(path, found)) {
    throw new EngineError('listenerFailed', `The file ${path} is not a socket, so it is not replaced.`, {
      remediation: 'Choose another path, or remove the file if nobody needs it.',
    });
  }
  const error = await connectError(path);
  // After any other error a process may still listen and only be busy.
  if (error !== 'ECONNREFUSED' && error !== 'ENOENT') {
    const pid = listenerOf(path);
    const who = pid === undefined ? '' : ` (pid ${pid})`;
    throw new EngineError('listenerFailed', `Another process listens on the socket ${path}${who}.`, {
      remediation: 'Stop that process, or choose another path.',
    });
  }
  unlinkSync(path);
}

/** For a path that names a directory where a socket belongs. */
export const directoryError = (path: string): EngineError =>
  new EngineError('listenerFailed', `${path} is a directory, and a socket needs a path of its own.`, {
    remediation: `Name a file in it, such as ${join(path, 'rc-engine.sock')}.`,
  });

/** Codex CLI puts a link to its socket there. A link that leads nowhere is stale, as a socket without a process is. */
function isSocket(path: string, found: Stats): boolean {
  if (!found.isSymbolicLink()) return found.isSocket();
  return statSync(path, { throwIfNoEntry: false })?.isSocket() ?? true;
}

function bindErrorText(error: unknown): string {
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
