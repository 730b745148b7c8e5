/** Small private files (mode 0600) that a reader sees complete or not at all. */
import { randomBytes } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from './errno.js';

export const PRIVATE_FILE = 0o600;

/** A unique name beside `path`: on the same file system, so that link and rename are atomic. */
export function siblingName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/** Replaces the file `path`, or creates it. `durable`: resolves only when the content survives a power cut. */
export async function replaceFile(path: string, text: string, durable: boolean): Promise<void> {
  const sibling = siblingName(path);
  try {
    await writeNew(sibling, text, durable);
    await rename(sibling, path);
  } catch (error) {
    await rm(sibling, { force: true });
    throw error;
  }
  if (durable) await syncDirectory(dirname(path));
}

/** Creates the file `path`; false if it exists already. Durable. */
export async function createFile(path: string, text: string): Promise<boolean> {
  const sibling = siblingName(path);
  try {
    await writeNew(sibling, text, true);
    return await publish(sibling, path);
  } finally {
    await rm(sibling, { force: true });
  }
}

/** Gives the finished file `sibling` the name `path`; false if that name exists already. Durable. */
export async function publish(sibling: string, path: string): Promise<boolean> {
  try {
    await link(sibling, path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return false;
    // A file system without hard links. Check and rename are two steps: another writer can come between them.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    if (await exists(path)) return false;
    await rename(sibling, path);
  }
  await syncDirectory(dirname(path));
  return true;
}

async function writeNew(path: string, text: string, durable: boolean): Promise<void> {
  const file = await open(path, 'wx', PRIVATE_FILE);
  try {
    // The umask may have removed bits from the mode.
    await file.chmod(PRIVATE_FILE);
    await file.writeFile(text);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes new names in a directory survive a power cut. Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } catch (error) {
    // Some network file systems cannot sync a directory; the file itself is safe.
    if (errnoOf(error) !== 'EINVAL') throw error;
  } finally {
    await directory.close();
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
