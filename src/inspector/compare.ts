/** Compares two saved timelines: which chart first takes another step, in words. Times are not compared. */
import type { Actor, Entry, SavedTimeline } from './timeline.js';
import { duration, eventText, failureText, shortId } from './words.js';

/** A step, without what differs from run to run. */
export interface ComparedStep {
  readonly entry: Entry;
  /** ms since the begin of its timeline */
  readonly at: number;
  readonly words: string;
  readonly key: string;
}

/** One chart in both timelines. */
export interface ComparedActor {
  readonly name: string;
  readonly chart: string;
  readonly left: readonly ComparedStep[];
  readonly right: readonly ComparedStep[];
  /** Index of the first different step; null: they are the same. One of the two may end before it. */
  readonly differsAt: number | null;
}

export interface Comparison {
  readonly same: boolean;
  /** A sentence for each thing to know; the first one is about the first difference. */
  readonly words: readonly string[];
  /** The actor with the first difference comes first. */
  readonly actors: readonly ComparedActor[];
}

interface RecordedActor {
  readonly actor: Actor;
  readonly steps: ComparedStep[];
}

export function compareTimelines(left: SavedTimeline, right: SavedTimeline): Comparison {
  const [a, b] = [chartsOf(left), chartsOf(right)];
  const actors = pair(a, b).map(([one, other]): ComparedActor => {
    const { name, chart } = (one ?? other)?.actor ?? { name: '', chart: '' };
    const [first, second] = [one?.steps ?? [], other?.steps ?? []];
    return {
      name,
      chart: chart ?? '',
      left: first,
      right: second,
      differsAt: firstDifference(first, second),
    };
  });
  const different = actors
    .filter(({ differsAt }) => differsAt !== null)
    .sort((x, y) => timeOf(x) - timeOf(y));
  const equal = actors.filter(({ differsAt }) => differsAt === null);
  const [first] = different;
  const steps = equal.reduce((sum, { left: list }) => sum + list.length, 0);
  const words =
    first === undefined
      ? [
          `Both show the same: ${count(equal.length, 'chart')} with ${count(steps, 'step')}. Times are not compared.`,
        ]
      : [differenceWords(first), ...others(different.slice(1))];
  return {
    same: first === undefined,
    words: [...words, ...versionWords(left, right), ...beginWords(left, right)],
    actors: [...different, ...equal],
  };
}

/** The charts of a timeline with their steps. Work that a chart starts shows in the steps of the chart. */
function chartsOf({ base, entries }: SavedTimeline): RecordedActor[] {
  const began = entries[0]?.time ?? 0;
  const actors = new Map<number, RecordedActor & { active: readonly string[] }>();
  for (const { actor, last } of base) {
    if (actor.chart === null) continue;
    const step = stepOf({ ...last, event: 'xstate.init', edges: [], kind: 'step' }, [], 0);
    actors.set(actor.id, {
      actor,
      steps: [{ ...step, words: `in ${placesOf(last.active)}` }],
      active: last.active,
    });
  }
  for (const entry of entries) {
    if (entry.born !== undefined && entry.born.chart !== null) {
      actors.set(entry.born.id, { actor: entry.born, steps: [], active: entry.active });
    }
    const found = actors.get(entry.actor);
    // Whether an event without effect comes, and how often one repeats, depends on the time.
    if (found === undefined || entry.kind === 'started' || entry.kind === 'ignored') continue;
    const step = stepOf(entry, found.active, entry.time - began);
    found.active = entry.active;
    if (found.steps.at(-1)?.key !== step.key || entry.lasted !== null) found.steps.push(step);
  }
  return [...actors.values()];
}

function stepOf(entry: Entry, before: readonly string[], at: number): ComparedStep {
  const { event, edges, active, reason, status, failure } = entry;
  const to = placesOf(active.filter((id) => !before.includes(id)));
  const from = placesOf(before.filter((id) => !active.includes(id)));
  const way = to === '' ? `stays in ${placesOf(active)}` : from === '' ? to : `${from} → ${to}`;
  const why = reason === null ? '' : ` (${reason})`;
  const cause = failure === undefined ? '' : `, ${failureText(failure)}`;
  return {
    entry,
    at,
    words: `${eventText(entry, undefined)}: ${status ?? way}${why}${cause}`,
    // An edge names chart, source and event. The text of a failure names hosts and ids.
    key: JSON.stringify([event, edges, active, reason, status ?? null, failure?.httpStatus ?? null]),
  };
}

const placesOf = (active: readonly string[]): string => active.map(shortId).join(' | ');

/** Actors of one name, in the order of their begin; then the rest of each chart, whose names hold ids. */
function pair(
  left: readonly RecordedActor[],
  right: readonly RecordedActor[],
): (readonly [RecordedActor | undefined, RecordedActor | undefined])[] {
  const rest = [...right];
  const pairs: [RecordedActor | undefined, RecordedActor | undefined][] = left.map((one) => [one, undefined]);
  for (const byName of [true, false]) {
    for (const candidate of pairs) {
      const [one, other] = candidate;
      if (one === undefined || other !== undefined) continue;
      const at = rest.findIndex(
        ({ actor }) => actor.chart === one.actor.chart && (!byName || actor.name === one.actor.name),
      );
      if (at !== -1) candidate[1] = rest.splice(at, 1)[0];
    }
  }
  return [...pairs, ...rest.map((other) => [undefined, other] as const)];
}

function firstDifference(left: readonly ComparedStep[], right: readonly ComparedStep[]): number | null {
  const length = Math.max(left.length, right.length);
  for (let index = 0; index < length; index += 1) if (left[index]?.key !== right[index]?.key) return index;
  return null;
}

/** When an actor first differs: in the timeline where that comes first. */
function timeOf({ left, right, differsAt }: ComparedActor): number {
  const at = differsAt ?? 0;
  return Math.min(left[at]?.at ?? Number.POSITIVE_INFINITY, right[at]?.at ?? Number.POSITIVE_INFINITY);
}

function differenceWords({ name, left, right, differsAt }: ComparedActor): string {
  const at = differsAt ?? 0;
  const [one, other] = [left[at], right[at]];
  const before = at === 0 ? '' : ` after ${count(at, 'equal step')}`;
  const side = (step: ComparedStep | undefined, steps: readonly ComparedStep[]) =>
    step !== undefined
      ? `${step.words}, ${duration(step.at)} after the begin`
      : steps.length === 0
        ? `there is no ${name}`
        : 'no further step';
  return `First difference: ${name}${before}. A: ${side(one, left)}. B: ${side(other, right)}.`;
}

const others = (actors: readonly ComparedActor[]): string[] =>
  actors.length === 0
    ? []
    : [
        `${count(actors.length, 'chart')} more ${actors.length === 1 ? 'differs' : 'differ'}: ${actors.map(({ name }) => name).join(', ')}.`,
      ];

function versionWords(left: SavedTimeline, right: SavedTimeline): string[] {
  const changed = Object.entries(left.charts).filter(
    ([name, hash]) => right.charts[name] !== undefined && right.charts[name] !== hash,
  );
  return changed.length === 0
    ? []
    : [
        `They come from different versions of ${changed.map(([name]) => name).join(', ')}, so steps may differ for that reason.`,
      ];
}

/** A timeline that has lost its oldest entries, or begins in a running engine, can hardly be compared with a whole one. */
function beginWords(left: SavedTimeline, right: SavedTimeline): string[] {
  return (
    [
      ['A', left],
      ['B', right],
    ] as const
  ).flatMap(([name, { entries }]) =>
    (entries[0]?.seq ?? 0) > 0 || entries.some(({ event }) => event === 'attached')
      ? [`${name} does not begin with the start of its engine: earlier steps are missing.`]
      : [],
  );
}

const count = (number: number, thing: string): string => `${number} ${thing}${number === 1 ? '' : 's'}`;
