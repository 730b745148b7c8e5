/** The code of a system or SQLite error (`ENOENT`, `SQLITE_BUSY`); undefined for any other value. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  EISDIR: 'it is a directory, not a file',
  EEXIST: 'it is a file, not a directory',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file size limit is reached',
  EROFS: 'the file system is read-only',
  ELOOP: 'too many symbolic links',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ENFILE: 'too many open files in the system',
  EIO: 'input/output error',
  SQLITE_CANTOPEN: 'it cannot be opened',
  SQLITE_READONLY: 'it is read-only',
  SQLITE_IOERR: 'input/output error',
};

/** A system error in words, for messages: `permission denied (EACCES)`. */
export function errnoText(error: unknown): string {
  const code = errnoOf(error);
  // Some messages have many lines; the first one is enough.
  if (code === undefined)
    return String(error instanceof Error ? error.message : error)
      .split('\n', 1)
      .join();
  const text = TEXTS[code];
  return text === undefined ? code : `${text} (${code})`;
}
