/** Gives a picture its places, with ELK's layered algorithm. The same picture comes out the same on every host. */
import type { ElkExtendedEdge, ElkNode, LayoutOptions } from 'elkjs/lib/elk.bundled.js';
import { clashes } from './clashes.js';
import {
  boxSize,
  type Placed,
  type PlacedArrow,
  type PlacedBox,
  type Rect,
  TITLE_HEIGHT,
  textSize,
  titleSize,
} from './geometry.js';
import { FONT, LINE_HEIGHT, widest } from './lines.js';
import type { Arrow, Box, Picture } from './picture.js';
import { crossings, penalty, WIDEST } from './score.js';

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
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '3'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '5'],
  ['LINEAR_SEGMENTS', 'NETWORK_SIMPLEX', '3'],
  ['LINEAR_SEGMENTS', 'NETWORK_SIMPLEX', '5'],
  ['LINEAR_SEGMENTS', 'NETWORK_SIMPLEX', '7'],
  ['LINEAR_SEGMENTS', 'LONGEST_PATH_SOURCE', '1'],
  ['NETWORK_SIMPLEX', 'LONGEST_PATH_SOURCE', '3'],
  ['NETWORK_SIMPLEX', 'COFFMAN_GRAHAM', '3'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '2'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '4'],
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '6'],
  ['NETWORK_SIMPLEX', 'LONGEST_PATH', '2'],
  ['BRANDES_KOEPF', 'NETWORK_SIMPLEX', '1'],
  ['BRANDES_KOEPF', 'LONGEST_PATH', '3'],
  ['BRANDES_KOEPF', 'LONGEST_PATH', '4'],
].map(([placement = '', layering = '', seed = '']) => ({
  'elk.layered.nodePlacement.strategy': placement,
  'elk.layered.layering.strategy': layering,
  // Of the way that bounds it.
  'elk.layered.layering.coffmanGraham.layerBound': '3',
  'elk.randomSeed': seed,
}));
const WAYS_WHEN_LARGE = 9;
/** After so many it is known whether the rest can be any better. */
const WAYS_TO_HOPE = 3;
const LARGE = 16;

/** The picture as it is, or a plainer one of the same, whichever is the first that reads well. */
export async function layout(picture: Picture): Promise<Placed> {
  const { default: elkjs } = await import('elkjs/lib/elk.bundled.js');
  const place = new elkjs.default();
  let best: Found | undefined;
  let last = '';
  for (let next: Picture | null = picture; next !== null; next = next.plainer?.() ?? null) {
    const arrows = next.arrows.map(({ id }) => id).join();
    if (arrows === last) continue;
    last = arrows;
    const found = await bestOf(next, (graph) => place.layout(graph));
    if (isGood(found.placed)) return found.placed;
    if (best === undefined || found.cost < best.cost) best = found;
  }
  if (best === undefined) throw new Error('there is no way to lay a picture out');
  return best.placed;
}

interface Found {
  readonly placed: Placed;
  readonly cost: number;
}

async function bestOf(picture: Picture, place: (graph: ElkNode) => Promise<ElkNode>): Promise<Found> {
  let best: Found | undefined;
  const ways = picture.boxes.length > LARGE ? WAYS.slice(0, WAYS_WHEN_LARGE) : WAYS;
  const findGood = async (plan: Omit<Plan, 'way'>): Promise<boolean> => {
    for (const [index, way] of ways.entries()) {
      if (index === WAYS_TO_HOPE && best !== undefined && isHopeless(best.placed) && picture.plainer !== null)
        break;
      const placed = placedOf(picture, await place(graphOf(picture, { ...plan, way })));
      const found = { placed, cost: penalty(placed) };
      const good = isGood(placed);
      if (good || best === undefined || found.cost < best.cost) best = found;
      if (good) return true;
    }
    return false;
  };
  const isClear = () => best !== undefined && clashes(best.placed).length === 0;
  const regions = picture.boxes.some(({ region }) => region);
  const plans = [{ stack: false }, ...(regions ? [{ stack: true }] : [])];
  for (const plan of plans) if (await findGood({ ...plan, apart: false })) break;
  if (!isClear()) await findGood({ stack: regions, apart: true });
  if (best === undefined) throw new Error('there is no way to lay a picture out');
  return best;
}

/** So far from good that a plainer picture is the better way. */
function isHopeless({ width, arrows }: Placed): boolean {
  return width > WIDEST * 1.25 || crossings(arrows) > 3;
}

/** Nothing that a person would mind: no need to look for better. */
function isGood(placed: Placed): boolean {
  return placed.width <= WIDEST && crossings(placed.arrows) === 0 && clashes(placed).length === 0;
}

interface Plan {
  readonly way: LayoutOptions;
  /** Regions of a parallel state stand one below the other instead of side by side. */
  readonly stack: boolean;
  /** What is written on a box with an inside gets a place of its own in it, and arrows go around it. */
  readonly apart: boolean;
}

function graphOf(picture: Picture, plan: Plan): ElkNode {
  const order = readingOrder(picture);
  return {
    id: ' picture',
    layoutOptions: {
      ...EACH,
      ...plan.way,
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'org.eclipse.elk.json.shapeCoords': 'ROOT',
      'org.eclipse.elk.json.edgeCoords': 'ROOT',
      'elk.padding': `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]`,
    },
    children: childrenOf(picture, null, plan),
    edges: [
      ...(plan.stack ? stackingEdges(picture) : []),
      ...picture.arrows.map((arrow): ElkExtendedEdge => {
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
    ],
  };
}

/** From each region to the next one; they are not drawn. */
function stackingEdges({ boxes }: Picture): ElkExtendedEdge[] {
  const regions = boxes.filter(({ region }) => region);
  return regions.flatMap((box, index): ElkExtendedEdge[] => {
    const next = regions.slice(index + 1).find(({ parent }) => parent === box.parent);
    return next === undefined ? [] : [{ id: ` stack ${box.id}`, sources: [box.id], targets: [next.id] }];
  });
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

function childrenOf(picture: Picture, parent: string | null, plan: Plan): ElkNode[] {
  return picture.boxes
    .filter((box) => box.parent === parent)
    .map((box): ElkNode => {
      const children = childrenOf(picture, box.id, plan);
      const size = boxSize(box);
      if (children.length === 0) return { id: box.id, ...size };
      const apart = plan.apart && box.lines.length > 0;
      const notes: ElkNode = {
        id: notesId(box),
        ...textSize(box),
        layoutOptions: { 'elk.layered.layering.layerConstraint': 'FIRST' },
      };
      const top = (apart ? TITLE_HEIGHT : size.height) + 12;
      const least = apart ? titleSize(box) : size;
      return {
        id: box.id,
        layoutOptions: {
          ...EACH,
          ...plan.way,
          'elk.padding': `[top=${top},left=14,bottom=14,right=14]`,
          'elk.nodeSize.minimum': `(${least.width},${least.height})`,
        },
        children: apart ? [notes, ...children] : children,
      };
    });
}

const notesId = (box: Box): string => ` notes ${box.id}`;

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
    boxes: picture.boxes.map((box): PlacedBox => {
      const rect = nodes.get(box.id) ?? rectOf({});
      const below = { x: rect.x, y: rect.y + TITLE_HEIGHT, ...textSize(box) };
      return { box, rect, text: nodes.get(notesId(box)) ?? below };
    }),
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
