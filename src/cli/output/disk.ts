/** What status says about the disk of the home: nothing while an engine can write there. */
import { access, constants, statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../system/errno.js';

/** With less than this, an identity or renewed tokens may soon not fit. In bytes. */
export const LOW_SPACE = 20 * 1024 * 1024;
/** A disk of the network that does not answer must not delay the status. ms */
const TIMEOUT = 500;

/** The disk of a home. */
export interface Disk {
  readonly freeBytes: number;
  /** It has room, but no entry for one more file. */
  readonly noEntries: boolean;
  /** Its file system refuses every write. */
  readonly readOnly: boolean;
}

/** @returns undefined when the disk cannot be asked, or does not answer in time */
export async function readDisk(home: string): Promise<Disk | undefined> {
  const read = async (): Promise<Disk> => {
    const [{ bavail, bsize, files, ffree }, readOnly] = await Promise.all([
      statfs(home),
      access(home, constants.W_OK).then(
        () => false,
        (error: unknown) => errnoOf(error) === 'EROFS',
      ),
    ]);
    return { freeBytes: bavail * bsize, noEntries: files > 0 && ffree === 0, readOnly };
  };
  return Promise.race([read().catch(() => undefined), delay(TIMEOUT, undefined, { ref: false })]);
}

/** What is wrong with it, and what to do; undefined: nothing is. */
export function diskProblem(home: string, { freeBytes, noEntries, readOnly }: Disk): string | undefined {
  const harm = 'an identity or refreshed tokens cannot be saved.';
  if (readOnly) return `The file system of ${home} is read-only: ${harm} Mount it writable.`;
  if (noEntries)
    return `The disk of ${home} has no room for another file (inodes): ${harm} Remove some files.`;
  if (freeBytes >= LOW_SPACE) return undefined;
  const left = freeBytes === 0 ? 'is full' : `has only ${sizeText(freeBytes)} left`;
  return `The disk of ${home} ${left}: ${harm} Free some space.`;
}

/** @example sizeText(4096) // '4 KiB' */
export function sizeText(bytes: number): string {
  return bytes < 1024 * 1024 ? `${Math.ceil(bytes / 1024)} KiB` : `${Math.floor(bytes / 1024 / 1024)} MiB`;
}
