import type { AnyStateMachine } from 'xstate';
import { type ChartEdge, toChart } from './chart.js';

/**
 * An overview of a chart as a `stateDiagram-v2` that fits a README.
 * @param options.open Composite states whose children are shown. Every other composite state is one node.
 * @param options.without States that are left out, because nearly every state leads to them.
 */
export function toOverview(
  machine: AnyStateMachine,
  options: { readonly open: readonly string[]; readonly without: readonly string[] },
): string {
  const { states, edges, id: root } = toChart(machine);
  const open = new Set([root, ...options.open.map((path) => `${root}.${path}`)]);
  const parents = new Map(states.map(({ id, parent }) => [id, parent]));
  const shown = (id: string): string => {
    const parent = parents.get(id);
    return parent == null || open.has(parent) ? id : shown(parent);
  };
  const without = new Set(options.without.map((path) => `${root}.${path}`));
  const arrows = new Map<string, Set<string>>();
  const draw = ({ edge, from, to }: OverviewArrow) => {
    const key = `${lastKey(from)} --> ${lastKey(to)}`;
    const label = shortLabel(edge);
    arrows.set(key, new Set([...(arrows.get(key) ?? []), ...(label === '' ? [] : [label])]));
  };
  const all = edges.flatMap((edge) =>
    edge.targets.flatMap((target): OverviewArrow[] => {
      const [from, to] = [shown(edge.source), shown(target)];
      // An arrow to an open state leads to its initial child.
      return from === to || open.has(from)
        ? []
        : [{ edge, from, to: open.has(to) ? initialChild(states, to) : to }];
    }),
  );
  const isLeftOut = ({ from, to }: OverviewArrow) => without.has(from) || without.has(to);
  const drawn = all.filter((arrow) => !isLeftOut(arrow));
  const initial = states.find(({ id }) => id === root)?.initial ?? null;
  const visible = new Set([
    ...drawn.flatMap(({ from, to }) => [from, to]),
    ...(initial === null ? [] : [initial]),
  ]);
  // Each visible state keeps a way in and a way out, if it has one.
  for (const end of ['to', 'from', 'to', 'from'] as const) {
    for (const id of visible) {
      if (drawn.some((arrow) => arrow[end] === id) || (end === 'to' && id === initial)) continue;
      const only = all.find((arrow) => arrow[end] === id);
      if (only === undefined) continue;
      drawn.push(only);
      visible.add(only.from).add(only.to);
    }
  }
  for (const arrow of drawn) draw(arrow);
  const lines = ['stateDiagram-v2', ...(initial === null ? [] : [`  [*] --> ${lastKey(initial)}`])];
  for (const [arrow, labels] of arrows) {
    const text = [...labels].slice(0, 3).join(', ');
    lines.push(text === '' ? `  ${arrow}` : `  ${arrow}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

interface OverviewArrow {
  readonly edge: ChartEdge;
  readonly from: string;
  readonly to: string;
}

const lastKey = (id: string): string => id.split('.').at(-1) ?? id;

function initialChild(states: ReturnType<typeof toChart>['states'], id: string): string {
  return states.find((state) => state.id === id)?.initial ?? id;
}

function shortLabel({ trigger, guard }: ChartEdge): string {
  if (guard !== null) return guard;
  if (trigger.kind === 'event') return trigger.event.toLowerCase().replaceAll('_', ' ').replaceAll('.', ' ');
  return trigger.kind === 'after' ? `after ${trigger.delay}` : '';
}
