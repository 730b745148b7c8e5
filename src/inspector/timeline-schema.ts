/** Checks the text of a saved timeline, for the command line and the page. */
import * as v from 'valibot';
import { FILE_FORMAT, OLDEST_VERSION, type SavedTimeline, TIMELINE_VERSION } from './timeline.js';

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
  decision: v.exactOptional(Text),
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

/** `problem` follows the name of the file: `is truncated: …` */
export type ParsedTimeline = { readonly timeline: SavedTimeline } | { readonly problem: string };

export function parseTimeline(text: string): ParsedTimeline {
  const value = parseJson(text);
  if (value === undefined) {
    return {
      problem: text.startsWith(`{"format":"${FILE_FORMAT}"`)
        ? 'is truncated: its end is missing.'
        : 'is not a timeline saved by the inspector.',
    };
  }
  const header = v.safeParse(HeaderSchema, value);
  if (!header.success) return { problem: 'is not a timeline saved by the inspector.' };
  const { version, engine = 'another version' } = header.output;
  if (version !== TIMELINE_VERSION && version !== OLDEST_VERSION) {
    return {
      problem: `was saved by rc-engine ${engine} in format ${version}; this version reads format ${TIMELINE_VERSION}.`,
    };
  }
  const file = v.safeParse(FileSchema, value);
  if (!file.success) {
    const [issue] = file.issues;
    return { problem: `is damaged: ${v.getDotPath(issue) ?? 'the file'} is not valid.` };
  }
  const first = file.output.entries[0]?.seq ?? 0;
  const missing = file.output.entries.findIndex(({ seq }, index) => seq !== first + index);
  if (missing !== -1) return { problem: `is damaged: entry ${first + missing} is missing.` };
  return { timeline: file.output };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
