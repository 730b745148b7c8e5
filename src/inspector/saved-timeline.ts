import { readFile, stat } from 'node:fs/promises';
import * as v from 'valibot';
import { withoutByteOrderMark } from '../protocol/byte-order-mark.js';
import { EngineError } from '../protocol/errors.js';
import { FILE_FORMAT, OLDEST_VERSION, type SavedTimeline, TIMELINE_VERSION, Timeline } from './timeline.js';

/** Largest accepted file, bytes. */
const MAX_BYTES = 256 * 1024 * 1024;
const MAX_ENTRIES = 1_000_000;

const Text = v.pipe(v.string(), v.maxLength(1_000));
const Count = v.pipe(v.number(), v.integer(), v.minValue(0));
const ActorSchema = v.strictObject({
  id: Count,
  name: Text,
  kind: v.picklist(['machine', 'task', 'shared']),
  chart: v.nullable(Text),
  parent: v.nullable(Count),
});
const EntrySchema = v.strictObject({
  seq: Count,
  time: v.number(),
  actor: Count,
  kind: v.picklist(['started', 'step', 'ignored', 'ended']),
  event: Text,
  active: v.array(Text),
  edges: v.array(Text),
  reason: v.nullable(Text),
  lasted: v.nullable(v.number()),
  count: Count,
  from: v.exactOptional(Count),
  failure: v.exactOptional(
    v.strictObject({
      text: Text,
      httpStatus: v.exactOptional(v.number()),
      requestId: v.exactOptional(Text),
    }),
  ),
  born: v.exactOptional(ActorSchema),
  status: v.exactOptional(v.picklist(['done', 'error', 'stopped'])),
});
const HeaderSchema = v.object({
  format: v.literal(FILE_FORMAT),
  version: v.number(),
  engine: v.optional(Text),
});
const FileSchema = v.strictObject({
  format: v.literal(FILE_FORMAT),
  version: v.picklist([OLDEST_VERSION, TIMELINE_VERSION]),
  engine: Text,
  savedAt: v.number(),
  charts: v.record(Text, Text),
  base: v.array(v.strictObject({ actor: ActorSchema, last: EntrySchema, since: v.number() })),
  entries: v.pipe(v.array(EntrySchema), v.maxLength(MAX_ENTRIES)),
});

/**
 * Reads a timeline that the page has saved.
 * @param charts Hashes of the charts that this version can draw.
 * @throws EngineError `timelineUnusable`: missing, truncated, not a timeline, damaged, or of another version.
 */
export async function readTimeline(
  path: string,
  charts: Readonly<Record<string, string>>,
): Promise<SavedTimeline> {
  const failure = (message: string, cause?: unknown) =>
    new EngineError('timelineUnusable', message, { cause });
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES)
      throw failure(`${path} is too large for a saved timeline: the limit is ${MAX_BYTES} bytes.`);
    text = withoutByteOrderMark(await readFile(path, 'utf8'));
  } catch (error) {
    if (error instanceof EngineError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw failure(`${path} cannot be read (${code}).`, error);
  }
  const value = parseJson(text);
  if (value === undefined) {
    throw failure(
      text.startsWith(`{"format":"${FILE_FORMAT}"`)
        ? `${path} is truncated: its end is missing.`
        : `${path} is not a timeline saved by the inspector.`,
    );
  }
  const header = v.safeParse(HeaderSchema, value);
  if (!header.success) throw failure(`${path} is not a timeline saved by the inspector.`);
  const { version, engine = 'another version' } = header.output;
  if (version !== TIMELINE_VERSION && version !== OLDEST_VERSION) {
    throw failure(
      `${path} was saved by rc-engine ${engine} in format ${version}; this version reads format ${TIMELINE_VERSION}.`,
    );
  }
  const file = v.safeParse(FileSchema, value);
  if (!file.success) {
    const [issue] = file.issues;
    throw failure(`${path} is damaged: ${v.getDotPath(issue) ?? 'the file'} is not valid.`);
  }
  const changed = Object.entries(file.output.charts).find(([name, hash]) => charts[name] !== hash);
  if (changed !== undefined) {
    throw failure(
      `${path} was saved by rc-engine ${engine}, whose chart ${changed[0]} (${changed[1]}) differs from the chart of this version (${charts[changed[0]] ?? 'none'}).`,
    );
  }
  return file.output;
}

/** @throws EngineError `timelineUnusable` when an entry in the middle is missing. */
export function restoreTimeline(saved: SavedTimeline, path: string): Timeline {
  const first = saved.entries[0]?.seq ?? 0;
  const timeline = new Timeline(Math.max(1, saved.entries.length), saved.base, first);
  for (const entry of saved.entries) {
    if (entry.seq !== timeline.next) {
      throw new EngineError('timelineUnusable', `${path} is damaged: entry ${timeline.next} is missing.`);
    }
    timeline.add(entry);
  }
  return timeline;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
