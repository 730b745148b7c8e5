/** Small private files (mode 0600) that a reader sees either whole or not at all. */
import { randomBytes } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from './errno.js';

export const PRIVATE_FILE = 0o600;

/** A name beside `path` that nobody else uses; on the same file system, so that link and rename are atomic. */
export function siblingName(path: string): string {
  return `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
}

/** Puts `text` in place of whatever `path` held. `durable` waits until it survives a power cut. */
export async function replaceFile(path: string, text: string, durable: boolean): Promise<void> {
  const sibling = siblingName(path);
  try {
    await writeNew(sibling, text, durable);
    await rename(sibling, path);
  } catch (error) {
    await rm(sibling, { force: true });
    throw error;
  }
  if (durable) await syncFolder(dirname(path));
}

/** Creates `path` with `text` unless it exists; false when somebody else was first. Durable. */
export async function createFile(path: string, text: string): Promise<boolean> {
  const sibling = siblingName(path);
  try {
    await writeNew(sibling, text, true);
    return await publish(sibling, path);
  } finally {
    await rm(sibling, { force: true });
  }
}

/** Gives the finished file `sibling` its name unless that is taken; false when it is. Durable. */
export async function publish(sibling: string, path: string): Promise<boolean> {
  try {
    await link(sibling, path);
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'EEXIST') return false;
    // File systems without hard links: the two steps leave a gap, which is the best they can do.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
    if (await exists(path)) return false;
    await rename(sibling, path);
  }
  await syncFolder(dirname(path));
  return true;
}

async function writeNew(path: string, text: string, durable: boolean): Promise<void> {
  const file = await open(path, 'wx', PRIVATE_FILE);
  try {
    // A umask may have taken bits away from the mode that `open` was given.
    await file.chmod(PRIVATE_FILE);
    await file.writeFile(text);
    if (durable) await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes new names in a folder survive a power cut. Windows has no such call and needs none. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const folder = await open(dir, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems cannot sync a folder; the file itself is safe.
    if (errnoOf(error) !== 'EINVAL') throw error;
  } finally {
    await folder.close();
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
