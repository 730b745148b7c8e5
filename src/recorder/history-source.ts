import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { SOURCE_HASHES } from '../../machines/shared/source-hashes.js';
import { EngineError } from '../protocol/errors.js';
import { errnoText } from '../system/errno.js';
import type { HistoryRecord } from './format.js';
import { HistoryError, type HistoryFile, listHistory, parseHistory, readHistory } from './read-history.js';
import { historyDirectory } from './recorder.js';
import { historyOfReport, isPacked } from './report-file.js';

/** Largest file that is read, bytes. */
const MAX_BYTES = 1024 * 1024 * 1024;

/**
 * The history at a path: a home, its directory `history`, or one file.
 * @throws EngineError `historyUnusable` with the path and what is wrong
 */
export async function readHistoryAt(path: string): Promise<readonly HistoryFile[]> {
  let found: Stats;
  try {
    found = await stat(path);
  } catch (error) {
    throw unusable(`${path} cannot be read: ${errnoText(error)}.`, error);
  }
  try {
    const files = found.isDirectory() ? await readDirectory(path) : await readOne(path, found.size);
    if (files.some(({ records }) => records.length > 0)) return files;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw unusable(
      error instanceof HistoryError
        ? `${path} ${error.message}.`
        : `${path} cannot be read: ${errnoText(error)}.`,
      error,
    );
  }
  throw unusable(`There is no history in ${path}.`);
}

async function readDirectory(path: string): Promise<readonly HistoryFile[]> {
  const inHome = await listHistory(historyDirectory(path));
  return readHistory(inHome.length > 0 ? inHome : await listHistory(path));
}

async function readOne(path: string, size: number): Promise<readonly HistoryFile[]> {
  if (size > MAX_BYTES) throw unusable(`${path} is too large for a history.`);
  const bytes = await readFile(path);
  return isPacked(bytes) ? historyOfReport(bytes) : [parseHistory(basename(path), bytes.toString('utf8'))];
}

/** Charts that this version has with other sources than the recording. */
export function changedCharts(records: readonly HistoryRecord[]): readonly string[] {
  const changed = records.flatMap((record) =>
    record.record === 'segment'
      ? Object.entries(record.charts).flatMap(([name, hash]) => (SOURCE_HASHES[name] === hash ? [] : [name]))
      : [],
  );
  return [...new Set(changed)];
}

const unusable = (message: string, cause?: unknown): EngineError =>
  new EngineError('historyUnusable', message, { cause });
