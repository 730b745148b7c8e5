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
  for (const edge of edges) {
    const from = shown(edge.source);
    for (const target of edge.targets) {
      const to = shown(target);
      if (from === to || open.has(from) || without.has(from) || without.has(to)) continue;
      // An arrow to an open state leads to its initial child.
      const entered = open.has(to) ? initialChild(states, to) : to;
      const key = `${lastKey(from)} --> ${lastKey(entered)}`;
      const labels = arrows.get(key) ?? new Set<string>();
      const label = shortLabel(edge);
      if (label !== '') labels.add(label);
      arrows.set(key, labels);
    }
  }
  const first = states.find(({ id }) => id === root)?.initial;
  const lines = ['stateDiagram-v2', ...(first == null ? [] : [`  [*] --> ${lastKey(first)}`])];
  for (const [arrow, labels] of arrows) {
    const text = [...labels].slice(0, 3).join(', ');
    lines.push(text === '' ? `  ${arrow}` : `  ${arrow}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
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
