/** Which pictures a chart needs. */
import { Drawing, type Picture } from './picture.js';
import type { Chart, ChartState } from './walk.js';

/** A picture shows at most so many states without children; compound states that are too much get their own. */
const MOST_STATES = 16;
/** An overview shows the names of so many; what they do is in the pictures of the parts. */
const MOST_NAMES = 24;

/** The chart in one picture, or in an overview and a picture of each part that does not fit. */
export function picturesOf(chart: Chart): Picture[] {
  const root = chart.states[0];
  if (root === undefined) return [];
  const pictures: Picture[] = [];
  const waiting = [root];
  for (let top = waiting.shift(); top !== undefined; top = waiting.shift()) {
    const open = opened(chart, top, MOST_STATES);
    const folded = foldedStates(chart, open);
    if (top === root && folded.length > 0 && root.kind === 'parallel') {
      // Its regions have little to do with each other: each has its own picture.
      const regions = chart.states.filter(({ parent }) => parent === root.id);
      const shown = new Set([root, ...regions].map(({ id }) => id));
      pictures.push(new Drawing(chart, top, shown, { overview: true }).picture());
      waiting.push(...regions);
      continue;
    }
    if (top === root && folded.length > 0) {
      pictures.push(
        new Drawing(chart, top, opened(chart, top, MOST_NAMES, true), { overview: true }).picture(),
      );
      pictures.push(new Drawing(chart, top, open, { name: `${chart.id}.outside` }).picture());
    } else pictures.push(new Drawing(chart, top, open).picture());
    waiting.push(...folded);
  }
  return pictures;
}

function foldedStates(chart: Chart, open: ReadonlySet<string>): ChartState[] {
  return chart.states.filter(
    ({ id, kind, parent }) =>
      parent !== null && open.has(parent) && !open.has(id) && (kind === 'compound' || kind === 'parallel'),
  );
}

/** The compound states that are shown with their inside: the largest first, as long as there is room. */
function opened(chart: Chart, top: ChartState, most: number, onlyOne = false): Set<string> {
  const childrenOf = (id: string) => chart.states.filter(({ parent }) => parent === id);
  const size = (id: string): number =>
    childrenOf(id).reduce((sum, child) => sum + Math.max(size(child.id), 1), 0);
  const open = new Set([top.id]);
  let shown = childrenOf(top.id);
  for (;;) {
    const candidates = shown
      .filter(({ id }) => childrenOf(id).length > 0 && shown.length - 1 + childrenOf(id).length <= most)
      .sort((a, b) => size(b.id) - size(a.id));
    const next = candidates[0];
    if (next === undefined || (onlyOne && open.size > 1)) return open;
    open.add(next.id);
    shown = [...shown.filter(({ id }) => id !== next.id), ...childrenOf(next.id)];
  }
}
