/** What status says about the disk of the home: nothing while an engine can write there. */
import { access, constants, statfs } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf } from '../../system/errno.js';

/** With less than this, a new identity or refreshed tokens may not fit. In bytes. */
const LOW_SPACE = 2 * 1024 * 1024;
/** A disk of the network that does not answer must not delay the status. ms */
const TIMEOUT = 500;

/** The disk of a home. */
export interface Disk {
  readonly freeBytes: number;
  /** Its file system refuses every write. */
  readonly readOnly: boolean;
}

/** @returns undefined when the disk cannot be asked, or does not answer in time */
export async function readDisk(home: string): Promise<Disk | undefined> {
  const read = async (): Promise<Disk> => {
    const [{ bavail, bsize }, readOnly] = await Promise.all([
      statfs(home),
      access(home, constants.W_OK).then(
        () => false,
        (error: unknown) => errnoOf(error) === 'EROFS',
      ),
    ]);
    return { freeBytes: bavail * bsize, readOnly };
  };
  return Promise.race([read().catch(() => undefined), delay(TIMEOUT, undefined, { ref: false })]);
}

/** What is wrong with it, and what to do; undefined: nothing is. */
export function diskProblem(home: string, { freeBytes, readOnly }: Disk): string | undefined {
  const harm = 'an identity or refreshed tokens cannot be saved.';
  if (readOnly) return `The file system of ${home} is read-only: ${harm} Mount it writable.`;
  if (freeBytes >= LOW_SPACE) return undefined;
  const left = freeBytes === 0 ? 'is full' : `has only ${Math.ceil(freeBytes / 1024)} KiB left`;
  return `The disk of ${home} ${left}: ${harm} Free some space.`;
}
