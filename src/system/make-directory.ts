import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errno.js';

/**
 * Makes the folder `path` with those above it that are missing; true when it was not there. Node's own
 * `recursive` never comes to an end where a folder that is there lets nothing be made in it and says ENOENT, as
 * /proc does and some network file systems do.
 * @throws The error of the system: EEXIST when `path` is something else, ENOTDIR when one above it is.
 */
export function makeDirectory(path: string, mode?: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    const code = errnoOf(error);
    // Read-only file systems say so even of a folder that is there.
    if (isFolder(path)) return false;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || isFolder(above)) throw error;
  }
  makeDirectory(dirname(path), mode);
  return makeDirectory(path, mode);
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
