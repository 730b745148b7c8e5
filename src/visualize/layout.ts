/** Gives a picture its places, with ELK's layered algorithm. The same picture comes out the same on every host. */
import type { ElkExtendedEdge, ElkNode, LayoutOptions } from 'elkjs/lib/elk.bundled.js';
import { FONT, LINE_HEIGHT, widest } from './lines.js';
import type { Arrow, Box, Picture } from './picture.js';
import { penalty } from './score.js';
import { textWidth } from './text-width.js';

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

export interface Placed {
  readonly picture: Picture;
  readonly width: number;
  readonly height: number;
  readonly boxes: readonly { readonly box: Box; readonly rect: Rect }[];
  readonly arrows: readonly PlacedArrow[];
}

export const TITLE_FONT = 13;
export const TITLE_HEIGHT = 28;
export const PAD = 12;
const MARGIN = 10;
const LABEL_PAD = 4;

/** Asked of ELK for each box that has an inside: these options are not handed down. */
const EACH: LayoutOptions = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.randomSeed': '1',
  'elk.edgeLabels.placement': 'CENTER',
  'elk.spacing.nodeNode': '26',
  'elk.spacing.edgeNode': '14',
  'elk.spacing.edgeEdge': '11',
  'elk.spacing.edgeLabel': '3',
  'elk.spacing.labelLabel': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '24',
  'elk.layered.spacing.edgeNodeBetweenLayers': '13',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '10',
  'elk.layered.thoroughness': '40',
  'elk.nodeSize.constraints': 'MINIMUM_SIZE',
};

/** Ways to lay the same picture out. The one that reads best wins; large pictures have time for the first ones only. */
const WAYS: readonly LayoutOptions[] = [
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '1'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '2'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '3'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '4'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '5'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '6'],
  ['NETWORK_SIMPLEX', 'LONGEST_PATH', '2'],
  ['BRANDES_KOEPF', 'NETWORK_SIMPLEX', '1'],
  ['BRANDES_KOEPF', 'LONGEST_PATH', '3'],
  ['BRANDES_KOEPF', 'LONGEST_PATH', '4'],
].map(([placement = '', layering = '', seed = '']) => ({
  'elk.layered.nodePlacement.strategy': placement,
  'elk.layered.layering.strategy': layering,
  'elk.randomSeed': seed,
}));
const WAYS_WHEN_LARGE = 6;
const LARGE = 20;

export async function layout(picture: Picture): Promise<Placed> {
  const { default: elkjs } = await import('elkjs/lib/elk.bundled.js');
  const elk = new elkjs.default();
  let best: { readonly placed: Placed; readonly cost: number } | undefined;
  const ways = picture.boxes.length > LARGE ? WAYS.slice(0, WAYS_WHEN_LARGE) : WAYS;
  for (const way of ways) {
    const placed = placedOf(picture, await elk.layout(graphOf(picture, way)));
    const cost = penalty(placed);
    if (best === undefined || cost < best.cost) best = { placed, cost };
  }
  if (best === undefined) throw new Error('there is no way to lay a picture out');
  return best.placed;
}

function graphOf(picture: Picture, way: LayoutOptions): ElkNode {
  const order = readingOrder(picture);
  return {
    id: ' picture',
    layoutOptions: {
      ...EACH,
      ...way,
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'org.eclipse.elk.json.shapeCoords': 'ROOT',
      'org.eclipse.elk.json.edgeCoords': 'ROOT',
      'elk.padding': `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]`,
    },
    children: childrenOf(picture, null, way),
    edges: picture.arrows.map((arrow): ElkExtendedEdge => {
      const [from, to] = isBackward(arrow, order)
        ? [arrow.target, arrow.source]
        : [arrow.source, arrow.target];
      return {
        id: arrow.id,
        sources: [from],
        targets: [to],
        labels: arrow.lines.length === 0 ? [] : [{ text: 'x', ...labelSize(arrow) }],
      };
    }),
  };
}

/** Layers go by the order in which states are written: an arrow back up is handed to ELK the other way round. */
function isBackward(arrow: Arrow, order: ReadonlyMap<string, number>): boolean {
  return (order.get(arrow.target) ?? 0) < (order.get(arrow.source) ?? 0);
}

function readingOrder(picture: Picture): Map<string, number> {
  const order = new Map(picture.boxes.map(({ id }, index) => [id, index]));
  // A mark comes before everything that is beside it.
  for (const { id, kind } of picture.boxes) if (kind === 'initial' || kind === 'anywhere') order.set(id, -1);
  return order;
}

function childrenOf(picture: Picture, parent: string | null, way: LayoutOptions): ElkNode[] {
  return picture.boxes
    .filter((box) => box.parent === parent)
    .map((box): ElkNode => {
      const children = childrenOf(picture, box.id, way);
      const size = boxSize(box);
      if (children.length === 0) return { id: box.id, ...size };
      const top = size.height + 12;
      return {
        id: box.id,
        layoutOptions: {
          ...EACH,
          ...way,
          'elk.padding': `[top=${top},left=14,bottom=14,right=14]`,
          'elk.nodeSize.minimum': `(${size.width},${size.height})`,
        },
        children,
      };
    });
}

export function boxSize(box: Box): { readonly width: number; readonly height: number } {
  if (box.kind === 'initial') return { width: 12, height: 12 };
  if (box.kind === 'anywhere') return { width: 16, height: 16 };
  const marks = (box.folded ? 18 : 0) + (box.state?.kind === 'parallel' ? 46 : 0);
  const title = textWidth(box.title, TITLE_FONT, true) + marks;
  const lines = box.lines.length * LINE_HEIGHT;
  return {
    width: Math.ceil(Math.max(title, widest(box.lines), 44) + 2 * PAD),
    height: TITLE_HEIGHT + (lines === 0 ? 4 : lines + 10),
  };
}

function labelSize(arrow: Arrow): { readonly width: number; readonly height: number } {
  return {
    width: Math.ceil(widest(arrow.lines) + 2 * LABEL_PAD),
    height: arrow.lines.length * LINE_HEIGHT + FONT / 2,
  };
}

function placedOf(picture: Picture, graph: ElkNode): Placed {
  const nodes = new Map<string, Rect>();
  const edges = new Map<string, ElkExtendedEdge>();
  const collect = (node: ElkNode) => {
    nodes.set(node.id, rectOf(node));
    for (const edge of node.edges ?? []) edges.set(edge.id, edge);
    for (const child of node.children ?? []) collect(child);
  };
  collect(graph);
  const order = readingOrder(picture);
  const at = nodes.get(' picture');
  return {
    picture,
    width: at?.width ?? 0,
    height: at?.height ?? 0,
    boxes: picture.boxes.map((box) => ({ box, rect: nodes.get(box.id) ?? rectOf({}) })),
    arrows: picture.arrows.map((arrow): PlacedArrow => {
      const edge = edges.get(arrow.id);
      const points = (edge?.sections ?? []).flatMap((section) => [
        section.startPoint,
        ...(section.bendPoints ?? []),
        section.endPoint,
      ]);
      const label = edge?.labels?.[0];
      return {
        arrow,
        points: (isBackward(arrow, order) ? points.reverse() : points).map(({ x, y }) => ({
          x: round(x),
          y: round(y),
        })),
        label: label === undefined ? null : rectOf(label),
      };
    }),
  };
}

function rectOf({ x, y, width, height }: { x?: number; y?: number; width?: number; height?: number }): Rect {
  return { x: round(x ?? 0), y: round(y ?? 0), width: round(width ?? 0), height: round(height ?? 0) };
}

const round = (n: number): number => Math.round(n * 2) / 2;
