/** Positions and sizes in a picture after layout. */
import type { LayoutRecord } from './layout-records.js';
import { LINE_HEIGHT, maxWidth, textWidth } from './lines.js';
import type { Arrow, Box, Picture } from './picture.js';

export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface PlacedArrow {
  readonly arrow: Arrow;
  /** From the source to the target. */
  readonly points: readonly Point[];
  readonly label: Rect | null;
}

export interface PlacedBox {
  readonly box: Box;
  readonly rect: Rect;
  /** Position of its text lines. */
  readonly text: Rect;
}

export interface Placed {
  readonly picture: Picture;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly PlacedBox[];
  readonly arrows: readonly PlacedArrow[];
  /** How to lay it out in the same way again. */
  readonly record: LayoutRecord;
}

const TITLE_FONT = 13;
export const TITLE_HEIGHT = 28;
export const PAD = 12;

/** Room for the sign or the pointed ends of a choice. */
const CHOICE_MARK = 16;

export function boxSize(box: Box): { readonly width: number; readonly height: number } {
  if (box.kind === 'initial') return { width: 12, height: 12 };
  if (box.kind === 'anywhere') return { width: 16, height: 16 };
  const marks =
    (box.choice ? CHOICE_MARK : 0) + (box.folded ? 18 : 0) + (box.state?.kind === 'parallel' ? 46 : 0);
  const title = textWidth(box.title, TITLE_FONT, true) + marks;
  const lines = box.lines.length * LINE_HEIGHT;
  return {
    width: Math.ceil(Math.max(title, maxWidth(box.lines), 44) + 2 * PAD),
    height: TITLE_HEIGHT + (lines === 0 ? 4 : lines + 10),
  };
}

export function titleSize(box: Box): { readonly width: number; readonly height: number } {
  return { width: textWidth(box.title, TITLE_FONT, true) + 2 * PAD, height: TITLE_HEIGHT };
}

export function textSize(box: Box): { readonly width: number; readonly height: number } {
  if (box.lines.length === 0) return { width: 0, height: 0 };
  return { width: Math.ceil(maxWidth(box.lines) + 2 * PAD), height: box.lines.length * LINE_HEIGHT + 6 };
}

export type Segment = readonly [Point, Point];

export function segments({ points }: PlacedArrow): Segment[] {
  return points.slice(1).flatMap((to, index): Segment[] => {
    const from = points[index];
    return from === undefined ? [] : [[from, to]];
  });
}
