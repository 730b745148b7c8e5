import { readlinkSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { errnoOf } from './errno.js';

/** As many as Linux follows. */
const MAX_LINKS = 40;

/**
 * The file that `path` leads to: the same path, or behind symbolic links the path of their target, which need not
 * exist. So an operation on the result leaves the links as they are.
 * @throws The system error: ELOOP for links in a circle, EACCES, and the like.
 */
export function linkTarget(path: string): string {
  let current = path;
  for (let links = 0; links < MAX_LINKS; links += 1) {
    const real = unlessMissing(() => realpathSync(current));
    if (real !== undefined) return real;
    // The target is missing, or a link to it. EINVAL: not a link.
    const link = unlessMissing(() => readlinkSync(current));
    if (link === undefined) return current;
    const directory = dirname(current);
    current = resolve(unlessMissing(() => realpathSync(directory)) ?? directory, link);
  }
  throw Object.assign(new Error(`ELOOP: too many symbolic links, '${path}'`), { code: 'ELOOP' });
}

function unlessMissing(read: () => string): string | undefined {
  try {
    return read();
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT' || code === 'EINVAL') return undefined;
    throw error;
  }
}
