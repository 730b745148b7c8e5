/** Which edges of a picture are drawn as arrows, so that it stays readable; all others are written into boxes. */
import type { ChartEdge, ChartState } from './walk.js';

/** An edge as the picture sees it: between boxes. */
export interface Link {
  readonly edge: ChartEdge;
  readonly source: string;
  readonly target: string | null;
}

/** What is drawn as an arrow; everything else is written into a box. */
interface Level {
  /** A state that more others than this lead to is named in their boxes: no fan of lines across the picture. */
  readonly hub: number;
  /** Of arrows that hold in every state of one box; if there are more, they are written into that box. */
  readonly stars: number;
  /** In a picture of fewer states than this there is always room for all. */
  readonly states: number;
}

/** From the one that shows most to the plainest. */
const LEVELS: readonly Level[] = [
  { hub: 4, stars: 8, states: 10 },
  { hub: 4, stars: 3, states: 10 },
  { hub: 3, stars: 8, states: 10 },
  { hub: 3, stars: 3, states: 10 },
];
const PLAINEST: Level = { hub: 2, stars: 2, states: 0 };

/** The picture that the links are in. */
export interface Scene {
  readonly states: readonly ChartState[];
  readonly isInside: (id: string, outer: string) => boolean;
}

export interface Selection {
  readonly drawn: readonly Link[];
  readonly written: readonly Link[];
  /** States that boxes name instead of pointing to them. */
  readonly hubs: ReadonlySet<string>;
  /** There is no picture with less. */
  readonly isPlainest: boolean;
}

/** @param level Of what is drawn, 0 the most. */
export function selectLinks(links: readonly Link[], level: number, scene: Scene): Selection {
  const wanted = LEVELS[level] ?? PLAINEST;
  const hubs = hubsOf(links, wanted, scene);
  const drawn = links.filter((link) => isDrawn(link, links, hubs, wanted, scene));
  return {
    drawn,
    written: links.filter((link) => !drawn.includes(link)),
    hubs,
    isPlainest: wanted === PLAINEST,
  };
}

function hubsOf(links: readonly Link[], { hub, states: few }: Level, { states }: Scene): Set<string> {
  if (states.length < few) return new Set();
  const shown = new Set(states.map(({ id }) => id));
  const sources = new Map<string, Set<string>>();
  for (const { source, target } of links) {
    if (target === null || source === target) continue;
    sources.set(target, (sources.get(target) ?? new Set()).add(source));
  }
  // What is not in a large picture at all is named as well.
  return new Set([...sources].flatMap(([id, from]) => (from.size > hub || !shown.has(id) ? [id] : [])));
}

function isDrawn(
  { source, target }: Link,
  links: readonly Link[],
  hubs: ReadonlySet<string>,
  { stars }: Level,
  scene: Scene,
): boolean {
  if (target === null || target === source || scene.isInside(source, target)) return false;
  if (scene.isInside(target, source) && starsOf(source, links, scene).size > stars) return false;
  return !hubs.has(target) || source === mainSource(target, links, scene);
}

/** States that every state in this one leads to. */
function starsOf(outer: string, links: readonly Link[], { isInside }: Scene): Set<string> {
  return new Set(
    links.flatMap(({ source, target }) =>
      source === outer && target !== null && isInside(target, outer) ? target : [],
    ),
  );
}

/** Of the many that lead to a hub, the last one written before it: that arrow is drawn. */
function mainSource(hub: string, links: readonly Link[], { states, isInside }: Scene): string | undefined {
  const place = states.findIndex(({ id }) => id === hub);
  const sources = new Set(links.flatMap(({ source, target }) => (target === hub ? source : [])));
  return states.findLast(({ id }, index) => index < place && sources.has(id) && !isInside(hub, id))?.id;
}
