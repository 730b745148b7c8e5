/** What changed between two versions of a chart, in words. */
import type { Chart, ChartEdge, ChartState } from './walk.js';
import { shortId, triggerWords } from './words.js';

/** One sentence for each change, in the order of the newer chart; what is gone comes last. Descriptions do not count. */
export function chartDiff(before: Chart, after: Chart): string[] {
  return [...stateChanges(before, after), ...edgeChanges(before, after), ...goneEdges(before, after)];
}

function stateChanges(before: Chart, after: Chart): string[] {
  const old = new Map(before.states.map((state) => [state.id, state]));
  const now = new Set(after.states.map(({ id }) => id));
  const changes = after.states.flatMap((state) => {
    const was = old.get(state.id);
    return was === undefined ? [newState(after, state)] : changedState(before, after, was, state);
  });
  const gone = before.states
    .filter(({ id }) => !now.has(id))
    .map(({ id }) => `state ${shortId(before, id)} removed`);
  return [...changes, ...gone];
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
    const say = (chart: Chart, id: string | null) => (id === null ? 'nowhere' : shortId(chart, id));
    changes.push(`state ${name} begins in ${say(after, is.initial)} instead of ${say(before, was.initial)}`);
  }
  const invokes = (state: ChartState) =>
    state.invokes.map(({ id, src }) => (id === src ? src : `${src} as ${id}`));
  changes.push(...listChange(`state ${name}: on entry`, was.entry, is.entry));
  changes.push(...listChange(`state ${name}: on exit`, was.exit, is.exit));
  changes.push(...listChange(`state ${name}: invokes`, invokes(was), invokes(is)));
  changes.push(...listChange(`state ${name}: tags`, was.tags, is.tags));
  return changes;
}

function listChange(what: string, was: readonly string[], is: readonly string[]): string[] {
  if (was.join('\n') === is.join('\n')) return [];
  const added = is.filter((name) => !was.includes(name));
  const gone = was.filter((name) => !is.includes(name));
  const parts = [
    ...(added.length > 0 ? [`now also ${added.join(', ')}`] : []),
    ...(gone.length > 0 ? [`no longer ${gone.join(', ')}`] : []),
  ];
  return [parts.length > 0 ? `${what} ${parts.join('; ')}` : `${what} in another order: ${is.join(', ')}`];
}

/** Edges of one source and trigger: what can become of an event there. */
function groups(chart: Chart): Map<string, ChartEdge[]> {
  const found = new Map<string, ChartEdge[]>();
  for (const edge of chart.edges) {
    const key = `${edge.source}\n${triggerWords(edge.trigger)}`;
    found.set(key, [...(found.get(key) ?? []), edge]);
  }
  return found;
}

function edgeChanges(before: Chart, after: Chart): string[] {
  const old = groups(before);
  return [...groups(after)].flatMap(([key, edges]) => groupChanges(before, after, old.get(key) ?? [], edges));
}

function groupChanges(
  before: Chart,
  after: Chart,
  was: readonly ChartEdge[],
  is: readonly ChartEdge[],
): string[] {
  const [sample] = is;
  if (sample === undefined) return [];
  let [left, fresh] = without(was, is, same);
  const changes: string[] = [];
  const pairUp = (
    alike: (a: ChartEdge, b: ChartEdge) => boolean,
    say: (a: ChartEdge, b: ChartEdge) => string[],
  ) => {
    for (const edge of [...fresh]) {
      const match = left.find((other) => alike(other, edge));
      if (match === undefined) continue;
      left = left.filter((other) => other !== match);
      fresh = fresh.filter((other) => other !== edge);
      changes.push(...say(match, edge));
    }
  };
  pairUp(
    (a, b) => a.guard === b.guard,
    (a, b) => sameGuard(before, after, a, b),
  );
  pairUp(
    (a, b) => targets(before, a) === targets(after, b),
    (a, b) => [
      `${way(after, b)}: guard is ${guardOf(b)} instead of ${guardOf(a)}`,
      ...actionChange(after, a, b),
    ],
  );
  changes.push(...fresh.map((edge) => `new ${described(after, edge)}`));
  changes.push(...left.map((edge) => `removed ${described(before, edge)}`));
  if (changes.length === 0 && was.length === is.length && was.some((edge, at) => !same(edge, is[at]))) {
    const order = is.map(guardOf).join(', ');
    changes.push(
      `${shortId(after, sample.source)} on ${triggerWords(sample.trigger)}: tried in another order: ${order}`,
    );
  }
  return changes;
}

/** Whole groups that are gone. */
function goneEdges(before: Chart, after: Chart): string[] {
  const now = groups(after);
  return [...groups(before)].flatMap(([key, edges]) =>
    now.has(key) ? [] : edges.map((edge) => `removed ${described(before, edge)}`),
  );
}

function sameGuard(before: Chart, after: Chart, was: ChartEdge, is: ChartEdge): string[] {
  const from = shortId(after, is.source);
  const on = `${triggerWords(is.trigger)}${is.guard === null ? '' : ` [${is.guard}]`}`;
  const changes: string[] = [];
  if (targets(before, was) !== targets(after, is)) {
    changes.push(`${from} on ${on}: goes to ${targets(after, is)} instead of ${targets(before, was)}`);
  }
  if (was.reenter !== is.reenter) {
    changes.push(
      `${way(after, is)}: ${is.reenter ? 'enters the state anew' : 'no longer enters the state anew'}`,
    );
  }
  return [...changes, ...actionChange(after, was, is)];
}

function actionChange(after: Chart, was: ChartEdge, is: ChartEdge): string[] {
  return listChange(`${way(after, is)}: does`, was.actions, is.actions);
}

function same(a: ChartEdge, b: ChartEdge | undefined): boolean {
  return (
    b !== undefined &&
    a.guard === b.guard &&
    a.targets.join() === b.targets.join() &&
    a.actions.join('\n') === b.actions.join('\n') &&
    a.reenter === b.reenter
  );
}

/** What of each list has no equal in the other one. */
function without<T>(a: readonly T[], b: readonly T[], equal: (x: T, y: T) => boolean): [T[], T[]] {
  const left = [...a];
  const fresh = b.filter((item) => {
    const at = left.findIndex((other) => equal(other, item));
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
  return [left, fresh];
}

/** `edge connecting → verifyingEnrollment on dial done [ambiguousNotFound]` */
function described(chart: Chart, edge: ChartEdge): string {
  return `edge ${way(chart, edge)}${edge.guard === null ? '' : ` [${edge.guard}]`}`;
}

function way(chart: Chart, edge: ChartEdge): string {
  return `${shortId(chart, edge.source)} → ${targets(chart, edge)} on ${triggerWords(edge.trigger)}`;
}

function targets(chart: Chart, { targets: ids }: ChartEdge): string {
  return ids.length === 0 ? 'itself' : ids.map((id) => shortId(chart, id)).join(' and ');
}

const guardOf = ({ guard }: ChartEdge): string => (guard === null ? 'none' : `[${guard}]`);
