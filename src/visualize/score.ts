/** How hard a laid-out picture is to read: crossings first, then length of lines, bends, and size. */
import { clashes } from './clashes.js';
import { type Placed, type PlacedArrow, type Segment, segments } from './geometry.js';
import { FONT } from './lines.js';

/** A README shows pictures about this wide; wider ones are scaled down. */
export const README_WIDTH = 830;
/** Small text of a picture that is scaled down has at least so many pixels. */
export const LEAST_FONT = 9.4;
/** The widest picture that can be read there. */
export const WIDEST = (README_WIDTH * FONT) / LEAST_FONT;

export function penalty(placed: Placed): number {
  const bends = placed.arrows.reduce((sum, { points }) => sum + Math.max(points.length - 2, 0), 0);
  const length = placed.arrows.reduce((sum, arrow) => sum + lengthOf(arrow), 0);
  const tooWide = Math.max(placed.width - WIDEST, 0);
  return (
    clashes(placed).length * 300 +
    crossings(placed.arrows) * 120 +
    bends * 8 +
    length / 12 +
    tooWide * 1.5 +
    placed.height / 4
  );
}

/** How often arrows cross each other. */
export function crossings(arrows: readonly PlacedArrow[]): number {
  let count = 0;
  arrows.forEach((one, index) => {
    for (const other of arrows.slice(index + 1)) {
      for (const a of segments(one)) for (const b of segments(other)) if (cross(a, b)) count += 1;
    }
  });
  return count;
}

function lengthOf(arrow: PlacedArrow): number {
  return segments(arrow).reduce((sum, [a, b]) => sum + Math.abs(a.x - b.x) + Math.abs(a.y - b.y), 0);
}

/** All lines run along the axes. */
function cross(one: Segment, other: Segment): boolean {
  const [a, b] = one;
  const [c, d] = other;
  const flat = a.y === b.y;
  if (flat === (c.y === d.y)) return false;
  const [h, v] = flat ? [one, other] : [other, one];
  const within = (value: number, p: number, q: number) => value > Math.min(p, q) && value < Math.max(p, q);
  return within(v[0].x, h[0].x, h[1].x) && within(h[0].y, v[0].y, v[1].y);
}
