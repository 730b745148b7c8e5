/** The home folder: where everything of one engine lives. */
import { accessSync, chmodSync, constants, lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { homedir, userInfo } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { makeDirectory } from '../system/make-directory.js';
import { controlSocketPath } from './control-socket-path.js';

const PRIVATE_FOLDER = 0o700;

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
  /** Says who the running engine is. */
  readonly engineFile: string;
  /** Unix socket, or a named pipe on Windows. A client should prefer the one that `engineFile` names. */
  readonly controlSocket: string;
}

/**
 * The absolute path of the home folder: `dir`, else the environment variable RC_ENGINE_HOME, else `~/.rc-engine`.
 * A leading `~/` is the user's folder.
 * @throws EngineError `homeUnusable` for an empty path.
 */
export function resolveHome(dir: string | undefined, env: NodeJS.ProcessEnv = process.env): string {
  const chosen = dir ?? (env.RC_ENGINE_HOME || '~/.rc-engine');
  if (chosen === '' || chosen.includes('\0')) {
    throw new EngineError('homeUnusable', 'The path of the home folder is empty or not a path.');
  }
  // What Node makes of bytes that are no UTF-8: it would be another folder than the one that was meant.
  if (chosen.includes('\uFFFD')) {
    throw new EngineError('homeUnusable', 'The path of the home folder is not UTF-8 text.');
  }
  return resolve(expandTilde(chosen));
}

/** A leading `~/` is the user's folder. */
export function expandTilde(path: string): string {
  return /^~(?=$|[/\\])/.test(path) ? join(userFolder(), path.slice(1)) : path;
}

/**
 * HOME, but where that is empty or depends on where one is, what the system knows of the user.
 * @throws EngineError `homeUnusable` where it knows nothing: containers run under ids that are in no list.
 */
function userFolder(): string {
  try {
    const named = homedir();
    return isAbsolute(named) ? named : userInfo().homedir;
  } catch (cause) {
    throw new EngineError('homeUnusable', 'HOME is not set, and the system knows no folder of this user.', {
      cause,
    });
  }
}

/** The paths of a home folder that may not exist. Creates nothing. */
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
 * Makes sure that the home folder is there (new folders get mode 0700; an existing one keeps its own) and can be
 * used, with the folder of its control socket. Synchronous: a start has nothing else to do before it.
 * @throws EngineError `homeUnusable`, naming the path and the cause.
 */
export function openHome(dir?: string): Home {
  const path = resolveHome(dir);
  try {
    if (makeDirectory(path, PRIVATE_FOLDER)) {
      // A umask may have taken away bits that the owner needs.
      chmodSync(path, PRIVATE_FOLDER);
    }
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw unusable(`The home folder ${path} cannot be used: ${errnoText(error)}.`, error);
  }
  const home = locateHome(path);
  openSocketFolder(home);
  return home;
}

/** A socket that had to move out of a home with a long path lies in a folder that must be ours alone. */
function openSocketFolder(home: Home): void {
  const folder = dirname(home.controlSocket);
  if (folder === home.dir || process.platform === 'win32') return;
  const subject = `The folder ${folder} for the control socket`;
  try {
    mkdirSync(folder, { mode: PRIVATE_FOLDER });
    chmodSync(folder, PRIVATE_FOLDER);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') {
      throw unusable(`${subject} cannot be made: ${errnoText(error)}.`, error);
    }
    // Others may write to its parent, so somebody else may have been first.
    const found = lstatSync(folder);
    if (!found.isDirectory() || found.uid !== process.getuid?.() || (found.mode & 0o077) !== 0) {
      throw unusable(`${subject} is not a private folder (0700) of this user.`, error);
    }
  }
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
