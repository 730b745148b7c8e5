/** Overlaps that make a picture hard to read. */
import { type Placed, type PlacedArrow, type Rect, segments, titleSize } from './geometry.js';

/** One sentence for each overlap. Crossings of two arrows do not count. */
export function overlaps({ arrows, boxes, picture }: Placed): string[] {
  const parents = new Set(picture.boxes.flatMap(({ parent }) => parent ?? []));
  const obstacles = boxes.flatMap(({ box, rect, text }): Obstacle[] =>
    parents.has(box.id)
      ? [
          {
            description: `the title of ${box.id}`,
            id: null,
            rect: { x: rect.x, y: rect.y, ...titleSize(box) },
          },
          { description: `the text of ${box.id}`, id: null, rect: text },
        ]
      : [{ description: box.id, id: box.id, rect }],
  );
  const labels = arrows.flatMap(({ arrow, label }) =>
    label === null ? [] : [{ id: arrow.id, rect: label }],
  );
  const found = boxes.flatMap(({ box, rect, text }) =>
    text.x + text.width > rect.x + rect.width ? [`the text of ${box.id} is wider than its box`] : [],
  );
  labels.forEach((label, index) => {
    for (const other of labels.slice(index + 1)) {
      if (intersects(label.rect, other.rect)) found.push(`the labels of ${label.id} and ${other.id} overlap`);
    }
    for (const { description, rect } of obstacles) {
      if (intersects(label.rect, rect)) found.push(`the label of ${label.id} overlaps ${description}`);
    }
  });
  for (const arrow of arrows) {
    for (const { description, id, rect } of obstacles) {
      const ends = id === arrow.arrow.source || id === arrow.arrow.target;
      if (!ends && runsThrough(arrow, rect)) found.push(`${arrow.arrow.id} runs through ${description}`);
    }
    for (const { id, rect } of labels) {
      if (id !== arrow.arrow.id && runsThrough(arrow, rect))
        found.push(`${arrow.arrow.id} runs through the label of ${id}`);
    }
  }
  return found;
}

interface Obstacle {
  readonly description: string;
  /** Id of the box, where an arrow may end; null for text. */
  readonly id: string | null;
  readonly rect: Rect;
}

function intersects(a: Rect, b: Rect): boolean {
  return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

function runsThrough(arrow: PlacedArrow, rect: Rect): boolean {
  // Lines run along the axes, so a line is a rectangle of almost no height or width.
  return segments(arrow).some(([from, to]) =>
    intersects(rect, {
      x: Math.min(from.x, to.x),
      y: Math.min(from.y, to.y),
      width: Math.max(Math.abs(from.x - to.x), 0.1),
      height: Math.max(Math.abs(from.y - to.y), 0.1),
    }),
  );
}
