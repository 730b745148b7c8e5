import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf } from './errno.js';

/**
 * Creates the directory `path` and its missing parents. `mode` applies to all of them.
 *
 * It replaces the `recursive` option of Node, which loops forever below an existing directory that answers ENOENT
 * when something is created in it, as /proc and some network file systems do.
 * @returns false when the directory existed already
 * @throws The system error: EEXIST when `path` is not a directory, ENOTDIR when a parent is not one.
 */
export function makeDirectory(path: string, mode?: number): boolean {
  try {
    mkdirSync(path, { mode });
    return true;
  } catch (error) {
    const code = errnoOf(error);
    // A read-only file system answers EROFS even for a directory that exists.
    if (isDirectory(path)) return false;
    const parent = dirname(path);
    if (code !== 'ENOENT' || parent === path || isDirectory(parent)) throw error;
  }
  makeDirectory(dirname(path), mode);
  return makeDirectory(path, mode);
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
