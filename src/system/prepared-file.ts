/**
 * A write of a private file that was proven possible before its content is known. Refresh tokens need that: one that
 * was redeemed cannot be redeemed again, so its successor must find its place. ACC-113, ACC-114
 */
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PRIVATE_FILE, siblingName, syncDirectory } from './atomic-file.js';
import { errnoOf } from './errno.js';

/** Call `write` or `discard`, once. */
export interface PreparedFile {
  /** Replaces the content of the file. Resolves when the content survives a power cut. */
  write(text: string): Promise<void>;
  discard(): Promise<void>;
}

/** JSON ignores it, so that a file that was made longer in advance stays readable. */
const SPACE = 0x20;

/**
 * The file cannot be replaced, but may be writable: it is a mount point, as a single file of a container is, or its
 * directory cannot be changed.
 */
const NOT_REPLACEABLE: ReadonlySet<string> = new Set(['EBUSY', 'EXDEV', 'EROFS', 'EACCES', 'EPERM']);
export const isNotReplaceable = (error: unknown): boolean => NOT_REPLACEABLE.has(errnoOf(error) ?? '');

/**
 * Takes the disk space for `bytes` and finds out how the file `path`, not a link, can be written: replaced by a file
 * beside it, or else in place.
 * @throws The system error that tells why it cannot be written.
 */
export async function prepareFile(path: string, bytes: number): Promise<PreparedFile> {
  if (await isMountPoint(path)) return openInPlace(path, bytes);
  await refuseImmutable(path);
  try {
    return await openSibling(path, bytes);
  } catch (error) {
    if (!isNotReplaceable(error)) throw error;
    return openInPlace(path, bytes).catch(() => {
      throw error;
    });
  }
}

/** Removes the content of the file `path`, and the file itself if that is possible. Survives a power cut. */
export async function removeFile(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    if (!isNotReplaceable(error)) throw error;
    const file = await openInPlace(path, 0).catch(() => {
      throw error;
    });
    await file.write('');
    return;
  }
  // Without this, a power cut could bring back what was signed out.
  await syncDirectory(dirname(path)).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error;
  });
}

async function openSibling(path: string, bytes: number): Promise<PreparedFile> {
  const sibling = siblingName(path);
  const file = await open(sibling, 'wx', PRIVATE_FILE);
  const discard = async (): Promise<void> => {
    await file.close().catch(() => {});
    await rm(sibling, { force: true });
  };
  try {
    // The umask may have removed bits from the mode.
    await file.chmod(PRIVATE_FILE);
    await writeAt(file, Buffer.alloc(bytes, SPACE), 0);
    // Some file systems take the space only now.
    await file.sync();
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    discard,
    async write(text) {
      const content = Buffer.from(text);
      try {
        await writeAt(file, content, 0);
        await file.truncate(content.length);
        await file.sync();
        await file.close();
        await rename(sibling, path);
      } catch (error) {
        await discard();
        if (!isNotReplaceable(error)) throw error;
        const place = await openInPlace(path, content.length).catch(() => {
          throw error;
        });
        await place.write(text);
        return;
      }
      await syncDirectory(dirname(path));
    },
  };
}

async function openInPlace(path: string, bytes: number): Promise<PreparedFile> {
  const file = await open(path, 'r+');
  let size = 0;
  const restore = async (): Promise<void> => {
    // Another program may have written the file meanwhile.
    if ((await file.stat()).size === Math.max(size, bytes)) await file.truncate(size);
  };
  try {
    ({ size } = await file.stat());
    if (bytes > size) await writeAt(file, Buffer.alloc(bytes - size, SPACE), size);
    await file.sync();
  } catch (error) {
    await file.truncate(size).catch(() => {});
    await file.close();
    throw error;
  }
  return {
    async discard() {
      await restore().finally(() => file.close());
    },
    async write(text) {
      try {
        const content = Buffer.from(text);
        const old = (await file.stat()).size;
        // One write over the whole length: who reads in between finds the new content, and spaces behind it.
        const padded = Buffer.alloc(Math.max(old, content.length), SPACE);
        content.copy(padded);
        await writeAt(file, padded, 0);
        await file.truncate(content.length);
        // It belongs to somebody else in some containers.
        await file.chmod(PRIVATE_FILE).catch(() => {});
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}

async function writeAt(file: FileHandle, content: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < content.length; ) {
    const { bytesWritten } = await file.write(content, done, content.length - done, position + done);
    done += bytesWritten;
  }
}

/**
 * A file that is immutable or append-only (`chattr`) cannot be replaced either, but only the rename would show it. A file
 * without write permission (EACCES) can be replaced.
 */
async function refuseImmutable(path: string): Promise<void> {
  try {
    await (await open(path, 'r+')).close();
  } catch (error) {
    if (errnoOf(error) === 'EPERM') throw error;
  }
}

/** Linux refuses to replace a mount point (EBUSY), but only when it is tried. */
async function isMountPoint(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const escaped = path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return mounts.split('\n').some((line) => line.split(' ')[4] === escaped);
}
