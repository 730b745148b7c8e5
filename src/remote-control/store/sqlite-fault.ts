import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, errnoText } from '../../system/errno.js';
import { StoreError } from './record-table.js';

const TEXTS: Readonly<Record<string, { readonly text: string; readonly unusable: boolean }>> = {
  SQLITE_NOTADB: { text: 'is not a valid SQLite database', unusable: true },
  SQLITE_CORRUPT: { text: 'is not a valid SQLite database any more: it is damaged', unusable: true },
  SQLITE_BUSY: { text: 'is locked by another process', unusable: false },
  SQLITE_LOCKED: { text: 'is locked by another connection of this process', unusable: false },
  SQLITE_PROTOCOL: { text: 'is locked by another process', unusable: false },
  SQLITE_FULL: { text: 'cannot grow: the disk is full', unusable: false },
  SQLITE_IOERR: {
    text: 'met an input/output error (disk full, quota, file size limit or a failing disk)',
    unusable: false,
  },
  SQLITE_READONLY: { text: 'is read-only', unusable: false },
  SQLITE_PERM: { text: 'cannot be opened: permission denied', unusable: true },
  SQLITE_NOMEM: { text: 'cannot be used: out of memory', unusable: false },
  SQLITE_MISUSE: { text: 'was closed', unusable: false },
};

export function storeTitle(path: string): string {
  return `The enrollment store ${path}`;
}

/**
 * What a failed call on the database means. Anything without a system or SQLite code is a bug, and comes back
 * as it is.
 */
export async function explainSqliteError(path: string, error: unknown): Promise<unknown> {
  const code = errnoOf(error);
  if (error instanceof StoreError || code === undefined) return error;
  const known = TEXTS[code];
  if (known !== undefined) {
    return new StoreError(`${storeTitle(path)} ${known.text} (${code}).`, {
      unusable: known.unusable,
      cause: error,
    });
  }
  // SQLite says CANTOPEN for a dozen things; the file system knows which one it is.
  const why = code === 'SQLITE_CANTOPEN' ? await whyNotOpened(path) : errnoText(error);
  return new StoreError(`${storeTitle(path)} cannot be opened: ${why}.`, {
    unusable: true,
    cause: error,
  });
}

async function whyNotOpened(path: string): Promise<string> {
  try {
    const folder = await stat(dirname(path));
    if (!folder.isDirectory()) return `${dirname(path)} is a file, not a folder (SQLITE_CANTOPEN)`;
  } catch (error) {
    return `its folder ${dirname(path)}: ${errnoText(error)}`;
  }
  try {
    if ((await stat(path)).isDirectory()) return 'it is a folder, not a file (SQLITE_CANTOPEN)';
  } catch (error) {
    return errnoText(error);
  }
  return 'permission denied for it or for its folder (SQLITE_CANTOPEN)';
}
