/**
 * The files of the history: JSON lines. Each file begins with a `segment` line, which says who wrote it, and with a `state`
 * line for each chart that runs, so that it can be replayed without the files before it.
 */

export const HISTORY_FORMAT = 'rc-engine-history';
export const HISTORY_VERSION = 1;

/** `engine`: the charts of the engine. `clients`: the charts of its connections, which many clients could fill. */
export type Lane = 'engine' | 'clients';

/** Wall-clock ms, and ms of the monotonic clock of the engine. A step of a chart sees one time. */
export type RecordedTime = readonly [wall: number, monotonic: number];

/** The first line of a file. */
export interface SegmentRecord {
  readonly record: 'segment';
  readonly format: typeof HISTORY_FORMAT;
  readonly version: number;
  /** Version of the engine. */
  readonly engine: string;
  /** Hash of the sources of each chart, by its name. */
  readonly charts: Readonly<Record<string, string>>;
  readonly installation: string;
  /** The delays of the engine, ms. */
  readonly timing: unknown;
  /** Identifies this start of the engine. */
  readonly boot: string;
  readonly lane: Lane;
  /** 1 for the first file of this start. */
  readonly segment: number;
  readonly at: RecordedTime;
}

/** A chart that ran already when the file began. */
export interface StateRecord {
  readonly record: 'state';
  /** Number of the actor, unique in one start of the engine. */
  readonly actor: number;
  readonly chart: string;
  readonly name: string;
  readonly parent?: number;
  readonly value: unknown;
  readonly context: unknown;
  /** Ids of the actors that it had started. */
  readonly children: readonly string[];
}

/** What a chart did in one step. */
export interface Outcome {
  /** The state afterwards; absent when it did not change. */
  readonly value?: unknown;
  readonly status?: 'done' | 'error' | 'stopped';
  /** A new decision of the chart. */
  readonly reason?: string;
  readonly detail?: string;
  /** What it did besides assignments: `start dial`, `raise … after 500 ms`. */
  readonly effects?: readonly string[];
}

interface Step extends Outcome {
  /** See `decision-ids.ts`. */
  readonly id: string;
  readonly actor: number;
  readonly at: RecordedTime;
  /** Random numbers that it used, in order. */
  readonly random?: readonly number[];
}

/** A chart began. */
export interface StartRecord extends Step {
  readonly record: 'start';
  readonly chart: string;
  readonly name: string;
  readonly parent?: number;
  readonly input: unknown;
}

/** A chart received an event. */
export interface StepRecord extends Step {
  readonly record: 'step';
  readonly event: { readonly type: string };
}

/** The chart `websocketAuth` decided about an upgrade, from these facts alone. */
export interface VerdictRecord {
  readonly record: 'verdict';
  readonly id: string;
  readonly at: RecordedTime;
  readonly chart: string;
  readonly facts: unknown;
  readonly outcome: string;
  readonly reason: string;
  /** So many equal verdicts, from the one with the id `first` to this one. Absent: one. */
  readonly first?: string;
  readonly times?: number;
}

/** A chart repeated its last steps; they are not written. */
export interface RepeatRecord {
  readonly record: 'repeat';
  readonly actor: number;
  readonly rounds: number;
  /** Steps in a round. */
  readonly steps: number;
  /** Ids of the first and the last step that is not written; absent in histories of older versions. */
  readonly first?: string;
  readonly id?: string;
  readonly at: RecordedTime;
}

/** So many lines were not written. */
export interface GapRecord {
  readonly record: 'gap';
  readonly lost: number;
  readonly at: RecordedTime;
}

/** One line of a history. */
export type HistoryRecord =
  | SegmentRecord
  | StateRecord
  | StartRecord
  | StepRecord
  | VerdictRecord
  | RepeatRecord
  | GapRecord;

/** `1cf5m2x-engine-0001.jsonl` */
export const segmentName = (boot: string, lane: Lane, segment: number): string =>
  `${boot}-${lane}-${String(segment).padStart(4, '0')}.jsonl`;

/** The parts of the name of a history file; undefined for other files. */
export function parseSegmentName(
  name: string,
): { readonly boot: string; readonly lane: string; readonly segment: number } | undefined {
  const found = /^([0-9a-z]{7,8})-(engine|clients)-(\d{4,})\.jsonl$/.exec(name);
  if (found === null) return undefined;
  const [, boot = '', lane = '', segment = ''] = found;
  return { boot, lane, segment: Number(segment) };
}
