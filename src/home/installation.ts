/** Who this machine says it is: the installation id of a home folder, and the host name. RC-4 */
import { randomUUID } from 'node:crypto';
import { chmod, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { EngineError } from '../protocol/errors.js';
import { createFile, PRIVATE_FILE, replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import type { Home } from './home.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The id of this home folder; made when there is none, and the same for all processes that ask at once.
 * @throws EngineError `homeUnusable` when the file cannot be read or written, or holds something else: an id is
 * never replaced on its own, as the backend knows this machine by it.
 */
export async function loadInstallationId(home: Home): Promise<string> {
  const file = home.installationIdFile;
  try {
    let text = await readIfThere(file);
    if (text === undefined) {
      const fresh = randomUUID();
      if (await createFile(file, `${fresh}\n`)) return fresh;
      text = await readFile(file, 'utf8');
    }
    const id = text.trim();
    if (UUID.test(id)) {
      await makePrivate(file);
      return id;
    }
  } catch (error) {
    throw new EngineError(
      'homeUnusable',
      `The installation id ${file} cannot be used: ${errnoText(error)}.`,
      {
        cause: error,
        remediation: 'Check the permissions of this file and its folder.',
      },
    );
  }
  throw new EngineError('homeUnusable', `The installation id ${file} is damaged: it holds no UUID.`, {
    remediation: `Put the old UUID back into ${file}; or delete the file, and a new id is made at the next start.`,
  });
}

/** Gives this home folder a new id, whatever it had. */
export async function renewInstallationId(home: Home): Promise<string> {
  const fresh = randomUUID();
  try {
    await replaceFile(home.installationIdFile, `${fresh}\n`, true);
  } catch (error) {
    throw new EngineError(
      'homeUnusable',
      `The installation id ${home.installationIdFile} cannot be written: ${errnoText(error)}.`,
      { cause: error },
    );
  }
  return fresh;
}

/** The host name as it is sent and stored: never empty, without control characters. RC-4, RC-8a */
export function serverName(name: string = hostname()): string {
  return name.replace(/\p{Cc}/gu, '').trim() || 'unnamed';
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function makePrivate(file: string): Promise<void> {
  if (process.platform === 'win32') return;
  if (((await stat(file)).mode & 0o077) !== 0) await chmod(file, PRIVATE_FILE);
}
