/** What to do about an error of the operating system, whatever the engine was doing. */

/** Errors with a cure of their own. What to do about a missing file or permission depends on what it was for. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: 'Free some space on its disk (df -h; df -i when it has too many files), then try again.',
  EDQUOT: 'Delete files until the quota of this user has room, then try again.',
  EFBIG: 'Raise the file size limit (ulimit -f), then try again.',
  EMFILE: 'Raise the limit of open files (ulimit -n), then try again.',
  ENFILE: 'End programs that keep many files open, then try again.',
  ENOMEM: 'Free some memory, then try again.',
  EROFS: 'Mount its file system writable, or choose another path.',
  EIO: 'Check the disk, or choose a path on another one.',
  ENAMETOOLONG: 'Choose a shorter path.',
  ELOOP: 'Correct the symbolic link that leads back to itself, or choose another path.',
  SQLITE_FULL: 'Free some space on its disk (df -h), then try again.',
};

/** Causes of causes are looked at too, but not for ever. */
const MAX_DEPTH = 8;

/** The next step for the system error that is `error` or its cause; undefined: there is none that always fits. */
export function systemRemedy(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth += 1) {
    const code = 'code' in current && typeof current.code === 'string' ? current.code : '';
    if (Object.hasOwn(REMEDIES, code)) return REMEDIES[code];
    current = current.cause;
  }
  return undefined;
}
