/** The differences between two versions of a chart as text. */
import type { Chart, ChartEdge, ChartState } from './chart.js';
import { changedGroups, targetText } from './edge-pairs.js';
import { shortId, triggerText } from './edge-text.js';

/** One sentence for each change, in the order of the newer chart; removals come last. Descriptions do not count. */
export function chartDiff(before: Chart, after: Chart): string[] {
  return [...stateChanges(before, after), ...edgeChanges(before, after)];
}

function stateChanges(before: Chart, after: Chart): string[] {
  const old = new Map(before.states.map((state) => [state.id, state]));
  const now = new Set(after.states.map(({ id }) => id));
  const changes = after.states.flatMap((state) => {
    const was = old.get(state.id);
    return was === undefined ? [newState(after, state)] : stateChange(before, after, was, state);
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

/** What differs in a state that both versions have. */
export function stateChange(before: Chart, after: Chart, was: ChartState, is: ChartState): string[] {
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

function edgeChanges(before: Chart, after: Chart): string[] {
  return changedGroups(before, after).flatMap(({ sample, changed, added, removed, reordered }) => {
    const changes = changed.flatMap(({ was, is, same }) =>
      same === 'guard'
        ? edgeChange(before, after, was, is)
        : [
            `${routeText(after, is)}: guard is ${guardText(is)} instead of ${guardText(was)}`,
            ...actionChange(after, was, is),
          ],
    );
    changes.push(...added.map((edge) => `new ${edgeDescription(after, edge)}`));
    changes.push(...removed.map((edge) => `removed ${edgeDescription(before, edge)}`));
    if (reordered.length > 0) {
      const order = reordered.map(guardText).join(', ');
      changes.push(
        `${shortId(after, sample.source)} on ${triggerText(sample.trigger)}: order of guards is now ${order}`,
      );
    }
    return changes;
  });
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

/** `edge connecting → verifyingEnrollment on dial done [ambiguousNotFound]` */
function edgeDescription(chart: Chart, edge: ChartEdge): string {
  return `edge ${routeText(chart, edge)}${edge.guard === null ? '' : ` [${edge.guard}]`}`;
}

function routeText(chart: Chart, edge: ChartEdge): string {
  return `${shortId(chart, edge.source)} → ${targetText(chart, edge)} on ${triggerText(edge.trigger)}`;
}

const guardText = ({ guard }: ChartEdge): string => (guard === null ? 'none' : `[${guard}]`);
