/** Finds few paths that together cover all goals: always to the nearest open goal, from the start if none is near. */
import type { Explored, Leg } from './explore.js';
import type { Verdict } from './pure-machine.js';
import type { Coverage } from './types.js';

/** Legs of each path, from the start. */
export function pathsOver(
  explored: Explored,
  coverage: Coverage,
  maxSteps: number,
  except: ReadonlySet<string> = new Set(),
): Leg[][] {
  const open = new Set<string>();
  const goalsOf = goalsFor(explored, coverage);
  for (const [index, place] of explored.places.entries()) {
    const before = coverage === 'pairs' ? lastEdgesInto(explored, index) : [''];
    for (const leg of place.legs)
      for (const last of before) for (const goal of goalsOf(leg, last)) open.add(goal);
  }
  for (const goal of except) open.delete(goal);
  const paths: Leg[][] = [];
  while (open.size > 0) {
    const path: Leg[] = [];
    let spot: Spot = { place: 0, last: '' };
    for (;;) {
      // A goal that is too far away for this path gets its own path.
      const hop = nearest(
        explored,
        spot,
        (leg, last) => goalsOf(leg, last).some((goal) => open.has(goal)),
        coverage,
      );
      if (hop === undefined || (path.length > 0 && path.length + hop.length > maxSteps)) break;
      for (const leg of hop) {
        for (const goal of goalsOf(leg, spot.last)) open.delete(goal);
        path.push(leg);
        spot = { place: leg.to, last: coverage === 'pairs' ? (leg.edges.at(-1) ?? spot.last) : '' };
      }
    }
    if (path.length === 0) break;
    paths.push(path);
  }
  // A chart that ends when it starts has one path without steps.
  const startGoals = [...explored.startEdges, ...explored.startVerdicts.map(verdictName)];
  return paths.length === 0 && startGoals.some((goal) => !except.has(goal)) ? [[]] : paths;
}

interface Spot {
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
      return ({ edges, verdicts }) => [...edges, ...verdicts.map(verdictName)];
    case 'states':
      return ({ to }) => explored.places[to]?.position.snapshot._nodes.map(({ id }) => id) ?? [];
    case 'pairs':
      return ({ edges }, last) => {
        const [first] = edges;
        return first === undefined || last === '' ? edges : [...edges, `${last} > ${first}`];
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
  coverage: Coverage,
): Leg[] | undefined {
  const nameOf = ({ place, last }: Spot) => `${place} ${last}`;
  const arrivals = new Map<string, { readonly leg: Leg; readonly spot: Spot } | null>([[nameOf(from), null]]);
  const queue: Spot[] = [from];
  for (let spot = queue.shift(); spot !== undefined; spot = queue.shift()) {
    for (const leg of places[spot.place]?.legs ?? []) {
      if (isGoal(leg, spot.last)) return [...pathTo(spot), leg];
      const next: Spot = { place: leg.to, last: coverage === 'pairs' ? (leg.edges.at(-1) ?? spot.last) : '' };
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
