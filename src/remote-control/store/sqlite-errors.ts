import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EngineError } from '../../protocol/errors.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { StoreError } from './record-table.js';

const TEXTS: Readonly<Record<string, { readonly text: string; readonly invalid: boolean }>> = {
  SQLITE_NOTADB: { text: 'is not a valid SQLite database', invalid: true },
  SQLITE_CORRUPT: { text: 'is not a valid SQLite database: it is damaged', invalid: true },
  SQLITE_BUSY: { text: 'is locked by another process', invalid: false },
  SQLITE_LOCKED: { text: 'is locked by another connection of this process', invalid: false },
  SQLITE_PROTOCOL: { text: 'is locked by another process', invalid: false },
  SQLITE_FULL: { text: 'cannot grow: the disk is full', invalid: false },
  SQLITE_IOERR: {
    text: 'had an input/output error (disk full, quota, file size limit or a failing disk)',
    invalid: false,
  },
  SQLITE_READONLY: { text: 'is read-only', invalid: false },
  SQLITE_PERM: { text: 'cannot be opened: permission denied', invalid: true },
  SQLITE_NOMEM: { text: 'cannot be used: out of memory', invalid: false },
  SQLITE_MISUSE: { text: 'was closed', invalid: false },
};

export function storeTitle(path: string): string {
  return `The enrollment store ${path}`;
}

/**
 * The StoreError of a failed call on the database. An error without a system or SQLite code is a bug and is returned
 * unchanged.
 */
export async function explainSqliteError(path: string, error: unknown): Promise<unknown> {
  if (error instanceof EngineError) {
    return new StoreError(`${error.message} ${error.remediation}`, { invalid: true, cause: error });
  }
  const code = errnoOf(error);
  if (error instanceof StoreError || code === undefined) return error;
  const known = TEXTS[code];
  if (known !== undefined) {
    return new StoreError(`${storeTitle(path)} ${known.text} (${code}).`, {
      invalid: known.invalid,
      cause: error,
    });
  }
  // SQLite reports CANTOPEN for many causes; the file system shows which one it is.
  const cause = code === 'SQLITE_CANTOPEN' ? await openErrorCause(path) : errnoText(error);
  return new StoreError(`${storeTitle(path)} cannot be opened: ${cause}.`, {
    invalid: true,
    cause: error,
  });
}

async function openErrorCause(path: string): Promise<string> {
  try {
    const directory = await stat(dirname(path));
    if (!directory.isDirectory()) return `${dirname(path)} is a file, not a directory (SQLITE_CANTOPEN)`;
  } catch (error) {
    return `its directory ${dirname(path)}: ${errnoText(error)}`;
  }
  try {
    if ((await stat(path)).isDirectory()) return 'it is a directory, not a file (SQLITE_CANTOPEN)';
  } catch (error) {
    return errnoText(error);
  }
  return 'permission denied for it or for its directory (SQLITE_CANTOPEN)';
}
