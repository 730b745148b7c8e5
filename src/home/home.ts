/** The home directory: it holds every file of one engine. */
import { createHash } from 'node:crypto';
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { homedir, tmpdir, userInfo } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { makeDirectory } from '../system/make-directory.js';

const PRIVATE_DIRECTORY = 0o700;

export interface Home {
  /** Absolute. */
  readonly dir: string;
  readonly authFile: string;
  readonly configFile: string;
  readonly storeFile: string;
  /** `sqlite:` URL of `storeFile`. */
  readonly storeUrl: string;
  readonly installationIdFile: string;
  /** Held by the running engine. Never open it with `node:fs`: closing it would drop the lock. RC-8 */
  readonly lockFile: string;
  /** Names the running engine: pid, version, control socket. */
  readonly engineFile: string;
  /** Unix socket, or a named pipe on Windows. A client should prefer the one that `engineFile` names. */
  readonly controlSocket: string;
}

/**
 * The absolute path of the home directory: `dir`, else the environment variable RC_ENGINE_HOME, else `~/.rc-engine`.
 * A leading `~/` is the home directory of the user.
 * @throws EngineError `homeUnusable` for an empty or invalid path
 */
export function resolveHome(dir: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const chosen = dir ?? (env.RC_ENGINE_HOME || '~/.rc-engine');
  if (chosen === '' || chosen.includes('\0')) {
    throw new EngineError('homeUnusable', 'The path of the home directory is empty or invalid.');
  }
  // Node replaces bytes that are not UTF-8 with this character: the path would name a different directory.
  if (chosen.includes('\uFFFD')) {
    throw new EngineError('homeUnusable', 'The path of the home directory is not UTF-8.');
  }
  return resolve(expandTilde(chosen));
}

/** Replaces a leading `~` by the home directory of the user. */
export function expandTilde(path: string): string {
  return /^~(?=$|[/\\])/.test(path) ? join(userDirectory(), path.slice(1)) : path;
}

/**
 * HOME; when it is empty or relative, the directory that the system has for the user.
 * @throws EngineError `homeUnusable` when there is none, as in containers with a user id that is in no user list
 */
function userDirectory(): string {
  try {
    const named = homedir();
    return isAbsolute(named) ? named : userInfo().homedir;
  } catch (cause) {
    throw new EngineError(
      'homeUnusable',
      'HOME is not set, and the system has no home directory for this user.',
      {
        cause,
      },
    );
  }
}

/** The paths of a home directory, which may not exist. Creates nothing. */
export function locateHome(dir?: string): Home {
  const home = resolveHome(dir);
  const storeFile = join(home, 'rc-engine.sqlite');
  return {
    dir: home,
    authFile: join(home, 'auth.json'),
    configFile: join(home, 'config.json'),
    storeFile,
    storeUrl: `sqlite:${storeFile}`,
    installationIdFile: join(home, 'installation_id'),
    lockFile: join(home, 'engine.lock'),
    engineFile: join(home, 'engine.json'),
    controlSocket: controlSocketPath(home, realPath(home)),
  };
}

/**
 * Creates the home directory when it is missing (mode 0700; an existing one keeps its mode) and the directory of its
 * control socket, and checks that both can be used. Synchronous, because a start does nothing else meanwhile.
 * @throws EngineError `homeUnusable` with the path and the cause
 */
export function openHome(dir?: string): Home {
  const path = resolveHome(dir);
  try {
    if (makeDirectory(path, PRIVATE_DIRECTORY)) {
      // The umask may have removed bits that the owner needs.
      chmodSync(path, PRIVATE_DIRECTORY);
    }
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(`The home directory ${path} cannot be used: ${errnoText(error)}.`, error);
  }
  const home = locateHome(path);
  openSocketDirectory(home);
  return home;
}

/** When the path of the home is too long for a socket, the socket is in a directory that only this user may access. */
function openSocketDirectory(home: Home): void {
  const directory = dirname(home.controlSocket);
  if (directory === home.dir || process.platform === 'win32') return;
  const subject = `The directory ${directory} for the control socket`;
  try {
    mkdirSync(directory, { mode: PRIVATE_DIRECTORY });
    chmodSync(directory, PRIVATE_DIRECTORY);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      throw unusable(`${subject} cannot be created: ${errnoText(error)}.`, error);
    }
    // Other users can write to its parent, so it may belong to one of them.
    const found = lstatSync(directory);
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
      throw unusable(`${subject} is not a private directory (mode 0700) of this user.`, error);
    }
  }
}

interface SocketPlatform {
  readonly platform: NodeJS.Platform;
  readonly tmpdir: string;
}

/**
 * The path of the control socket: in the home directory, or in a directory of its own under the system's directory
 * for temporary files when the path is too long for a socket. On Windows the name of a pipe.
 * @param realDir `dir` with symbolic links resolved, so that every path to a home leads to the same socket
 */
export function controlSocketPath(
  dir: string,
  realDir: string,
  { platform, tmpdir: temporary }: SocketPlatform = { platform: process.platform, tmpdir: tmpdir() },
): string {
  const hash = createHash('sha256').update(realDir).digest('hex').slice(0, 16);
  if (platform === 'win32') return `\\\\.\\pipe\\rc-engine-${hash}`;
  const inside = join(dir, 'control.sock');
  return Buffer.byteLength(inside) <= longest(platform)
    ? inside
    : join(temporary, `rc-engine-${hash}`, 'control.sock');
}

/** Bytes of `sun_path` without the terminating zero. */
function longest(platform: NodeJS.Platform): number {
  return platform === 'linux' || platform === 'android' ? 107 : 103;
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function unusable(message: string, cause: unknown): EngineError {
  return new EngineError('homeUnusable', message, { cause });
}
