/**
 * The SQLite of this process: the one built into Node where Node loads it without a warning, otherwise the prebuilt
 * libsql. One process uses only one of them: each has its own list of the locks that the process holds, and closing a
 * file in one would release the locks of the other.
 */
import { createRequire } from 'node:module';
import { EngineError } from '../../protocol/errors.js';
import { builtinDriver } from './builtin.js';
import { libsqlDriver } from './libsql.js';

export type SqliteRow = Readonly<Record<string, unknown>>;
/** A number is bound as a floating-point number, a bigint as an integer. */
export type SqliteValue = string | number | bigint | null;

/** One connection. Its calls block the thread, but never wait for a lock: they fail with `SQLITE_BUSY`. */
export interface DriverConnection {
  /** Runs one or more statements and ignores their rows. */
  exec(sql: string): void;
  /**
   * The result runs one statement each time it is called. When it fails with `SQLITE_BUSY`, it can only be run again, or
   * the connection closed: libsql refuses all other calls. Select text that may be damaged as a blob
   * (`CAST(… AS BLOB)`): libsql ends the process when it reads text that is not valid UTF-8.
   */
  statement(sql: string, values: readonly SqliteValue[]): () => readonly SqliteRow[];
  /** Closes the file. Resolves when it is closed and all its locks are released. */
  close(): Promise<void>;
}

export interface SqliteDriver {
  readonly name: 'node:sqlite' | 'libsql';
  /** Opens a file that exists, for reading and writing where the file allows it. */
  open(path: string): DriverConnection;
}

let loaded: SqliteDriver | undefined;

/** @throws EngineError `sqliteMissing` */
export function sqliteDriver(): SqliteDriver {
  loaded ??= loadDriver(createRequire(import.meta.url));
  return loaded;
}

/**
 * @param require loads the packages of libsql
 * @throws EngineError `sqliteMissing`
 */
export function loadDriver(require: (name: string) => unknown): SqliteDriver {
  const driver = builtinDriver();
  if (driver !== undefined) return driver;
  const names = libsqlPackages();
  const failures: string[] = [];
  for (const name of names) {
    try {
      return libsqlDriver(require(name));
    } catch (error) {
      failures.push(firstLine(error));
    }
  }
  const why =
    names.length === 0
      ? `there is no prebuilt SQLite for ${process.platform} on ${process.arch}`
      : `the package ${names.join(' or ')} cannot be loaded (${failures.join('; ')})`;
  throw new EngineError('sqliteMissing', `SQLite cannot be loaded: ${why}.`, {
    remediation:
      names.length === 0
        ? 'Use Node 24.15 or later, which has SQLite built in.'
        : 'Install rc-engine again with its optional packages (without --omit=optional), or use Node 24.15 or later, which has SQLite built in.',
  });
}

/**
 * The packages that may fit this machine. libsql's own loader finds the C library with `process.report`, which takes
 * 15 ms; here the first package that loads is used.
 */
function libsqlPackages(): readonly string[] {
  const { platform, arch } = process;
  if (platform === 'darwin' && (arch === 'arm64' || arch === 'x64')) return [`@libsql/darwin-${arch}`];
  if (platform === 'win32' && arch === 'x64') return ['@libsql/win32-x64-msvc'];
  if (platform !== 'linux') return [];
  if (arch === 'arm') return ['@libsql/linux-arm-gnueabihf', '@libsql/linux-arm-musleabihf'];
  return arch === 'arm64' || arch === 'x64'
    ? [`@libsql/linux-${arch}-gnu`, `@libsql/linux-${arch}-musl`]
    : [];
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? '';
}
