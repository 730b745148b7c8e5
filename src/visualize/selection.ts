/** Decides which edges of a picture are drawn as arrows, so that it stays readable. The others become text in boxes. */
import type { ChartEdge, ChartState } from './chart.js';

/** An edge between two boxes of a picture. */
export interface Link {
  readonly edge: ChartEdge;
  readonly source: string;
  readonly target: string | null;
}

/** The limits that decide which edges are drawn as arrows. */
interface Level {
  /** A state with more source states than this is a hub: the boxes of its sources name it instead of arrows. */
  readonly maxSources: number;
  /** Arrows from a star in one box; if there are more, they become text in that box. */
  readonly innerArrows: number;
  /** A picture with fewer states than this has no hubs. */
  readonly minStates: number;
}

/** From most arrows to fewest. */
const LEVELS: readonly Level[] = [
  { maxSources: 4, innerArrows: 8, minStates: 10 },
  { maxSources: 4, innerArrows: 3, minStates: 10 },
  { maxSources: 3, innerArrows: 8, minStates: 10 },
  { maxSources: 3, innerArrows: 3, minStates: 10 },
];
const SIMPLEST: Level = { maxSources: 2, innerArrows: 2, minStates: 0 };

/** The states of the picture that contains the links. */
interface PictureStates {
  readonly states: readonly ChartState[];
  readonly isInside: (id: string, outer: string) => boolean;
}

interface Selection {
  readonly drawn: readonly Link[];
  readonly written: readonly Link[];
  /** States that boxes name instead of arrows. */
  readonly hubs: ReadonlySet<string>;
  /** There is no level with fewer arrows. */
  readonly isSimplest: boolean;
}

/** @param level How much is drawn as arrows; 0 is the most. */
export function selectLinks(links: readonly Link[], level: number, picture: PictureStates): Selection {
  const limits = LEVELS[level] ?? SIMPLEST;
  const hubs = hubsOf(links, limits, picture);
  const drawn = links.filter((link) => isDrawn(link, links, hubs, limits, picture));
  return {
    drawn,
    written: links.filter((link) => !drawn.includes(link)),
    hubs,
    isSimplest: limits === SIMPLEST,
  };
}

function hubsOf(
  links: readonly Link[],
  { maxSources, minStates }: Level,
  { states }: PictureStates,
): Set<string> {
  if (states.length < minStates) return new Set();
  const shown = new Set(states.map(({ id }) => id));
  const sources = new Map<string, Set<string>>();
  for (const { source, target } of links) {
    if (target === null || source === target) continue;
    sources.set(target, (sources.get(target) ?? new Set()).add(source));
  }
  // A large picture also names the states that it does not contain.
  return new Set(
    [...sources].flatMap(([id, from]) => (from.size > maxSources || !shown.has(id) ? [id] : [])),
  );
}

function isDrawn(
  { source, target, edge }: Link,
  links: readonly Link[],
  hubs: ReadonlySet<string>,
  { innerArrows }: Level,
  picture: PictureStates,
): boolean {
  if (target === null || target === source || picture.isInside(source, target)) return false;
  if (edge.spine) return true;
  if (picture.isInside(target, source) && innerTargetsOf(source, links, picture).size > innerArrows)
    return false;
  return !hubs.has(target) || source === mainSource(target, links, picture);
}

/** States inside this state to which its own edges lead: the targets of its stars. */
function innerTargetsOf(outer: string, links: readonly Link[], { isInside }: PictureStates): Set<string> {
  return new Set(
    links.flatMap(({ source, target }) =>
      source === outer && target !== null && isInside(target, outer) ? target : [],
    ),
  );
}

/** The source whose arrow to a hub is drawn: the last one before the hub in source order. */
function mainSource(
  hub: string,
  links: readonly Link[],
  { states, isInside }: PictureStates,
): string | undefined {
  const position = states.findIndex(({ id }) => id === hub);
  const sources = new Set(links.flatMap(({ source, target }) => (target === hub ? source : [])));
  return states.findLast(({ id }, index) => index < position && sources.has(id) && !isInside(hub, id))?.id;
}
