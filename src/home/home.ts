/** The home directory: it holds every file of one engine. */
import { accessSync, chmodSync, constants, realpathSync, type Stats, statSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';
import { makeDirectory } from '../system/make-directory.js';
import { ownedByAnother, readableByOthers, userName, writableByOthers } from '../system/permissions.js';
import { controlSocketPath, openSocketDirectory } from './control-socket.js';

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
 * control socket, and checks that both can be used and that no other user can change them. Synchronous, because a start
 * does nothing else meanwhile.
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
    throw homeUnusable(`The home directory ${path} cannot be used: ${errnoText(error)}.`, error);
  }
  checkHome(path);
  const home = locateHome(path);
  openSocketDirectory(home.controlSocket, home.dir);
  return home;
}

/**
 * Refuses a home directory that another user can change: such a user could replace each file in it. A missing one is
 * not checked. RC-8c
 * @returns a warning when other users can list it; null when only its owner can
 * @throws EngineError `homeUnusable`
 */
export function checkHome(dir: string): string | null {
  let found: Stats | undefined;
  try {
    found = statSync(dir, { throwIfNoEntry: false });
  } catch {
    return null; // A parent that cannot be entered: opening the home reports that.
  }
  if (found === undefined) return null;
  if (!found.isDirectory()) {
    throw new EngineError('homeUnusable', `The home directory ${dir} cannot be used: it is not a directory.`);
  }
  const foreign = ownedByAnother(found);
  if (foreign !== undefined) {
    throw new EngineError('homeUnusable', `The home directory ${dir} ${foreign}.`, {
      remediation: `Run this as that user (sudo -u ${userName(found.uid)} …), or choose another --home.`,
    });
  }
  const problem = writableByOthers(found);
  if (problem !== undefined) {
    throw new EngineError('homeUnusable', `The home directory ${dir} ${problem}.`, {
      remediation: `Run chmod 700 ${dir} as its owner, or choose another --home.`,
    });
  }
  const readable = readableByOthers(found);
  return readable === undefined ? null : `The home directory ${dir} ${readable}: run chmod 700 ${dir}`;
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function homeUnusable(message: string, cause: unknown): EngineError {
  return new EngineError('homeUnusable', message, { cause });
}
