/**
 * The control socket of a home: where it is, and when it is trusted. A program that can open this socket can do what
 * rc-engine can do, so both sides check the owner of the socket and of its directory. RC-8b
 */
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, lstatSync, mkdirSync, realpathSync, type Stats, statSync } from 'node:fs';
import { unlink } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { entriesReplaceable } from '../system/permissions.js';
import { listenPrivately } from '../system/unix-socket.js';

const PRIVATE_DIRECTORY = 0o700;
/** Mode bits of group and others. */
const OTHERS = 0o077;
const WRITERS = 0o022;

interface SocketPlatform {
  readonly platform: NodeJS.Platform;
  readonly tmpdir: string;
  /** XDG_RUNTIME_DIR: a directory of the system that only this user can access. */
  readonly runtimeDir?: string | undefined;
}

/**
 * The path of the control socket: in the home directory, or where that path is too long for a socket, in a directory
 * of its own under XDG_RUNTIME_DIR, else under the system's directory for temporary files. On Windows the name of a
 * pipe.
 * @param realDir `dir` with symbolic links resolved, so that every path to a home leads to the same socket
 */
export function controlSocketPath(
  dir: string,
  realDir: string,
  { platform, tmpdir: temporary, runtimeDir }: SocketPlatform = {
    platform: process.platform,
    tmpdir: tmpdir(),
    runtimeDir: privateRuntimeDirectory(process.env.XDG_RUNTIME_DIR),
  },
): string {
  const hash = createHash('sha256').update(realDir).digest('hex').slice(0, 16);
  if (platform === 'win32') return `\\\\.\\pipe\\rc-engine-${hash}`;
  const outside = (parent: string) => join(parent, `rc-engine-${hash}`, 'control.sock');
  const places = [
    join(dir, 'control.sock'),
    ...(runtimeDir === undefined ? [] : [outside(runtimeDir)]),
    outside(temporary),
  ];
  return places.find((path) => Buffer.byteLength(path) <= longest(platform)) ?? outside('/tmp');
}

/** Bytes of `sun_path` without the terminating zero. */
function longest(platform: NodeJS.Platform): number {
  return platform === 'linux' || platform === 'android' ? 107 : 103;
}

function privateRuntimeDirectory(path: string | undefined): string | undefined {
  if (path === undefined || !isAbsolute(path)) return undefined;
  const found = statSync(path, { throwIfNoEntry: false });
  return found !== undefined && findProblem(found, OTHERS) === undefined ? path : undefined;
}

/**
 * Creates the directory of the socket where it is not the home itself.
 * @throws EngineError `homeUnusable` when it cannot be created, or is not a private directory of this user
 */
export function openSocketDirectory(socket: string, homeDir: string): void {
  const directory = dirname(socket);
  if (directory === homeDir || isPipe(socket)) return;
  try {
    mkdirSync(directory, { mode: PRIVATE_DIRECTORY });
    // The umask may have removed bits that the owner needs.
    chmodSync(directory, PRIVATE_DIRECTORY);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      throw homeUnusable(
        `The directory ${directory} for the control socket cannot be created: ${errnoText(error)}.`,
        'Use a home directory with a shorter path.',
        error,
      );
    }
  }
  checkSharedPlace(directory);
}

/**
 * Listens on the control socket, with mode 0600. The engine holds the lock of the home, so an existing socket file is
 * stale.
 * @throws EngineError `homeUnusable`, also when somebody deletes its directory meanwhile
 */
export async function listenControlSocket(
  server: net.Server,
  socket: string,
  homeDir: string,
): Promise<void> {
  if (!isPipe(socket)) await unlink(socket).catch(() => {});
  try {
    await listenPrivately(server, { path: socket });
  } catch (error) {
    throw notOpened(socket, error);
  }
  try {
    checkControlSocket(socket, homeDir);
  } catch (error) {
    server.close();
    throw error instanceof EngineError ? error : notOpened(socket, error);
  }
}

function notOpened(socket: string, error: unknown): EngineError {
  const directory = dirname(socket);
  // The system reports a missing directory as a missing permission here.
  if (!isPipe(socket) && !existsSync(directory)) {
    return homeUnusable(
      `The control socket ${socket} cannot be opened: its directory was deleted during the start.`,
      'Start the engine again: it makes the directory again. Do not delete it while an engine runs.',
      error,
    );
  }
  return new EngineError(
    'homeUnusable',
    `The control socket ${socket} cannot be opened: ${errnoText(error)}.`,
    { cause: error },
  );
}

/** Distinguishes the file of a socket from a later one at its path; null: it is gone. Pipes of Windows cannot go. */
export function socketIdentity(socket: string): string | null {
  if (isPipe(socket)) return socket;
  try {
    const { dev, ino } = lstatSync(socket);
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

/**
 * Connects to the control socket.
 * @throws EngineError `homeUnusable` when the socket or its directory belongs to another user, or other users can change
 * the directory
 * @throws the system error when no process listens
 */
export async function connectControlSocket(socket: string, homeDir: string): Promise<net.Socket> {
  checkControlSocket(socket, homeDir);
  return new Promise((resolve, reject) => {
    const connection = net.connect(socket);
    connection.once('connect', () => {
      connection.off('error', reject);
      resolve(connection);
    });
    connection.once('error', reject);
  });
}

/** Nobody else can put another socket there after the check, because the directory is private to this user. */
function checkControlSocket(socket: string, homeDir: string): void {
  if (isPipe(socket)) return;
  const directory = dirname(socket);
  if (realpathSync(directory) === realpathSync(homeDir)) {
    // The directory of a home may be readable, because the socket itself has mode 0600.
    refuse(directory, findProblem(statSync(directory), WRITERS));
  } else checkSharedPlace(directory);
  const found = lstatSync(socket);
  // Nobody can listen there: the socket is gone. RC-100
  if (found.isDirectory()) throw Object.assign(new Error(`EISDIR: ${socket}`), { code: 'EISDIR' });
  const problem = found.isSocket() ? foreignOwner(found) : 'is not a socket';
  if (problem !== undefined) throw untrusted(`The control socket ${socket} ${problem}.`, directory);
}

/** A directory whose parent other users can write to: one of them may have made it, or a link with its name. */
function checkSharedPlace(directory: string): void {
  refuse(directory, findProblem(lstatSync(directory), OTHERS));
  const parent = dirname(directory);
  if (!entriesReplaceable(statSync(parent))) return;
  throw homeUnusable(
    `Other users can replace the directory ${directory} of the control socket, because ${parent} has no sticky bit.`,
    `Run chmod +t ${parent}, or use a home directory with a shorter path.`,
  );
}

function refuse(directory: string, problem: string | undefined): void {
  if (problem === undefined) return;
  throw untrusted(`The directory ${directory} of the control socket ${problem}.`, directory);
}

/** @param mask the mode bits that the directory must not have */
function findProblem(found: Stats, mask: number): string | undefined {
  if (!found.isDirectory()) return found.isSymbolicLink() ? 'is a symbolic link' : 'is not a directory';
  if (foreignOwner(found) !== undefined) return foreignOwner(found);
  return isPosix && (found.mode & mask) !== 0
    ? `is open to other users (mode ${(found.mode & 0o7777).toString(8).padStart(4, '0')})`
    : undefined;
}

const foreignOwner = ({ uid }: Stats): string | undefined =>
  isPosix && uid !== process.getuid?.() ? `belongs to another user (uid ${uid})` : undefined;

const isPosix = process.getuid !== undefined;

const isPipe = (path: string): boolean => path.startsWith('\\\\');

const untrusted = (message: string, directory: string): EngineError =>
  homeUnusable(
    message,
    `If ${directory} is yours, run chmod 700 ${directory} as its owner; otherwise delete it and start the engine again.`,
  );

function homeUnusable(message: string, remediation: string, cause?: unknown): EngineError {
  return new EngineError('homeUnusable', message, { remediation, cause });
}
