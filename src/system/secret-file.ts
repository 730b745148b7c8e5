import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { Secret } from '../protocol/secret.js';
import { errnoText } from './errno.js';

interface SecretFile {
  readonly secret: Secret;
  /** What is wrong with the permissions of the file and how to repair it; null: nothing. */
  readonly warning: string | null;
}

const MAX_BYTES = 64 * 1024;
const GROUP_OR_OTHERS = 0o066;

/**
 * Reads a file that holds one secret, and trims it. No error quotes the content. WSA-14
 * @param flag The option that names the file, for messages.
 * @param minBytes Minimum length after trimming. Default 1.
 * @throws EngineError `usage` for a relative path, `secretFileUnusable` for any problem with the file.
 */
export function readSecretFile(path: string, flag: string, minBytes = 1): SecretFile {
  if (!isAbsolute(path)) {
    throw new EngineError('usage', `${flag} must be an absolute path, not ${JSON.stringify(path)}.`);
  }
  const invalid = (problem: string, cause?: unknown) =>
    new EngineError('secretFileUnusable', `The file ${path} of ${flag} ${problem}.`, { cause });
  let bytes: Buffer;
  let mode: number;
  try {
    ({ bytes, mode } = read(path));
  } catch (error) {
    throw invalid(`cannot be read: ${errnoText(error)}`, error);
  }
  if (bytes.length > MAX_BYTES) throw invalid('is larger than 64 KiB');
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes).trim();
  } catch {
    throw invalid('is not UTF-8 text');
  }
  if (text === '') throw invalid('is empty');
  const size = Buffer.byteLength(text);
  if (size < minBytes) throw invalid(`holds ${size} bytes; at least ${minBytes} are needed`);
  const exposed = process.platform !== 'win32' && (mode & GROUP_OR_OTHERS) !== 0;
  return {
    secret: new Secret(text),
    warning: exposed
      ? `The file ${path} of ${flag} can be read or changed by other users: run chmod 600 ${path}`
      : null,
  };
}

function read(path: string): { readonly bytes: Buffer; readonly mode: number } {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(MAX_BYTES + 1);
    let length = 0;
    for (;;) {
      const got = readSync(file, bytes, length, bytes.length - length, null);
      if (got === 0) break;
      length += got;
      if (length === bytes.length) break;
    }
    return { bytes: bytes.subarray(0, length), mode: fstatSync(file).mode };
  } finally {
    closeSync(file);
  }
}
