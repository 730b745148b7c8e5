/** Lays out a picture with the layered algorithm of ELK. The result is the same on every host. */
import { createHash } from 'node:crypto';
import type { ElkExtendedEdge, ElkNode, LayoutOptions } from 'elkjs/lib/elk.bundled.js';
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
import { LAYOUT_RECORDS, type LayoutRecord, type TextPlan } from './layout-records.js';
import { FONT, LINE_HEIGHT, maxWidth, rewrap } from './lines.js';
import { overlaps } from './overlaps.js';
import type { Arrow, Box, Picture } from './picture.js';
import { crossings, MAX_WIDTH, penalty } from './readability.js';

const MARGIN = 10;
const LABEL_PAD = 4;
/** Width of a short line in a box with children, px. */
const NARROW_ROW_WIDTH = 155;

/** ELK options of each box with children. Children do not inherit them. */
const COMPOUND_OPTIONS: LayoutOptions = {
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
  'elk.layered.thoroughness': '10',
  'elk.nodeSize.constraints': 'MINIMUM_SIZE',
};

/** Less room between boxes and arrows, for pictures that are too wide. */
const COMPACT: LayoutOptions = {
  'elk.spacing.nodeNode': '16',
  'elk.spacing.edgeNode': '10',
  'elk.spacing.edgeEdge': '9',
};

/**
 * Variants of the layout. The most readable result is used. Large pictures try only the first ones, to save time, unless none of
 * them can be read.
 */
const VARIANTS: readonly LayoutOptions[] = [
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
  ['NETWORK_SIMPLEX', 'NETWORK_SIMPLEX', '1', 'compact'],
  ['LINEAR_SEGMENTS', 'NETWORK_SIMPLEX', '3', 'compact'],
  ['BRANDES_KOEPF', 'NETWORK_SIMPLEX', '2', 'compact'],
  ['NETWORK_SIMPLEX', 'LONGEST_PATH_SOURCE', '4', 'compact'],
].map(([placement = '', layering = '', seed = '', compact = '']) => ({
  'elk.layered.nodePlacement.strategy': placement,
  'elk.layered.layering.strategy': layering,
  // Used by COFFMAN_GRAHAM alone.
  'elk.layered.layering.coffmanGraham.layerBound': '3',
  'elk.randomSeed': seed,
  ...(compact === '' ? {} : COMPACT),
}));
const VARIANTS_WHEN_LARGE = 9;
/** After this many variants a picture that is far too complex gets no more of them. */
const TRIALS_BEFORE_GIVING_UP = 3;
const LARGE_PICTURE = 16;

/** Lays out the picture, or a simpler version of it, as the record says, or as a search finds. */
export async function layout(picture: Picture, options: LayoutOptionsOfPicture = {}): Promise<Placed> {
  const { default: elkjs } = await import('elkjs/lib/elk.bundled.js');
  const elk = new elkjs.default();
  const runElk = (graph: ElkNode) => elk.layout(graph);
  const record = (options.records ?? LAYOUT_RECORDS)[picture.name];
  return (record && (await placedAsRecorded(picture, record, runElk))) ?? search(picture, runElk);
}

export interface LayoutOptionsOfPicture {
  /** The layouts that earlier searches found, by the name of the picture. Default: those of visualizations/layouts/records.json. */
  readonly records?: Readonly<Record<string, LayoutRecord>>;
}

type RunElk = (graph: ElkNode) => Promise<ElkNode>;

/** The layout with the recorded plan; undefined when the record is of another picture or of other options. */
async function placedAsRecorded(
  picture: Picture,
  record: LayoutRecord,
  runElk: RunElk,
): Promise<Placed | undefined> {
  const simpler = simplifications(picture)[record.level];
  const variant = VARIANTS[record.variant];
  if (simpler === undefined || variant === undefined) return undefined;
  const simplified = record.text === 'narrow' ? withShortLines(simpler) : simpler;
  const graph = graphOf(simplified, { ...record, variant });
  // ELK writes the positions into the graph, so the hash comes first.
  return inputHash(picture, graph) === record.input
    ? placedFrom(simplified, await runElk(graph), record)
    : undefined;
}

/** The first readable result is used, or else the best one. */
async function search(picture: Picture, runElk: RunElk): Promise<Placed> {
  let best: Candidate | undefined;
  for (const [level, next] of simplifications(picture).entries()) {
    const place: Place = async (plan) => {
      const drawn = plan.text === 'narrow' ? withShortLines(next) : next;
      const graph = graphOf(drawn, { ...plan, variant: VARIANTS[plan.variant] ?? {} });
      const input = inputHash(picture, graph);
      return placedFrom(drawn, await runElk(graph), { ...plan, level, input });
    };
    const found = await bestOf(next, place);
    if (isReadable(found.placed)) return found.placed;
    if (best === undefined || found.cost < best.cost) best = found;
  }
  if (best === undefined) throw new Error('no layout variant was tried');
  return best.placed;
}

/** The picture and its simpler versions, from most arrows to fewest. */
function simplifications(picture: Picture): Picture[] {
  const found: Picture[] = [];
  // A machine without states has no arrow.
  let previousArrows: string | undefined;
  for (let next: Picture | null = picture; next !== null; next = next.simpler?.() ?? null) {
    const arrows = JSON.stringify(next.arrows);
    if (arrows !== previousArrows) found.push(next);
    previousArrows = arrows;
  }
  return found;
}

/** Changes with all that a search depends on: the most detailed picture, the graph of the result, and the layout options. */
function inputHash(picture: Picture, graph: ElkNode): string {
  const full = graphOf(picture, { variant: {}, stackRegions: false, text: 'wide' });
  return createHash('sha256')
    .update(JSON.stringify([full, graph]))
    .digest('hex')
    .slice(0, 16);
}

interface Candidate {
  readonly placed: Placed;
  readonly cost: number;
}

type Place = (plan: Pick<LayoutRecord, 'variant' | 'stackRegions' | 'text'>) => Promise<Placed>;

async function bestOf(picture: Picture, place: Place): Promise<Candidate> {
  let best: Candidate | undefined;
  let isHopeless = false;
  const isLarge = picture.boxes.length > LARGE_PICTURE;
  const tryVariants = async (stackRegions: boolean, text: TextPlan): Promise<boolean> => {
    for (const variant of VARIANTS.keys()) {
      if (variant === TRIALS_BEFORE_GIVING_UP && best !== undefined && picture.simpler !== null) {
        isHopeless = isFarTooComplex(best.placed);
        if (isHopeless) break;
      }
      if (isLarge && variant >= VARIANTS_WHEN_LARGE && best !== undefined && isAcceptable(best.placed)) break;
      const placed = await place({ variant, stackRegions, text });
      const found = { placed, cost: penalty(placed) };
      const readable = isReadable(placed);
      if (readable || best === undefined || found.cost < best.cost) best = found;
      if (readable) return true;
    }
    return false;
  };
  const hasNoOverlaps = () => best !== undefined && overlaps(best.placed).length === 0;
  const canBeRead = () => best !== undefined && isAcceptable(best.placed);
  const hasRegions = picture.boxes.some(({ region }) => region);
  const stackings = hasRegions ? [false, true] : [false];
  for (const stackRegions of stackings) if (await tryVariants(stackRegions, 'wide')) break;
  if (!hasNoOverlaps() && !isHopeless) await tryVariants(hasRegions, 'separate');
  if (!canBeRead() && !isHopeless && hasLongLines(picture)) await tryVariants(hasRegions, 'narrow');
  if (best === undefined) throw new Error('no layout variant was tried');
  return best;
}

/** So far from readable that a simpler picture is better. */
function isFarTooComplex({ width, arrows }: Placed): boolean {
  return width > MAX_WIDTH * 1.25 || crossings(arrows) > 3;
}

/** It can be read, though arrows cross. */
function isAcceptable(placed: Placed): boolean {
  return placed.width <= MAX_WIDTH && overlaps(placed).length === 0;
}

/** Readable in a README: no need to try further variants. */
function isReadable(placed: Placed): boolean {
  return isAcceptable(placed) && crossings(placed.arrows) === 0;
}

interface Plan {
  readonly variant: LayoutOptions;
  /** Regions of a parallel state are placed below each other instead of side by side. */
  readonly stackRegions: boolean;
  readonly text: TextPlan;
}

/** ELK does not always make a box with children as wide as its text. Short lines fit into it. */
function withShortLines(picture: Picture): Picture {
  const parents = parentsOf(picture);
  return {
    ...picture,
    boxes: picture.boxes.map((box) =>
      parents.has(box.id) ? { ...box, lines: rewrap(box.lines, NARROW_ROW_WIDTH) } : box,
    ),
  };
}

function hasLongLines(picture: Picture): boolean {
  const parents = parentsOf(picture);
  return picture.boxes.some(({ id, lines }) => parents.has(id) && maxWidth(lines) > NARROW_ROW_WIDTH);
}

const parentsOf = ({ boxes }: Picture): Set<string | null> => new Set(boxes.map(({ parent }) => parent));

function graphOf(picture: Picture, plan: Plan): ElkNode {
  const order = readingOrder(picture);
  return {
    id: ' picture',
    layoutOptions: {
      ...COMPOUND_OPTIONS,
      ...plan.variant,
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'org.eclipse.elk.json.shapeCoords': 'ROOT',
      'org.eclipse.elk.json.edgeCoords': 'ROOT',
      'elk.padding': `[top=${MARGIN},left=${MARGIN},bottom=${MARGIN},right=${MARGIN}]`,
    },
    children: childrenOf(picture, null, plan),
    edges: [
      ...(plan.stackRegions ? stackingEdges(picture) : []),
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

/** Edges from each region to the next one. They are not drawn. */
function stackingEdges({ boxes }: Picture): ElkExtendedEdge[] {
  const regions = boxes.filter(({ region }) => region);
  return regions.flatMap((box, index): ElkExtendedEdge[] => {
    const next = regions.slice(index + 1).find(({ parent }) => parent === box.parent);
    return next === undefined ? [] : [{ id: ` stack ${box.id}`, sources: [box.id], targets: [next.id] }];
  });
}

/** Layers follow the source order of the states, so an arrow to an earlier state is reversed for ELK. */
function isBackward(arrow: Arrow, order: ReadonlyMap<string, number>): boolean {
  return (order.get(arrow.target) ?? 0) < (order.get(arrow.source) ?? 0);
}

function readingOrder(picture: Picture): Map<string, number> {
  const order = new Map(picture.boxes.map(({ id }, index) => [id, index]));
  // Marks come before all other boxes.
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
      const separateText = plan.text === 'separate' && box.lines.length > 0;
      const notes: ElkNode = {
        id: notesId(box),
        ...textSize(box),
        layoutOptions: { 'elk.layered.layering.layerConstraint': 'FIRST' },
      };
      const top = (separateText ? TITLE_HEIGHT : size.height) + 12;
      const minimum = separateText ? titleSize(box) : size;
      return {
        id: box.id,
        layoutOptions: {
          ...COMPOUND_OPTIONS,
          ...plan.variant,
          'elk.padding': `[top=${top},left=14,bottom=14,right=14]`,
          'elk.nodeSize.minimum': `(${minimum.width},${minimum.height})`,
        },
        children: separateText ? [notes, ...children] : children,
      };
    });
}

const notesId = (box: Box): string => ` notes ${box.id}`;

function labelSize(arrow: Arrow): { readonly width: number; readonly height: number } {
  return {
    width: Math.ceil(maxWidth(arrow.lines) + 2 * LABEL_PAD),
    height: arrow.lines.length * LINE_HEIGHT + FONT / 2,
  };
}

function placedFrom(picture: Picture, graph: ElkNode, record: LayoutRecord): Placed {
  const nodes = new Map<string, Rect>();
  const edges = new Map<string, ElkExtendedEdge>();
  const collect = (node: ElkNode) => {
    nodes.set(node.id, rectOf(node));
    for (const edge of node.edges ?? []) edges.set(edge.id, edge);
    for (const child of node.children ?? []) collect(child);
  };
  collect(graph);
  const order = readingOrder(picture);
  const root = nodes.get(' picture');
  return {
    picture,
    record,
    width: root?.width ?? 0,
    height: root?.height ?? 0,
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
