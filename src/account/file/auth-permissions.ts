/** Who else may use the account file. ACC-91a */
import { type Stats, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { EngineError } from '../../protocol/errors.js';
import {
  entriesReplaceable,
  ownedByAnother,
  readableByOthers,
  writableByOthers,
} from '../../system/permissions.js';

/**
 * Refuses an account file that other users can change: such a user could sign the engine in as somebody else. A missing
 * file is not checked.
 * @returns a warning when other users can read or replace it; null when only its owner can
 * @throws EngineError `secretFileUnusable`
 */
export function checkAuthFile(path: string): string | null {
  const found = statOf(path);
  if (found?.isFile() !== true) return null;
  const writable = writableByOthers(found);
  if (writable !== undefined) {
    throw new EngineError('secretFileUnusable', `The account file ${path} ${writable}.`, {
      remediation: `Check the account in it, then run chmod 600 ${path}.`,
    });
  }
  const problem = ownedByAnother(found) ?? readableByOthers(found);
  if (problem !== undefined) return `The account file ${path} ${problem}: run chmod 600 ${path} as its owner`;
  const directory = dirname(path);
  const around = statOf(directory);
  if (around === undefined || !entriesReplaceable(around)) return null;
  return `The account file ${path} can be replaced by other users, because ${directory} can be changed by them: run chmod go-w ${directory}`;
}

/** Undefined for a file that is missing or cannot be reached: reading it reports that. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}
