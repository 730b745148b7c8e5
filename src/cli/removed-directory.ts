import { errnoOf } from '../system/errno.js';
import { usageError } from './errors.js';

/** No file can be below it. */
const PLACEHOLDER = '/dev/null/removed-directory';

let parsing = true;

/**
 * Lets a command run in a working directory that somebody has removed. Node throws an error without an explanation then,
 * also where nobody needs the directory: the command line parser asks for it when it is loaded. Call it first.
 */
export function allowRemovedDirectory(): void {
  try {
    process.cwd();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    process.cwd = () => {
      if (parsing) return PLACEHOLDER;
      throw usageError(
        'The working directory has been removed, and the command line has a relative path.',
        'Change to another directory, or name absolute paths.',
        error,
      );
    };
  }
}

/** From now on only a relative path needs the working directory. */
export function commandLineParsed(): void {
  parsing = false;
}
