/** The primary result codes of SQLite, by number. */
const CODES: Readonly<Record<number, string>> = {
  1: 'SQLITE_ERROR',
  2: 'SQLITE_INTERNAL',
  3: 'SQLITE_PERM',
  4: 'SQLITE_ABORT',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  9: 'SQLITE_INTERRUPT',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  12: 'SQLITE_NOTFOUND',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  15: 'SQLITE_PROTOCOL',
  16: 'SQLITE_EMPTY',
  17: 'SQLITE_SCHEMA',
  18: 'SQLITE_TOOBIG',
  19: 'SQLITE_CONSTRAINT',
  20: 'SQLITE_MISMATCH',
  21: 'SQLITE_MISUSE',
  22: 'SQLITE_NOLFS',
  23: 'SQLITE_AUTH',
  24: 'SQLITE_FORMAT',
  25: 'SQLITE_RANGE',
  26: 'SQLITE_NOTADB',
};

/** An error of SQLite, the same with each driver. */
export class SqliteError extends Error {
  /** A primary result code, such as `SQLITE_BUSY`. */
  readonly code: string;

  /** @param result a primary or extended result code; the primary one is its low byte */
  constructor(result: number, message: string, cause?: unknown) {
    const code = CODES[result & 0xff] ?? 'SQLITE_ERROR';
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.name = 'SqliteError';
    this.code = code;
  }
}

export const MISUSE = 21;
