/** The authority `filesystem`: a unix socket that only the user of the engine can reach. WSA-50, WSA-51 */
import { lstatSync, type Stats, statSync } from 'node:fs';
import { dirname, join, resolve, sep } from 'node:path';
import { EngineError } from '../../protocol/errors.js';
import { errnoText } from '../../system/errno.js';
import { makeDirectory } from '../../system/make-directory.js';
import { directoryError } from '../bind.js';

const PRIVATE_DIRECTORY = 0o700;
/** Mode bits of group and others. An access control list cannot grant more than the bits of the group. */
const OTHERS = 0o077;

/** Where one user cannot be distinguished from another, as on Windows, no socket is private. */
const ownUid = process.getuid?.();

/** Why others may reach the socket, as the rest of a sentence about its directory; undefined: only this user can. */
export function exposure(socketPath: string): string | undefined {
  let found: Stats | undefined;
  try {
    found = statSync(dirname(socketPath), { throwIfNoEntry: false });
  } catch (error) {
    return `cannot be checked: ${errnoText(error)}`;
  }
  if (found === undefined) return 'does not exist';
  if (!found.isDirectory()) return 'is not a directory';
  return foreignOwner(found) ?? openMode(found, 'can be entered by other users');
}

/**
 * Creates the directory of the socket with mode 0700 where it is missing, and checks it.
 * @throws EngineError `listenerFailed` when other users could enter it
 */
export function openPrivateDirectory(socketPath: string): void {
  const directory = dirname(socketPath);
  if (statSync(socketPath, { throwIfNoEntry: false })?.isDirectory() === true)
    throw directoryError(socketPath);
  try {
    makeDirectory(directory, PRIVATE_DIRECTORY);
  } catch (error) {
    throw new EngineError(
      'listenerFailed',
      `The directory ${directory} of the socket cannot be created: ${errnoText(error)}.`,
      {
        remediation: 'Check the path after unix:// and the permissions of its parent directory.',
        cause: error,
      },
    );
  }
  const problem = exposure(socketPath);
  if (problem === undefined) return;
  throw new EngineError(
    'listenerFailed',
    `The directory ${directory} of the socket ${problem}, so --ws-auth filesystem cannot be used there.`,
    {
      remediation: isOfSystem(directory)
        ? `Name a directory that does not exist yet, such as ${join(directory, 'rc-engine')}, or add --ws-auth capability-token.`
        : `Run chmod 700 ${directory} if it is yours, name a directory that does not exist yet, or add --ws-auth capability-token.`,
    },
  );
}

/** A directory that all users need, such as /tmp or the root: nobody should take their access away. */
function isOfSystem(directory: string): boolean {
  const found = statSync(directory, { throwIfNoEntry: false });
  if (found === undefined) return false;
  const isShared = (found.mode & 0o1000) !== 0 || found.uid !== process.getuid?.();
  // Such as /var/run; a directory of root further below is like that of any user.
  const isNearRoot = found.uid === 0 && resolve(directory).split(sep).filter(Boolean).length <= 2;
  return isShared || isNearRoot;
}

/**
 * Checks the socket itself after it was bound.
 * @throws EngineError `listenerFailed`
 */
export function checkPrivateSocket(socketPath: string): void {
  const found = lstatSync(socketPath, { throwIfNoEntry: false });
  const problem =
    exposure(socketPath) === undefined
      ? found === undefined || !found.isSocket()
        ? 'was replaced while it was opened'
        : (foreignOwner(found) ?? openMode(found, 'can be opened by other users'))
      : 'is in a directory that was opened to other users';
  if (problem === undefined) return;
  throw new EngineError('listenerFailed', `The socket ${socketPath} ${problem}.`, {
    remediation: 'Use a directory that only you can enter (mode 0700).',
  });
}

const foreignOwner = ({ uid }: Stats): string | undefined =>
  ownUid === undefined
    ? 'has no owner and no mode on this system'
    : uid !== ownUid
      ? `belongs to another user (uid ${uid})`
      : undefined;

const openMode = ({ mode }: Stats, what: string): string | undefined =>
  (mode & OTHERS) === 0 ? undefined : `${what} (mode ${(mode & 0o7777).toString(8).padStart(4, '0')})`;
