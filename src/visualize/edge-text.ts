/** The edges of a chart as text, the same in every picture, diff and scenario. */
import type { Chart, ChartEdge, Trigger } from './chart.js';

/** `dial done`, `after pause`, `STOP`. */
export function triggerText(trigger: Trigger): string {
  switch (trigger.kind) {
    case 'event':
      return trigger.event;
    case 'after':
      return `after ${/^\d+$/.test(trigger.delay) ? `${trigger.delay} ms` : trigger.delay}`;
    case 'actorDone':
      return `${trigger.actor} done`;
    case 'actorFailed':
      return `${trigger.actor} failed`;
    case 'actorSnapshot':
      return `${trigger.actor} changed`;
    case 'childrenDone':
      return 'done';
    case 'always':
      return 'always';
  }
}

/** The edges without a guard that follow guarded edges of the same trigger: they are taken when no guard is true. */
function elseEdges(chart: Chart): ReadonlySet<ChartEdge> {
  const guarded = new Set<string>();
  const found = new Set<ChartEdge>();
  for (const edge of chart.edges) {
    const group = `${edge.source} ${triggerText(edge.trigger)}`;
    if (edge.guard !== null) guarded.add(group);
    else if (guarded.has(group)) found.add(edge);
  }
  return found;
}

/** The place of each guarded edge among those of the same trigger, from 1. A trigger with one guard has no order. */
function guardOrder(chart: Chart): ReadonlyMap<ChartEdge, number> {
  const groups = new Map<string, ChartEdge[]>();
  for (const edge of chart.edges) {
    if (edge.guard === null) continue;
    const group = `${edge.source} ${triggerText(edge.trigger)}`;
    groups.set(group, [...(groups.get(group) ?? []), edge]);
  }
  return new Map(
    [...groups.values()].flatMap((edges) =>
      edges.length < 2 ? [] : edges.map((edge, index): [ChartEdge, number] => [edge, index + 1]),
    ),
  );
}

/** The words of an edge in a picture. */
export interface EdgeWords {
  /** `(2) dial done` when an event has several guards, `after pause (10 s)` when the value of the delay is known. */
  readonly trigger: string;
  /** `conflict = 409` when it is known what the guard stands for; `else` after other guards; null without a guard. */
  readonly guard: string | null;
}

export function edgeWords(chart: Chart): (edge: ChartEdge) => EdgeWords {
  const otherwise = elseEdges(chart);
  const order = guardOrder(chart);
  return (edge) => {
    const place = order.get(edge);
    const trigger = [
      place === undefined ? '' : `(${place}) `,
      triggerText(edge.trigger),
      edge.wait === undefined ? '' : ` (${edge.wait})`,
    ].join('');
    const note = edge.guardNote === undefined ? '' : ` = ${edge.guardNote}`;
    return {
      trigger,
      guard: edge.guard === null ? (otherwise.has(edge) ? 'else' : null) : edge.guard + note,
    };
  };
}

/** The id without the name of the chart, for example `active.backingOff.failed`. */
export function shortId(chart: Chart, id: string): string {
  return id === chart.id ? chart.id : id.slice(chart.id.length + 1);
}

/** `active.connecting → tokenInvalid: dial done [tokenRejected] / countTokenRejection, recordFailure` */
export function edgeText(chart: Chart, edge: ChartEdge): string {
  const targets = edge.targets.map((id) => shortId(chart, id)).join(' and ');
  const guard = edge.guard === null ? '' : ` [${edge.guard}]`;
  const actions = edge.actions.length === 0 ? '' : ` / ${edge.actions.join(', ')}`;
  const to = targets === '' ? '' : ` → ${targets}${edge.reenter ? ' (enters it again)' : ''}`;
  return `${shortId(chart, edge.source)}${to}: ${triggerText(edge.trigger)}${guard}${actions}`;
}

/** Actions that only record a reason. Pictures show them in tooltips alone, because they do not say what happens. */
export function withoutReasonActions(actions: readonly string[]): string[] {
  return actions.filter((name) => !REASON_ACTION.test(name));
}

/** The actions of our charts that record why the chart is in its state, and nothing else. */
const REASON_ACTION =
  /^(?:because|setReason|setCloseReason|record(?:Failure|ActorError|LinkEnd|TargetRefused|StoreMissing|StillRefused|AccountChanged|AppServerClosed|OpenError|Unavailable))\b/;
