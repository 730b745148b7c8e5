import type { AnyStateMachine } from 'xstate';
import { type ChartEdge, walk } from './walk.js';

/**
 * A chart seen from afar, as a `stateDiagram-v2` that fits a README: composite states are opened only where
 * `open` says so, every state inside a closed one stands for that one, and an arrow carries no label but the
 * outcomes that lead along it. Ways to stop, to switch off and to wait lead from nearly everywhere and are left out
 * by `without`.
 */
export function toOverview(
  machine: AnyStateMachine,
  options: { readonly open: readonly string[]; readonly without: readonly string[] },
): string {
  const { states, edges, id: root } = walk(machine);
  const opened = new Set([root, ...options.open.map((path) => `${root}.${path}`)]);
  const parents = new Map(states.map(({ id, parent }) => [id, parent]));
  const shown = (id: string): string => {
    const parent = parents.get(id);
    return parent == null || opened.has(parent) ? id : shown(parent);
  };
  const without = new Set(options.without.map((path) => `${root}.${path}`));
  const arrows = new Map<string, Set<string>>();
  for (const edge of edges) {
    const from = shown(edge.source);
    for (const target of edge.targets) {
      const to = shown(target);
      if (from === to || opened.has(from) || without.has(from) || without.has(to)) continue;
      // Entering an opened state is entering its first child.
      const into = opened.has(to) ? firstChild(states, to) : to;
      const key = `${nameOf(from)} --> ${nameOf(into)}`;
      const labels = arrows.get(key) ?? new Set<string>();
      const label = shortLabel(edge);
      if (label !== '') labels.add(label);
      arrows.set(key, labels);
    }
  }
  const first = states.find(({ id }) => id === root)?.initial;
  const lines = ['stateDiagram-v2', ...(first == null ? [] : [`  [*] --> ${nameOf(first)}`])];
  for (const [arrow, labels] of arrows) {
    const text = [...labels].slice(0, 3).join(', ');
    lines.push(text === '' ? `  ${arrow}` : `  ${arrow}: ${text}`);
  }
  return `${lines.join('\n')}\n`;
}

const nameOf = (id: string): string => id.split('.').at(-1) ?? id;

function firstChild(states: ReturnType<typeof walk>['states'], id: string): string {
  return states.find((state) => state.id === id)?.initial ?? id;
}

function shortLabel({ trigger, guard }: ChartEdge): string {
  if (guard !== null) return guard;
  if (trigger.kind === 'event') return trigger.event.toLowerCase().replaceAll('_', ' ').replaceAll('.', ' ');
  return trigger.kind === 'after' ? `after ${trigger.delay}` : '';
}
