/** What differs between two versions of a machine: in words, and marked in the pictures of both. */
import type { AnyStateMachine } from 'xstate';
import { bodyText } from './bodies.js';
import { type Chart, chartHash, toChart } from './chart.js';
import { chartDiff, stateChange } from './diff.js';
import { changedGroups } from './edge-pairs.js';
import { assertMachine } from './machine-check.js';
import { type Svg, svgsOf } from './svg.js';
import { type Mark, markSvg } from './svg-marks.js';

/** States and edges by their ids, each with what happened to it. */
export type Marks = ReadonlyMap<string, Mark>;

/** The difference between two versions of a machine. */
export interface ChartChanges {
  /** One sentence for each change, for example `waiting on after pause: goes to closed instead of dialing`. */
  readonly words: readonly string[];
  /** The states and edges of the older version that were removed or changed, by the ids of its chart. */
  readonly before: Marks;
  /** The states and edges of the newer version that were added or changed, by the ids of its chart. */
  readonly after: Marks;
}

/** Compares two charts. The chart itself may have another id. */
export function changesBetween(older: Chart, after: Chart): ChartChanges {
  const before = older.id === after.id ? older : renamed(older, after.id);
  const marks = { before: new Map<string, Mark>(), after: new Map<string, Mark>() };
  const known = new Map(before.states.map((state) => [state.id, state]));
  for (const state of after.states) {
    const was = known.get(state.id);
    known.delete(state.id);
    if (was === undefined) marks.after.set(state.id, 'added');
    else if (stateChange(before, after, was, state).length > 0) {
      marks.before.set(state.id, 'changed');
      marks.after.set(state.id, 'changed');
    }
  }
  for (const id of known.keys()) marks.before.set(id, 'removed');
  for (const { sample, changed, added, removed, reordered } of changedGroups(before, after)) {
    for (const { was, is } of changed) {
      marks.before.set(was.id, 'changed');
      marks.after.set(is.id, 'changed');
    }
    for (const { id } of added) marks.after.set(id, 'added');
    for (const { id } of removed) marks.before.set(id, 'removed');
    for (const { id } of reordered) marks.after.set(id, 'changed');
    const isGroup = ({ source, trigger }: typeof sample) =>
      source === sample.source && JSON.stringify(trigger) === JSON.stringify(sample.trigger);
    if (reordered.length > 0)
      for (const edge of before.edges.filter(isGroup)) marks.before.set(edge.id, 'changed');
  }
  const words = chartDiff(before, after);
  if (older !== before) words.unshift(`the chart is named ${after.id} instead of ${older.id}`);
  return {
    words,
    before: older === before ? marks.before : renamedMarks(marks.before, older),
    after: marks.after,
  };

  function renamedMarks(of: Marks, { id }: Chart): Marks {
    return new Map([...of].map(([name, mark]) => [withId(name, after.id, id), mark]));
  }
}

/**
 * The named guards, actions and delays whose functions have another text, for example `guard funded does something else`.
 * An implementation that one of the versions does not have is no change: the host may provide it.
 */
export function bodyChanges(before: AnyStateMachine, after: AnyStateMachine): string[] {
  return (['guards', 'actions', 'delays'] as const).flatMap((kind) => {
    const [was, is]: Readonly<Record<string, unknown>>[] = [
      before.implementations[kind],
      after.implementations[kind],
    ];
    return Object.entries(is ?? {}).flatMap(([name, value]) => {
      const known = was?.[name];
      if (known === undefined || value === undefined || bodyText(known) === bodyText(value)) return [];
      return [`${kind.slice(0, -1)} ${name} does something else`];
    });
  });
}

/** The pictures of both versions, with what changed in colour: amber, added ones green, removed ones red and dashed. */
export async function changePictures(
  before: AnyStateMachine,
  after: AnyStateMachine,
): Promise<{ readonly before: readonly Svg[]; readonly after: readonly Svg[] }> {
  assertMachine(before, 'before');
  assertMachine(after, 'after');
  const [was, is] = [toChart(before), toChart(after)];
  const changes = changesBetween(was, is);
  return {
    before: await marked(was, chartHash(before), changes.before),
    after: await marked(is, chartHash(after), changes.after),
  };
}

/** The overview, and each other picture in which something is marked. */
async function marked(chart: Chart, hash: string, marks: Marks): Promise<Svg[]> {
  const sources = new Map(chart.edges.map(({ id, source }) => [id, source]));
  const svgs: Svg[] = [];
  for (const svg of await svgsOf(chart, hash)) {
    const text = markSvg(svg.text, marks, sources);
    if (svgs.length === 0 || text !== svg.text) svgs.push({ ...svg, text });
  }
  return svgs;
}

/** The same chart with another id. States with an id of their own keep it. */
function renamed(chart: Chart, to: string): Chart {
  const id = (name: string) => withId(name, chart.id, to);
  return {
    ...chart,
    id: to,
    states: chart.states.map((state) => ({
      ...state,
      id: id(state.id),
      parent: state.parent === null ? null : id(state.parent),
      initial: state.initial === null ? null : id(state.initial),
    })),
    edges: chart.edges.map((edge) => ({
      ...edge,
      id: id(edge.id),
      source: id(edge.source),
      targets: edge.targets.map(id),
    })),
  };
}

/** Also the id of an edge, which begins with the id of its source and a space. */
function withId(name: string, from: string, to: string): string {
  const isOwn = name === from || name.startsWith(`${from}.`) || name.startsWith(`${from} `);
  return isOwn ? `${to}${name.slice(from.length)}` : name;
}
