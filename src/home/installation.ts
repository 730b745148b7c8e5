/** How this machine identifies itself to the backend: the installation id of the home, and the host name. RC-4 */
import { randomUUID } from 'node:crypto';
import { chmod, readFile, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { EngineError } from '../protocol/errors.js';
import { createFile, PRIVATE_FILE, replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import type { Home } from './home.js';

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The installation id of this home. A missing one is created; concurrent processes get the same one.
 * @throws EngineError `homeUnusable` when the file cannot be read or written, or does not contain a UUID. The engine
 * never replaces an id automatically, because the backend identifies this machine by it.
 */
export async function loadInstallationId(home: Home): Promise<string> {
  const file = home.installationIdFile;
  try {
    let text = await readIfPresent(file);
    if (text === undefined) {
      const created = randomUUID();
      if (await createFile(file, `${created}\n`)) return created;
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
        remediation: 'Check the permissions of this file and its directory.',
      },
    );
  }
  throw new EngineError(
    'homeUnusable',
    `The installation id ${file} is damaged: it does not contain a UUID.`,
    {
      remediation: `Put the old UUID back into ${file}, or delete the file to get a new id at the next start.`,
    },
  );
}

/** Writes a new installation id, whatever the file contains. */
export async function renewInstallationId(home: Home): Promise<string> {
  const id = randomUUID();
  try {
    await replaceFile(home.installationIdFile, `${id}\n`, true);
  } catch (error) {
    throw new EngineError(
      'homeUnusable',
      `The installation id ${home.installationIdFile} cannot be written: ${errnoText(error)}.`,
      { cause: error },
    );
  }
  return id;
}

/** The host name as sent to the backend and stored: never empty, without control characters. RC-4, RC-8a */
export function serverName(name: string = hostname()): string {
  return name.replace(/\p{Cc}/gu, '').trim() || 'unnamed';
}

async function readIfPresent(file: string): Promise<string | undefined> {
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
