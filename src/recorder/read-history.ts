import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import * as v from 'valibot';
import { HISTORY_FORMAT, HISTORY_VERSION, type HistoryRecord, parseSegmentName } from './format.js';

const Text = v.string();
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
const At = v.tuple([v.number(), v.number()]);
const outcome = {
  value: v.exactOptional(v.unknown()),
  status: v.exactOptional(v.picklist(['done', 'error', 'stopped'])),
  reason: v.exactOptional(Text),
  detail: v.exactOptional(Text),
  effects: v.exactOptional(v.array(Text)),
};
const step = {
  id: Text,
  actor: Count,
  at: At,
  random: v.exactOptional(v.array(v.number())),
  ...outcome,
};

const RecordSchema = v.variant('record', [
  v.object({
    record: v.literal('segment'),
    format: v.literal(HISTORY_FORMAT),
    version: v.number(),
    engine: Text,
    charts: v.record(Text, Text),
    installation: Text,
    timing: v.unknown(),
    boot: Text,
    lane: v.picklist(['engine', 'clients']),
    segment: Count,
    at: At,
  }),
  v.object({
    record: v.literal('state'),
    actor: Count,
    chart: Text,
    name: Text,
    parent: v.exactOptional(Count),
    value: v.unknown(),
    context: v.unknown(),
    children: v.array(Text),
  }),
  v.object({
    record: v.literal('start'),
    ...step,
    chart: Text,
    name: Text,
    parent: v.exactOptional(Count),
    input: v.unknown(),
  }),
  v.object({ record: v.literal('step'), ...step, event: v.looseObject({ type: Text }) }),
  v.object({
    ...{ record: v.literal('verdict'), id: Text, at: At, chart: Text },
    ...{ facts: v.unknown(), outcome: Text, reason: Text },
    ...{ first: v.exactOptional(Text), times: v.exactOptional(Count) },
  }),
  v.object({
    ...{ record: v.literal('repeat'), actor: Count, rounds: Count, steps: Count, at: At },
    ...{ first: v.exactOptional(Text), id: v.exactOptional(Text) },
  }),
  v.object({ record: v.literal('gap'), lost: Count, at: At }),
]);

/** The lines of one file of the history. */
export interface HistoryFile {
  readonly name: string;
  readonly records: readonly HistoryRecord[];
  /** Lines that are no records. The last line of an engine that was killed may be incomplete; it does not count. */
  readonly damaged: number;
}

/** Why a file cannot be read, for a person: it follows the name of the file. */
export class HistoryError extends Error {}

/** The records in a text. @throws HistoryError when it is not a history of this version */
export function parseHistory(name: string, text: string): HistoryFile {
  const lines = text.split('\n');
  // What follows the last line break was not written completely.
  lines.pop();
  const records: HistoryRecord[] = [];
  let damaged = 0;
  for (const line of lines) {
    const record = parseLine(line);
    if (record === undefined) damaged += 1;
    else records.push(record);
  }
  const [first] = records;
  if (first === undefined && damaged === 0) return { name, records, damaged };
  if (first?.record !== 'segment') throw new HistoryError('is not a history of rc-engine');
  if (first.version !== HISTORY_VERSION) {
    throw new HistoryError(
      `has version ${first.version} of the format (rc-engine ${first.engine} wrote it); this rc-engine reads version ${HISTORY_VERSION}`,
    );
  }
  return { name, records, damaged };
}

export function parseLine(line: string): HistoryRecord | undefined {
  try {
    const found = v.safeParse(RecordSchema, JSON.parse(line));
    return found.success ? found.output : undefined;
  } catch {
    return undefined;
  }
}

/** The files of the history in a directory, in the order of the starts of the engine. Missing: none. */
export async function listHistory(directory: string): Promise<string[]> {
  let entries: Dirent[];
  try {
    entries = await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && parseSegmentName(entry.name) !== undefined)
    .map(({ name }) => join(directory, name))
    .sort((a, b) => orderOf(a).localeCompare(orderOf(b)));
}

function orderOf(path: string): string {
  const { boot = '', lane = '', segment = 0 } = parseSegmentName(basename(path)) ?? {};
  return `${boot} ${lane === 'engine' ? 0 : 1} ${String(segment).padStart(9, '0')}`;
}

/** Reads the files, each as it is now. One that was deleted meanwhile is left out. */
export async function readHistory(paths: readonly string[]): Promise<HistoryFile[]> {
  const files: HistoryFile[] = [];
  for (const path of paths) {
    try {
      files.push(parseHistory(basename(path), await readFile(path, 'utf8')));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') continue;
      throw error;
    }
  }
  return files;
}

/** The files of `listHistory` whose newest line is not older than `since`, wall-clock ms. */
export async function changedSince(paths: readonly string[], since: number): Promise<string[]> {
  const found = await Promise.all(
    paths.map(async (path) => {
      const mtime = await stat(path).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      );
      return mtime >= since - CLOCK_MARGIN ? [path] : [];
    }),
  );
  return found.flat();
}

/** A file is written a little after its newest line. */
const CLOCK_MARGIN = 60_000;
