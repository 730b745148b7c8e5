/** Decides which pictures a chart needs. */

import type { Chart, ChartState } from './chart.js';
import type { Picture } from './picture.js';
import { PictureBuilder } from './picture-builder.js';

/** Leaf states of one picture; compound states that do not fit get their own picture. */
const MAX_STATES = 15;
/** Leaf states of an overview, which shows names only. */
const MAX_OVERVIEW_STATES = 24;

/** One picture of the chart, or an overview and a picture of each part that does not fit into it. */
export function picturesOf(chart: Chart): Picture[] {
  const root = chart.states[0];
  if (root === undefined) return [];
  const pictures: Picture[] = [];
  const pending = [root];
  for (let top = pending.shift(); top !== undefined; top = pending.shift()) {
    const open = openStates(chart, top, MAX_STATES);
    const folded = foldedStates(chart, open);
    if (top === root && folded.length > 0 && root.kind === 'parallel') {
      // Regions are mostly independent, so each one gets its own picture.
      const regions = chart.states.filter(({ parent }) => parent === root.id);
      const shown = new Set([root, ...regions].map(({ id }) => id));
      pictures.push(new PictureBuilder(chart, top, shown, { overview: true }).build());
      pending.push(...regions);
      continue;
    }
    if (top === root && folded.length > 0) {
      pictures.push(
        new PictureBuilder(chart, top, openStates(chart, top, MAX_OVERVIEW_STATES, true), {
          overview: true,
        }).build(),
      );
      pictures.push(new PictureBuilder(chart, top, open, { name: `${chart.id}.outside` }).build());
    } else pictures.push(new PictureBuilder(chart, top, open).build());
    pending.push(...folded);
  }
  return pictures;
}

function foldedStates(chart: Chart, open: ReadonlySet<string>): ChartState[] {
  return chart.states.filter(
    ({ id, kind, parent }) =>
      parent !== null && open.has(parent) && !open.has(id) && (kind === 'compound' || kind === 'parallel'),
  );
}

/** The compound states whose children are shown: the largest first, as long as there is room. */
function openStates(chart: Chart, top: ChartState, maxStates: number, onlyOne = false): Set<string> {
  const childrenOf = (id: string) => chart.states.filter(({ parent }) => parent === id);
  const size = (id: string): number =>
    childrenOf(id).reduce((sum, child) => sum + Math.max(size(child.id), 1), 0);
  const open = new Set([top.id]);
  let shown = childrenOf(top.id);
  for (;;) {
    const candidates = shown
      .filter(({ id }) => childrenOf(id).length > 0 && shown.length - 1 + childrenOf(id).length <= maxStates)
      .sort((a, b) => size(b.id) - size(a.id));
    const next = candidates[0];
    if (next === undefined || (onlyOne && open.size > 1)) return open;
    open.add(next.id);
    shown = [...shown.filter(({ id }) => id !== next.id), ...childrenOf(next.id)];
  }
}
