/** What a step lights up in a picture of its chart, so that no step passes unseen. */
import type { Actor, Entry } from '../timeline.js';
import type { ChartData, PictureData } from './model.js';

/** The ids that a picture can light. */
export interface PictureParts {
  readonly states: ReadonlySet<string>;
  /** Each arrow stands for one or more edges. */
  readonly edges: ReadonlySet<string>;
}

/** Ids of boxes and edges. */
export interface Lights {
  /** Edges with an arrow in this picture. */
  readonly taken: readonly string[];
  /** Sources of edges without an arrow: the edge is text in their box. */
  readonly left: readonly string[];
  /** Boxes of the active states, the innermost that the picture has. */
  readonly active: readonly string[];
  /** The active states received an event for which they have no transition. */
  readonly ignored: boolean;
  /** States whose work has begun or ended. */
  readonly working: readonly string[];
  /** Edges, for the text above the picture. */
  readonly rows: readonly string[];
}

const parts = new WeakMap<PictureData, PictureParts>();

/** Read from the text of the picture, which never changes. */
export function partsOf(picture: PictureData): PictureParts {
  let found = parts.get(picture);
  if (found === undefined) {
    found = {
      states: new Set(attributes(picture.svg, 'data-state')),
      edges: new Set(attributes(picture.svg, 'data-edges').flatMap((value) => value.split('|'))),
    };
    parts.set(picture, found);
  }
  return found;
}

function attributes(svg: string, name: string): string[] {
  return [...svg.matchAll(new RegExp(`${name}="([^"]*)"`, 'g'))].map(([, value = '']) =>
    value
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"')
      .replaceAll('&#39;', "'")
      .replaceAll('&amp;', '&'),
  );
}

/** The innermost of a state and its parents that the picture has a box for. */
export function boxOf(id: string, { states }: PictureParts): string | undefined {
  for (let at = id; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
    if (states.has(at)) return at;
  }
  return undefined;
}

const present = (ids: readonly (string | undefined)[]): string[] => [
  ...new Set(ids.filter((id) => id !== undefined)),
];

/**
 * @param entry the step: of the chart itself, or of work that the chart has started
 * @param active ids of the active states of the chart
 */
export function lightsOf(
  entry: Entry | undefined,
  actor: Actor | undefined,
  active: readonly string[],
  chart: ChartData,
  picture: PictureParts,
): Lights {
  const edges = entry?.edges ?? [];
  const taken = edges.filter((edge) => picture.edges.has(edge));
  const written = edges.filter((edge) => !picture.edges.has(edge));
  const isWork = actor?.kind === 'task';
  return {
    taken,
    left: present(
      written.map((edge) => boxOf(chart.edges[edge]?.source ?? edge.split(' ')[0] ?? '', picture)),
    ),
    active: present(active.map((id) => boxOf(id, picture))),
    ignored: entry?.kind === 'ignored' && !isWork,
    working: isWork ? present(invoking(actor.name, chart).map((id) => boxOf(id, picture))) : [],
    rows: edges,
  };
}

/** States that invoke an actor of this name. */
const invoking = (name: string, { states }: ChartData): string[] =>
  Object.entries(states).flatMap(([id, { invokes }]) => (invokes.includes(name) ? [id] : []));

/** The picture that shows most of a step; with equal ones the shown one stays. */
export function bestPicture(
  chart: ChartData,
  shown: string,
  entry: Entry | undefined,
  active: readonly string[],
  actor: Actor | undefined,
): PictureData | undefined {
  const edges = entry?.edges ?? [];
  const working = actor?.kind === 'task' ? invoking(actor.name, chart) : [];
  const scoreOf = (picture: PictureData): number => {
    const parts = partsOf(picture);
    let score = 0;
    for (const id of active) {
      if (parts.states.has(id)) score += 10;
      else if (boxOf(id, parts) === undefined) score -= 2_000;
    }
    for (const id of working)
      score += boxOf(id, parts) === undefined ? -1_000 : parts.states.has(id) ? 12 : 0;
    for (const edge of edges) {
      const source = chart.edges[edge]?.source ?? '';
      if (parts.edges.has(edge)) score += 100;
      else if (parts.states.has(source)) score += 12;
      // A picture of the inside of another state shows nothing of this edge.
      else if (boxOf(source, parts) === undefined) score -= 1_000;
    }
    return score;
  };
  let best: PictureData | undefined;
  let bestScore = Number.NEGATIVE_INFINITY;
  for (const picture of chart.pictures) {
    const score = scoreOf(picture) + (picture.name === shown ? 0.5 : 0);
    if (score > bestScore) {
      best = picture;
      bestScore = score;
    }
  }
  return best;
}
