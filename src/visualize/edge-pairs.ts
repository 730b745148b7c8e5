/** Which edges of two versions of a chart are the same, changed, added or removed. */
import type { Chart, ChartEdge } from './chart.js';
import { shortId, triggerText } from './edge-text.js';

/** The edges of one state and trigger. The lists are in the order of their version. */
export interface EdgeGroup {
  /** An edge of the group, for its source and trigger. */
  readonly sample: ChartEdge;
  /** Pairs with the same guard, or else with the same targets. */
  readonly changed: readonly EdgePair[];
  readonly added: readonly ChartEdge[];
  readonly removed: readonly ChartEdge[];
  /** The edges in their new order, if nothing else changed; else empty. */
  readonly reordered: readonly ChartEdge[];
}

interface EdgePair {
  readonly was: ChartEdge;
  readonly is: ChartEdge;
  readonly same: 'guard' | 'targets';
}

/** The groups in which something changed, in the order of the newer chart; those that the newer one does not have come last. */
export function changedGroups(before: Chart, after: Chart): EdgeGroup[] {
  const [old, now] = [edgeGroups(before), edgeGroups(after)];
  const keys = [...now.keys(), ...[...old.keys()].filter((key) => !now.has(key))];
  return keys
    .flatMap((key) => groupOf(before, after, old.get(key) ?? [], now.get(key) ?? []))
    .filter(
      ({ changed, added, removed, reordered }) =>
        changed.length + added.length + removed.length + reordered.length > 0,
    );
}

/** The targets of an edge in words, for example `connected and idle`, or `itself`. */
export function targetText(chart: Chart, { targets: ids }: ChartEdge): string {
  return ids.length === 0 ? 'itself' : ids.map((id) => shortId(chart, id)).join(' and ');
}

function edgeGroups(chart: Chart): Map<string, ChartEdge[]> {
  const found = new Map<string, ChartEdge[]>();
  for (const edge of chart.edges) {
    const key = `${edge.source}\n${triggerText(edge.trigger)}`;
    found.set(key, [...(found.get(key) ?? []), edge]);
  }
  return found;
}

function groupOf(
  before: Chart,
  after: Chart,
  was: readonly ChartEdge[],
  is: readonly ChartEdge[],
): EdgeGroup[] {
  const sample = is[0] ?? was[0];
  if (sample === undefined) return [];
  let [removed, added] = unmatched(was, is, sameEdge);
  const changed: EdgePair[] = [];
  const matchPairs = (same: EdgePair['same'], isPair: (a: ChartEdge, b: ChartEdge) => boolean) => {
    for (const edge of [...added]) {
      const match = removed.find((other) => isPair(other, edge));
      if (match === undefined) continue;
      removed = removed.filter((other) => other !== match);
      added = added.filter((other) => other !== edge);
      changed.push({ was: match, is: edge, same });
    }
  };
  matchPairs('guard', (a, b) => a.guard === b.guard);
  matchPairs('targets', (a, b) => targetText(before, a) === targetText(after, b));
  const isReordered =
    changed.length + added.length + removed.length === 0 &&
    was.some((edge, index) => !sameEdge(edge, is[index]));
  return [{ sample, changed, added, removed, reordered: isReordered ? is : [] }];
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
