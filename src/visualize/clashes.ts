/** What a person would stumble over in a laid-out picture. */
import { type Placed, type PlacedArrow, type Rect, segments, titleSize } from './geometry.js';

/** One sentence for each overlap; crossings of two arrows are not among them. */
export function clashes({ arrows, boxes, picture }: Placed): string[] {
  const inner = new Set(picture.boxes.flatMap(({ parent }) => parent ?? []));
  const solid = boxes.flatMap(({ box, rect, text }): Solid[] =>
    inner.has(box.id)
      ? [
          { what: `the title of ${box.id}`, id: null, rect: { x: rect.x, y: rect.y, ...titleSize(box) } },
          { what: `the text of ${box.id}`, id: null, rect: text },
        ]
      : [{ what: box.id, id: box.id, rect }],
  );
  const labels = arrows.flatMap(({ arrow, label }) =>
    label === null ? [] : [{ id: arrow.id, rect: label }],
  );
  const found = boxes.flatMap(({ box, rect, text }) =>
    text.x + text.width > rect.x + rect.width ? [`the text of ${box.id} is wider than its box`] : [],
  );
  labels.forEach((label, index) => {
    for (const other of labels.slice(index + 1)) {
      if (overlap(label.rect, other.rect)) found.push(`the labels of ${label.id} and ${other.id} overlap`);
    }
    for (const { what, rect } of solid) {
      if (overlap(label.rect, rect)) found.push(`the label of ${label.id} overlaps ${what}`);
    }
  });
  for (const arrow of arrows) {
    for (const { what, id, rect } of solid) {
      const ends = id === arrow.arrow.source || id === arrow.arrow.target;
      if (!ends && runsThrough(arrow, rect)) found.push(`${arrow.arrow.id} runs through ${what}`);
    }
    for (const { id, rect } of labels) {
      if (id !== arrow.arrow.id && runsThrough(arrow, rect))
        found.push(`${arrow.arrow.id} runs through the label of ${id}`);
    }
  }
  return found;
}

interface Solid {
  readonly what: string;
  /** Of the box, where an arrow may end. */
  readonly id: string | null;
  readonly rect: Rect;
}

function overlap(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function runsThrough(arrow: PlacedArrow, rect: Rect): boolean {
  // A line along the axes is a very flat box.
  return segments(arrow).some(([from, to]) =>
    overlap(rect, {
      x: Math.min(from.x, to.x),
      y: Math.min(from.y, to.y),
      width: Math.max(Math.abs(from.x - to.x), 0.1),
      height: Math.max(Math.abs(from.y - to.y), 0.1),
    }),
  );
}
