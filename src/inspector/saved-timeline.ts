import { readFile, stat } from 'node:fs/promises';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { type SavedTimeline, Timeline } from './timeline.js';
import { parseTimeline } from './timeline-schema.js';

/** Largest accepted file, bytes. */
const MAX_BYTES = 256 * 1024 * 1024;

/**
 * Reads a timeline that the page has saved.
 * @param charts Hashes of the charts that this version can draw; undefined: it need not draw them.
 * @throws EngineError `timelineUnusable`: missing, truncated, not a timeline, damaged, or of another version.
 */
export async function readTimeline(
  path: string,
  charts?: Readonly<Record<string, string>>,
): Promise<SavedTimeline> {
  const failure = (message: string, cause?: unknown) =>
    new EngineError('timelineUnusable', message, { cause });
  let text: string;
  try {
    const found = await stat(path);
    // Reading a pipe without a writer would never end.
    if (!found.isFile() && !found.isDirectory()) throw failure(`${path} is not a file.`);
    const { size } = found;
    if (size > MAX_BYTES)
      throw failure(`${path} is too large for a saved timeline: the limit is ${MAX_BYTES} bytes.`);
    text = withoutByteOrderMark(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure(`${path} cannot be read (${code}).`, error);
  }
  const parsed = parseTimeline(text);
  if ('problem' in parsed) throw failure(`${path} ${parsed.problem}`);
  const { timeline } = parsed;
  const changed =
    charts === undefined
      ? undefined
      : Object.entries(timeline.charts).find(([name, hash]) => charts[name] !== hash);
  if (changed !== undefined) {
    throw failure(
      `${path} was saved by rc-engine ${timeline.engine}, whose chart ${changed[0]} (${changed[1]}) differs from the chart of this version (${charts?.[changed[0]] ?? 'none'}).`,
    );
  }
  return timeline;
}

export function restoreTimeline(saved: SavedTimeline): Timeline {
  const timeline = new Timeline(Math.max(1, saved.entries.length), saved.base, saved.entries[0]?.seq ?? 0);
  for (const entry of saved.entries) timeline.add(entry);
  return timeline;
}
