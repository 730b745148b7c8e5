import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { HistoryRecord } from './format.js';
import { type HistoryRow, RowMaker } from './history-rows.js';
import { listHistory, parseLine } from './read-history.js';

const LINE_BREAK = 0x0a;

/** Reads the rows of a history, and those that an engine adds while it runs. */
export class HistoryReader {
  /** Lines that are no records. */
  damaged = 0;
  /** Files that were found. */
  files = 0;
  readonly #directory: string;
  readonly #rows = new RowMaker();
  /** Bytes of each file that have been read: whole lines. */
  readonly #offsets = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The rows that were added since the last call, in the order of their steps. */
  async next(): Promise<HistoryRow[]> {
    const paths = await listHistory(this.#directory);
    this.files = paths.length;
    const rows: HistoryRow[] = [];
    for (const path of paths) rows.push(...this.#rows.rows({ records: await this.#recordsOf(path) }));
    return sorted(rows);
  }

  async #recordsOf(path: string): Promise<HistoryRecord[]> {
    const name = basename(path);
    const offset = this.#offsets.get(name) ?? 0;
    let whole: Buffer;
    try {
      const file = await open(path, 'r');
      try {
        const { size } = await file.stat();
        const buffer = Buffer.alloc(Math.max(size - offset, 0));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        // What follows the last line break is not complete: it is being written, or its engine was killed.
        whole = buffer.subarray(0, buffer.lastIndexOf(LINE_BREAK, bytesRead) + 1);
      } finally {
        await file.close();
      }
    } catch (error) {
      // The ring has deleted it meanwhile.
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
      throw error;
    }
    this.#offsets.set(name, offset + whole.length);
    const lines = whole.toString('utf8').split('\n').slice(0, -1);
    return lines.flatMap((line) => {
      const record = parseLine(line);
      if (record === undefined) this.damaged += 1;
      return record ?? [];
    });
  }
}

/** By the step: a step is written after those that it caused, and connections have files of their own. */
function sorted(rows: readonly HistoryRow[]): HistoryRow[] {
  let last = '';
  const keyed = rows.map((row) => {
    // A row without an id stays behind the one before it.
    last = row.id ?? last;
    return { key: last, row };
  });
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ row }) => row);
}
