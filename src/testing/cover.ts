/** Finds few paths that together cover all goals: always to the nearest open goal, from the start if none is near. */
import type { Explored, Leg } from './explore.js';
import type { Verdict } from './pure-machine.js';
import type { Coverage } from './types.js';
import { Walk } from './walk.js';

/**
 * The paths, executed from the start. Situations with the same key share a place, so a way that was found between places is not
 * always possible: then the goal is reached on the way on which it was first seen.
 *
 * @throws Error when the chart does not do there what it did before.
 */
export function pathsOver(explored: Explored, options: CoverOptions): Walk[] {
  const goalsOf = goalsFor(explored, options.coverage);
  const open = openGoals(explored, goalsOf, options);
  const paths: Walk[] = [];
  let walk = new Walk(explored);
  const finish = () => {
    if (walk.steps.length > 0) paths.push(walk);
    walk = new Walk(explored);
  };
  const advance = (legs: readonly Leg[]): string | null => {
    const before = walk.spot.last;
    const problem = walk.follow(legs);
    if (problem !== null) return problem;
    let last = before;
    for (const leg of legs) {
      for (const goal of goalsOf(leg, last)) open.delete(goal);
      last = leg.edges.at(-1) ?? last;
    }
    return null;
  };
  while (open.size > 0) {
    const hop = nearest(
      explored,
      walk.spot,
      (leg, last) => goalsOf(leg, last).some((goal) => open.has(goal)),
      options,
    );
    // A goal that is too far away for this path gets its own path.
    const isTooFar = hop === undefined || walk.steps.length + hop.length > options.maxSteps;
    if (isTooFar && walk.steps.length > 0) {
      finish();
      continue;
    }
    if (hop === undefined) break;
    const problem = advance(hop);
    if (problem === null) continue;
    // What a step shows besides its edges can have another way: that on which it was seen first.
    const isDetail = hop.at(-1)?.shows.some((one) => open.has(one)) === true;
    if (explored.isExact && !isDetail) throw new Error(problem);
    finish();
    const [leg, previous] = [hop.at(-1), hop.at(-2)];
    if (leg === undefined) break;
    // The same two edges, on the way on which the first one was seen first.
    if (previous !== undefined && advance([...firstWayTo(explored, previous.from), previous, leg]) === null)
      continue;
    // They follow each other between places, but not in any situation that is known exactly.
    const pairs = goalsOf(leg, previous?.edges.at(-1) ?? '').filter((goal) => goal.includes(PAIR));
    if (pairs.filter((goal) => open.delete(goal)).length > 0) continue;
    const failure = advance([...firstWayTo(explored, leg.from), leg]);
    if (failure !== null) throw new Error(failure);
  }
  finish();
  // A chart that ends when it starts has one path without steps.
  const startGoals = [...explored.startEdges, ...explored.startVerdicts.map(verdictName)];
  const needsStart = startGoals.some((goal) => !options.except.has(goal));
  return paths.length === 0 && needsStart ? [walk] : paths;
}

/** Between the edges in the name of a pair. */
const PAIR = ' > ';

export interface CoverOptions {
  readonly coverage: Coverage;
  readonly maxSteps: number;
  readonly except: ReadonlySet<string>;
}

function openGoals(explored: Explored, goalsOf: Goals, { coverage, except }: CoverOptions): Set<string> {
  const open = new Set<string>();
  for (const [index, place] of explored.places.entries()) {
    // No edge leads to the start.
    const before = coverage === 'pairs' && index > 0 ? lastEdgesInto(explored, index) : [''];
    for (const leg of place.legs)
      for (const last of before) for (const goal of goalsOf(leg, last)) open.add(goal);
  }
  for (const goal of except) open.delete(goal);
  return open;
}

/** The way on which a place was seen first. It is always possible. */
function firstWayTo(explored: Explored, place: number): Leg[] {
  const via = explored.places[place]?.via ?? null;
  return via === null ? [] : [...firstWayTo(explored, via.from), via];
}

export interface Spot {
  readonly place: number;
  /** The edge that was taken last; used only for pairs. */
  readonly last: string;
}

/** The name of a guard result in `CoverageReport`. */
export function verdictName({ guard, held }: Verdict): string {
  return `${guard} ${held ? 'holds' : 'fails'}`;
}

type Goals = (leg: Leg, last: string) => readonly string[];

function goalsFor(explored: Explored, coverage: Coverage): Goals {
  switch (coverage) {
    case 'transitions':
      return ({ edges, verdicts, restored, shows }) => [
        ...edges,
        ...verdicts.map(verdictName),
        ...restored,
        ...shows,
      ];
    case 'thorough':
      return ({ edges, verdicts, restored, shows, subtleties }) => [
        ...edges,
        ...verdicts.map(verdictName),
        ...restored,
        ...shows,
        ...subtleties,
      ];
    case 'states':
      return ({ to }) => explored.places[to]?.position.snapshot._nodes.map(({ id }) => id) ?? [];
    case 'pairs':
      return ({ edges, restored, shows, subtleties }, last) => {
        const [first] = edges;
        const pair = first === undefined || last === '' ? [] : [`${last}${PAIR}${first}`];
        return [...edges, ...restored, ...shows, ...subtleties, ...pair];
      };
  }
}

function lastEdgesInto(explored: Explored, place: number): string[] {
  const into = explored.places.flatMap(({ legs }) => legs.filter(({ to }) => to === place));
  return [...new Set(into.flatMap(({ edges }) => edges.at(-1) ?? []))];
}

function nearest(
  { places }: Explored,
  from: Spot,
  isGoal: (leg: Leg, last: string) => boolean,
  { coverage }: CoverOptions,
): Leg[] | undefined {
  const nameOf = ({ place, last }: Spot) => (coverage === 'pairs' ? `${place} ${last}` : `${place}`);
  const arrivals = new Map<string, { readonly leg: Leg; readonly spot: Spot } | null>([[nameOf(from), null]]);
  const queue: Spot[] = [from];
  for (let spot = queue.shift(); spot !== undefined; spot = queue.shift()) {
    for (const leg of places[spot.place]?.legs ?? []) {
      if (isGoal(leg, spot.last)) return [...pathTo(spot), leg];
      const next: Spot = { place: leg.to, last: leg.edges.at(-1) ?? spot.last };
      if (!arrivals.has(nameOf(next))) {
        arrivals.set(nameOf(next), { leg, spot });
        queue.push(next);
      }
    }
  }
  return undefined;

  function pathTo(spot: Spot): Leg[] {
    const legs: Leg[] = [];
    for (let came = arrivals.get(nameOf(spot)); came; came = arrivals.get(nameOf(came.spot)))
      legs.unshift(came.leg);
    return legs;
  }
}
