/** Measures how hard a picture is to read: overlaps and crossings first, then bends, length of lines, and size. */

import { type Placed, type PlacedArrow, type Segment, segments } from './geometry.js';
import { FONT } from './lines.js';
import { overlaps } from './overlaps.js';

/** Width of a picture in a README, px; wider pictures are scaled down. */
const README_WIDTH = 830;
/** Smallest readable text after scaling, px. */
const MIN_FONT = 9.4;
/** Width of the widest picture that is readable in a README, px. */
export const MAX_WIDTH = (README_WIDTH * FONT) / MIN_FONT;

export function penalty(placed: Placed): number {
  const bends = placed.arrows.reduce((sum, { points }) => sum + Math.max(points.length - 2, 0), 0);
  const length = placed.arrows.reduce((sum, arrow) => sum + lengthOf(arrow), 0);
  const tooWide = Math.max(placed.width - MAX_WIDTH, 0);
  return (
    overlaps(placed).length * 300 +
    crossings(placed.arrows) * 120 +
    bends * 8 +
    length / 12 +
    tooWide * 1.5 +
    placed.height / 4
  );
}

/** Number of crossings of two arrows. */
export function crossings(arrows: readonly PlacedArrow[]): number {
  let count = 0;
  arrows.forEach((arrow, index) => {
    for (const other of arrows.slice(index + 1)) {
      for (const a of segments(arrow)) for (const b of segments(other)) if (intersect(a, b)) count += 1;
    }
  });
  return count;
}

function lengthOf(arrow: PlacedArrow): number {
  return segments(arrow).reduce((sum, [a, b]) => sum + Math.abs(a.x - b.x) + Math.abs(a.y - b.y), 0);
}

/** All segments run along the axes. */
function intersect(one: Segment, other: Segment): boolean {
  const [a, b] = one;
  const [c, d] = other;
  const horizontal = a.y === b.y;
  if (horizontal === (c.y === d.y)) return false;
  const [h, v] = horizontal ? [one, other] : [other, one];
  const within = (value: number, p: number, q: number) => value > Math.min(p, q) && value < Math.max(p, q);
  return within(v[0].x, h[0].x, h[1].x) && within(h[0].y, v[0].y, v[1].y);
}
