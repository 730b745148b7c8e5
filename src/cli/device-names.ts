/** The names that the owner has given to paired devices: a private file of the home. The backend knows nothing of them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EngineError } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { usageError } from './errors.js';

const MAX_NAME = 100;

export const deviceNamesFile = (homeDir: string): string => join(homeDir, 'device-names.json');

/** By the id of the device. A file that cannot be read has no names: it must not hide the devices. */
export async function readDeviceNames(file: string): Promise<Map<string, string>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    const entries = isRecord(value) ? Object.entries(value) : [];
    return new Map(entries.flatMap(([id, name]) => (typeof name === 'string' ? [[id, name] as const] : [])));
  } catch {
    return new Map();
  }
}

/**
 * @param name empty: the device has only the name that it gives itself
 * @throws EngineError `usage`, `homeUnusable`
 */
export async function nameDevice(file: string, clientId: string, name: string): Promise<void> {
  const shown = name.trim();
  if (shown.length > MAX_NAME || /\p{Cc}|\p{Cf}/u.test(shown)) {
    throw usageError(
      `A name has at most ${MAX_NAME} characters, and no control characters.`,
      'Choose a shorter name.',
    );
  }
  const names = await readDeviceNames(file);
  if (shown === (names.get(clientId) ?? '')) return;
  if (shown === '') names.delete(clientId);
  else names.set(clientId, shown);
  try {
    await replaceFile(file, `${JSON.stringify(Object.fromEntries(names), null, 2)}\n`, true);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    throw new EngineError('homeUnusable', `${file} cannot be written: ${errnoText(error)}.`, {
      cause: error,
    });
  }
}
