/** The differences between two versions of a chart as text. */
import type { Chart, ChartEdge, ChartState } from './chart.js';
import { shortId, triggerText } from './edge-text.js';

/** One sentence for each change, in the order of the newer chart; removals come last. Descriptions do not count. */
export function chartDiff(before: Chart, after: Chart): string[] {
  return [...stateChanges(before, after), ...edgeChanges(before, after), ...removedEdges(before, after)];
}

function stateChanges(before: Chart, after: Chart): string[] {
  const old = new Map(before.states.map((state) => [state.id, state]));
  const now = new Set(after.states.map(({ id }) => id));
  const changes = after.states.flatMap((state) => {
    const was = old.get(state.id);
    return was === undefined ? [newState(after, state)] : changedState(before, after, was, state);
  });
  const removed = before.states
    .filter(({ id }) => !now.has(id))
    .map(({ id }) => `state ${shortId(before, id)} removed`);
  return [...changes, ...removed];
}

function newState(chart: Chart, state: ChartState): string {
  const kind = state.kind === 'atomic' ? '' : `${state.kind} `;
  const invokes = state.invokes.map(({ src }) => src).join(', ');
  return `new ${kind}state ${shortId(chart, state.id)}${invokes === '' ? '' : `, which invokes ${invokes}`}`;
}

function changedState(before: Chart, after: Chart, was: ChartState, is: ChartState): string[] {
  const name = shortId(after, is.id);
  const changes: string[] = [];
  if (was.kind !== is.kind) changes.push(`state ${name} is ${is.kind} instead of ${was.kind}`);
  if (was.initial !== is.initial) {
    const nameOf = (chart: Chart, id: string | null) => (id === null ? 'no state' : shortId(chart, id));
    changes.push(
      `state ${name} starts in ${nameOf(after, is.initial)} instead of ${nameOf(before, was.initial)}`,
    );
  }
  const invokes = (state: ChartState) =>
    state.invokes.map(({ id, src }) => (id === src ? src : `${src} as ${id}`));
  changes.push(...listChange(`state ${name}: on entry`, was.entry, is.entry));
  changes.push(...listChange(`state ${name}: on exit`, was.exit, is.exit));
  changes.push(...listChange(`state ${name}: invokes`, invokes(was), invokes(is)));
  changes.push(...listChange(`state ${name}: tags`, was.tags, is.tags));
  return changes;
}

function listChange(subject: string, was: readonly string[], is: readonly string[]): string[] {
  if (was.join('\n') === is.join('\n')) return [];
  const added = is.filter((name) => !was.includes(name));
  const removed = was.filter((name) => !is.includes(name));
  const parts = [
    ...(added.length > 0 ? [`now also ${added.join(', ')}`] : []),
    ...(removed.length > 0 ? [`no longer ${removed.join(', ')}`] : []),
  ];
  return [
    parts.length > 0 ? `${subject} ${parts.join('; ')}` : `${subject} in another order: ${is.join(', ')}`,
  ];
}

/** Groups the edges by source and trigger. */
function edgeGroups(chart: Chart): Map<string, ChartEdge[]> {
  const found = new Map<string, ChartEdge[]>();
  for (const edge of chart.edges) {
    const key = `${edge.source}\n${triggerText(edge.trigger)}`;
    found.set(key, [...(found.get(key) ?? []), edge]);
  }
  return found;
}

function edgeChanges(before: Chart, after: Chart): string[] {
  const old = edgeGroups(before);
  return [...edgeGroups(after)].flatMap(([key, edges]) =>
    groupChanges(before, after, old.get(key) ?? [], edges),
  );
}

function groupChanges(
  before: Chart,
  after: Chart,
  was: readonly ChartEdge[],
  is: readonly ChartEdge[],
): string[] {
  const [sample] = is;
  if (sample === undefined) return [];
  let [removed, added] = unmatched(was, is, sameEdge);
  const changes: string[] = [];
  const matchPairs = (
    isPair: (a: ChartEdge, b: ChartEdge) => boolean,
    describe: (a: ChartEdge, b: ChartEdge) => string[],
  ) => {
    for (const edge of [...added]) {
      const match = removed.find((other) => isPair(other, edge));
      if (match === undefined) continue;
      removed = removed.filter((other) => other !== match);
      added = added.filter((other) => other !== edge);
      changes.push(...describe(match, edge));
    }
  };
  matchPairs(
    (a, b) => a.guard === b.guard,
    (a, b) => edgeChange(before, after, a, b),
  );
  matchPairs(
    (a, b) => targetText(before, a) === targetText(after, b),
    (a, b) => [
      `${routeText(after, b)}: guard is ${guardText(b)} instead of ${guardText(a)}`,
      ...actionChange(after, a, b),
    ],
  );
  changes.push(...added.map((edge) => `new ${edgeDescription(after, edge)}`));
  changes.push(...removed.map((edge) => `removed ${edgeDescription(before, edge)}`));
  if (
    changes.length === 0 &&
    was.length === is.length &&
    was.some((edge, index) => !sameEdge(edge, is[index]))
  ) {
    const order = is.map(guardText).join(', ');
    changes.push(
      `${shortId(after, sample.source)} on ${triggerText(sample.trigger)}: order of guards is now ${order}`,
    );
  }
  return changes;
}

/** Groups of edges that no longer exist. */
function removedEdges(before: Chart, after: Chart): string[] {
  const now = edgeGroups(after);
  return [...edgeGroups(before)].flatMap(([key, edges]) =>
    now.has(key) ? [] : edges.map((edge) => `removed ${edgeDescription(before, edge)}`),
  );
}

function edgeChange(before: Chart, after: Chart, was: ChartEdge, is: ChartEdge): string[] {
  const from = shortId(after, is.source);
  const on = `${triggerText(is.trigger)}${is.guard === null ? '' : ` [${is.guard}]`}`;
  const changes: string[] = [];
  if (targetText(before, was) !== targetText(after, is)) {
    changes.push(`${from} on ${on}: goes to ${targetText(after, is)} instead of ${targetText(before, was)}`);
  }
  if (was.reenter !== is.reenter) {
    changes.push(
      `${routeText(after, is)}: ${is.reenter ? 'now re-enters the state' : 'no longer re-enters the state'}`,
    );
  }
  return [...changes, ...actionChange(after, was, is)];
}

function actionChange(after: Chart, was: ChartEdge, is: ChartEdge): string[] {
  return listChange(`${routeText(after, is)}: actions`, was.actions, is.actions);
}

function sameEdge(a: ChartEdge, b: ChartEdge | undefined): boolean {
  return (
    b !== undefined &&
    a.guard === b.guard &&
    a.targets.join() === b.targets.join() &&
    a.actions.join('\n') === b.actions.join('\n') &&
    a.reenter === b.reenter
  );
}

/** The items of each list that have no equal in the other one. */
function unmatched<T>(a: readonly T[], b: readonly T[], equal: (x: T, y: T) => boolean): [T[], T[]] {
  const onlyInA = [...a];
  const onlyInB = b.filter((item) => {
    const index = onlyInA.findIndex((other) => equal(other, item));
    if (index >= 0) onlyInA.splice(index, 1);
    return index < 0;
  });
  return [onlyInA, onlyInB];
}

/** `edge connecting → verifyingEnrollment on dial done [ambiguousNotFound]` */
function edgeDescription(chart: Chart, edge: ChartEdge): string {
  return `edge ${routeText(chart, edge)}${edge.guard === null ? '' : ` [${edge.guard}]`}`;
}

function routeText(chart: Chart, edge: ChartEdge): string {
  return `${shortId(chart, edge.source)} → ${targetText(chart, edge)} on ${triggerText(edge.trigger)}`;
}

function targetText(chart: Chart, { targets: ids }: ChartEdge): string {
  return ids.length === 0 ? 'itself' : ids.map((id) => shortId(chart, id)).join(' and ');
}

const guardText = ({ guard }: ChartEdge): string => (guard === null ? 'none' : `[${guard}]`);
