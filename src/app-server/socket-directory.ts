/** Where the socket of a shared app server lives: a private directory with a path that is short enough. */
import { chmodSync, mkdtempSync, readdirSync, rmSync, type Stats, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { errnoText } from '../system/errno.js';
import { ownedByAnother, writableByOthers } from '../system/permissions.js';

const PREFIX = 'app-server-';
const SOCKET = 'app.sock';
/** As long as what `mkdtemp` appends to a name. */
const RANDOM = '000000';

export interface SocketPlaces {
  /** The home directory of the engine; undefined without one. */
  readonly home: string | undefined;
  readonly runtimeDir: string | undefined;
  readonly tmpdir: string;
  readonly platform: NodeJS.Platform;
}

export const systemPlaces = (home: string | undefined): SocketPlaces => ({
  home,
  runtimeDir: process.env.XDG_RUNTIME_DIR || undefined,
  tmpdir: tmpdir(),
  platform: process.platform,
});

/** Bytes of `sun_path` without the terminating zero. */
const longestPath = (platform: NodeJS.Platform): number =>
  platform === 'linux' || platform === 'android' ? 107 : 103;

/**
 * Creates a directory for one socket, mode 0700: under XDG_RUNTIME_DIR, else in the home, else under the directory for
 * temporary files, else in /tmp. RC-65
 * @returns the directory and the path of the socket
 * @throws Error with the length when every path is too long, or with the cause when no directory can be created
 */
export function makeSocketDirectory(places: SocketPlaces): {
  readonly directory: string;
  readonly path: string;
} {
  const limit = longestPath(places.platform);
  const problems: string[] = [];
  for (const parent of parentsOf(places)) {
    const bytes = socketPathBytes(parent);
    if (bytes > limit) {
      problems.push(
        `a path in ${parent} would be too long for a socket: ${bytes} bytes, and ${limit} are possible`,
      );
      continue;
    }
    try {
      const directory = mkdtempSync(join(parent, PREFIX));
      // The umask may have removed bits that the owner needs.
      chmodSync(directory, 0o700);
      return { directory, path: join(directory, SOCKET) };
    } catch (error) {
      problems.push(`${parent} cannot be used: ${errnoText(error)}`);
    }
  }
  throw new Error(problems.join('; '));
}

function parentsOf({ home, runtimeDir, tmpdir: temporary }: SocketPlaces): readonly string[] {
  const candidates = [
    ...(runtimeDir !== undefined && isAbsolute(runtimeDir) && isPrivate(runtimeDir) ? [runtimeDir] : []),
    ...(home === undefined ? [] : [home]),
    temporary,
    '/tmp',
  ];
  return [...new Set(candidates)];
}

const socketPathBytes = (parent: string): number =>
  Buffer.byteLength(join(parent, `${PREFIX}${RANDOM}`, SOCKET));

function isPrivate(path: string): boolean {
  let found: Stats | undefined;
  try {
    found = statSync(path, { throwIfNoEntry: false });
  } catch {
    return false;
  }
  if (found?.isDirectory() !== true) return false;
  return ownedByAnother(found) === undefined && writableByOthers(found) === undefined;
}

/** Deletes what an engine that was killed with its guard left in the home. The caller holds the lock of the home. */
export function removeStaleDirectories(home: string): void {
  try {
    for (const name of readdirSync(home)) {
      if (name.startsWith(PREFIX) && name.length === PREFIX.length + RANDOM.length) {
        rmSync(join(home, name), { recursive: true, force: true });
      }
    }
  } catch {
    // Nothing depends on it.
  }
}

/** What is wrong with TMPDIR, for a warning at start; null: nothing. */
export function temporaryDirectoryProblem(temporary: string | undefined = process.env.TMPDIR): string | null {
  if (temporary === undefined || temporary === '') return null;
  let found: Stats | undefined;
  try {
    found = statSync(temporary, { throwIfNoEntry: false });
  } catch (error) {
    return `TMPDIR ${temporary} cannot be used: ${errnoText(error)}.`;
  }
  if (found === undefined)
    return `TMPDIR ${temporary} does not exist: create it, or set TMPDIR to another directory.`;
  if (!found.isDirectory()) return `TMPDIR ${temporary} is not a directory.`;
  const bytes = socketPathBytes(temporary);
  const limit = longestPath(process.platform);
  return bytes > limit
    ? `TMPDIR ${temporary} is too long for sockets: ${bytes} bytes, and ${limit} are possible. The engine uses other directories for them.`
    : null;
}
