/** Explores the product of charts breadth first, so that the first counterexample found is a shortest one. */
import { type ChartStep, type Charts, type Performer, ProductBoard, type Situation } from './board.js';

/** One thing that can happen outside. */
export interface OutsideAct<World> {
  readonly words: string;
  /**
   * It happens without a question of a chart: a person wants it, the machine wakes up, the link has been open for long. It
   * may happen again and again without a pause.
   */
  readonly isSpontaneous: boolean;
  readonly perform: (board: Performer) => void;
  /** The world outside after it. */
  readonly world: World;
}

/** A situation of the charts, and of the world outside. */
export interface Node<World> {
  readonly situation: Situation;
  readonly world: World;
}

/** What happened between two nodes. */
export interface Leg<World> {
  readonly before: Node<World>;
  readonly act: OutsideAct<World>;
  readonly after: Node<World>;
  readonly steps: readonly ChartStep[];
}

/** A law that holds in each situation, and after each act. */
export interface Law<World> {
  readonly name: string;
  /** In words, why it is broken; undefined: it holds. */
  readonly broken?: (leg: Leg<World>) => string | undefined;
  /** The same for a situation with all that can happen in it. */
  readonly stuck?: (node: Node<World>, acts: readonly OutsideAct<World>[]) => string | undefined;
}

export interface ProductModel<World> {
  readonly charts: Charts;
  readonly start: () => Node<World>;
  readonly acts: (node: Node<World>) => readonly OutsideAct<World>[];
  /** Situations with the same key count as one. */
  readonly key: (node: Node<World>) => string;
  readonly laws: readonly Law<World>[];
  /** The pause after a failure has become longer in this leg. */
  readonly grows: (leg: Leg<World>) => boolean;
  /** It has become shorter again. */
  readonly shrinks: (leg: Leg<World>) => boolean;
  /** A pause of this length needs not grow, ms. */
  readonly longPause: number;
}

export interface Bounds {
  /** Most acts in a row. */
  readonly depth: number;
  /** Most situations. */
  readonly situations: number;
  /** Most time, ms. */
  readonly time: number;
}

/** Acts in words that break a law. */
export interface Counterexample {
  readonly law: string;
  readonly why: string;
  /** Indexes of the acts from the start, for a replay. */
  readonly choices: readonly number[];
  readonly words: readonly string[];
  /** For a livelock: how many of the acts at the end are repeated. */
  readonly loop: number;
}

export interface Explored {
  readonly situations: number;
  readonly legs: number;
  /** Acts in a row up to which every way was followed. */
  readonly depth: number;
  /** The bound that ended the search; null: there is nothing more. */
  readonly endedBy: 'depth' | 'situations' | 'time' | null;
  readonly ms: number;
  /** The first one of each law. */
  readonly counterexamples: readonly Counterexample[];
}

interface Visited {
  readonly from: number;
  readonly choice: number;
  readonly depth: number;
}

/** A leg that nothing spontaneous causes, for the search for loops. */
export interface GraphLeg {
  readonly from: number;
  readonly to: number;
  readonly choice: number;
  readonly kind: 'grows' | 'shrinks' | 'plain';
}

export function exploreProduct<World>(model: ProductModel<World>, bounds: Bounds): Explored {
  return new Search(model, bounds).run();
}

class Search<World> {
  readonly #model: ProductModel<World>;
  readonly #bounds: Bounds;
  readonly #known = new Map<string, number>();
  readonly #visited: Visited[] = [];
  readonly #graph: GraphLeg[] = [];
  readonly #broken = new Map<string, Counterexample>();
  #frontier: (readonly [number, Node<World>])[] = [];
  #legs = 0;

  constructor(model: ProductModel<World>, bounds: Bounds) {
    this.#model = model;
    this.#bounds = bounds;
  }

  run(): Explored {
    const started = performance.now();
    const elapsed = () => performance.now() - started;
    const start = this.#model.start();
    this.#visit(start, { from: -1, choice: -1, depth: 0 });
    let depth = 0;
    let endedBy: Explored['endedBy'] = null;
    while (this.#frontier.length > 0 && endedBy === null) {
      if (depth >= this.#bounds.depth) endedBy = 'depth';
      const layer = this.#frontier;
      this.#frontier = [];
      for (const [index, node] of endedBy === null ? layer : []) {
        this.#expand(index, node);
        if (this.#visited.length >= this.#bounds.situations) endedBy = 'situations';
        else if (elapsed() > this.#bounds.time) endedBy = 'time';
        if (endedBy !== null) break;
      }
      if (endedBy === null) depth += 1;
    }
    this.#findLoops();
    return {
      ...{ situations: this.#visited.length, legs: this.#legs, depth, endedBy },
      ms: Math.round(elapsed()),
      counterexamples: [...this.#broken.values()],
    };
  }

  #expand(index: number, node: Node<World>): void {
    const acts = this.#model.acts(node);
    for (const { name, stuck } of this.#model.laws) {
      const why = stuck?.(node, acts);
      if (why !== undefined) this.#report(name, why, this.#way(index), 0);
    }
    for (const [choice, act] of acts.entries()) {
      const leg = takeAct(this.#model, node, act);
      this.#legs += 1;
      for (const { name, broken } of this.#model.laws) {
        const why = broken?.(leg);
        if (why !== undefined) this.#report(name, why, [...this.#way(index), choice], 0);
      }
      const depth = (this.#visited[index]?.depth ?? 0) + 1;
      const to = this.#visit(leg.after, { from: index, choice, depth });
      this.#note(leg, index, to, choice);
    }
  }

  #visit(node: Node<World>, visited: Visited): number {
    const key = this.#model.key(node);
    const found = this.#known.get(key);
    if (found !== undefined) return found;
    const index = this.#visited.length;
    this.#known.set(key, index);
    this.#visited.push(visited);
    this.#frontier.push([index, node]);
    return index;
  }

  #note(leg: Leg<World>, from: number, to: number, choice: number): void {
    const { before, after, act } = leg;
    if (act.isSpontaneous || after.situation.now - before.situation.now >= this.#model.longPause) return;
    const kind = this.#model.shrinks(leg) ? 'shrinks' : this.#model.grows(leg) ? 'grows' : 'plain';
    this.#graph.push({ from, to, choice, kind });
  }

  /** A situation stands for others that differ in their times, so a loop counts only if it can be repeated. */
  #findLoops(): void {
    const plain = loopsIn(this.#graph.filter(({ kind }) => kind === 'plain'));
    const undone = loopsIn(this.#graph, 'shrinks');
    for (const [loops, why] of [
      [plain, 'These acts can repeat, and no pause grows.'],
      [
        undone,
        'These acts can repeat: the pause grows and is short again, and nothing has shown that it works.',
      ],
    ] as const) {
      for (const loop of loops) {
        const way = this.#way(loop[0]?.from ?? 0);
        const choices = loop.map(({ choice }) => choice);
        if (!repeats(this.#model, way, choices)) continue;
        this.#report(NO_LIVELOCK, why, [...way, ...choices], loop.length);
        return;
      }
    }
  }

  #report(law: string, why: string, choices: readonly number[], loop: number): void {
    if (this.#broken.has(law)) return;
    const words = replay(this.#model, choices).map(({ act }) => act.words);
    this.#broken.set(law, { law, why, choices, words, loop });
  }

  #way(index: number): number[] {
    const way: number[] = [];
    for (let at = index; at > 0; at = this.#visited[at]?.from ?? 0) way.push(this.#visited[at]?.choice ?? 0);
    return way.reverse();
  }
}

export const NO_LIVELOCK = 'no livelock without a growing pause';

export function takeAct<World>(
  { charts }: ProductModel<World>,
  before: Node<World>,
  act: OutsideAct<World>,
): Leg<World> {
  const board = new ProductBoard(charts, before.situation);
  act.perform(board);
  return { before, act, after: { situation: board.situation, world: act.world }, steps: board.steps };
}

/** The legs of a way that was found. */
export function replay<World>(model: ProductModel<World>, choices: readonly number[]): Leg<World>[] {
  const legs: Leg<World>[] = [];
  let node = model.start();
  for (const choice of choices) {
    const act = model.acts(node)[choice];
    if (act === undefined)
      throw new Error('The way cannot be repeated: the model depends on something else.');
    const leg = takeAct(model, node, act);
    legs.push(leg);
    node = leg.after;
  }
  return legs;
}

const LAPS = 4;

/** True when the acts of the loop are possible again and again, each time within a short time. */
function repeats<World>(
  model: ProductModel<World>,
  way: readonly number[],
  loop: readonly number[],
): boolean {
  const legs = replay(model, [...way, ...loop]);
  const words = legs.slice(way.length).map(({ act }) => act.words);
  let node = legs.at(-1)?.after;
  for (let lap = 1; lap < LAPS; lap += 1) {
    const began = node?.situation.now ?? 0;
    for (const word of words) {
      if (node === undefined) return false;
      const act = model.acts(node).find((one) => one.words === word);
      if (act === undefined) return false;
      node = takeAct(model, node, act).after;
    }
    if ((node?.situation.now ?? 0) - began >= model.longPause) return false;
  }
  return true;
}

const MAX_LOOPS = 300;

/** Loops of these legs, short ones first; those that contain a leg of this kind, where it is given. */
function loopsIn(legs: readonly GraphLeg[], kind?: GraphLeg['kind']): GraphLeg[][] {
  const inLoops = legsInLoops(legs);
  const out = bySource(inLoops);
  const loops = inLoops
    .filter((leg) => kind === undefined || leg.kind === kind)
    .slice(0, MAX_LOOPS)
    .flatMap((leg): GraphLeg[][] => {
      const back = wayBack(out, leg.to, leg.from);
      return back === undefined ? [] : [[leg, ...back]];
    });
  return loops.sort((a, b) => a.length - b.length);
}

/** Removes legs again and again that nothing leads to, or that lead nowhere. */
function legsInLoops(all: readonly GraphLeg[]): GraphLeg[] {
  let legs = [...all];
  for (;;) {
    const sources = new Set(legs.map(({ from }) => from));
    const targets = new Set(legs.map(({ to }) => to));
    const rest = legs.filter(({ from, to }) => targets.has(from) && sources.has(to));
    if (rest.length === legs.length) return rest;
    legs = rest;
  }
}

type LegsFrom = ReadonlyMap<number, readonly GraphLeg[]>;

function bySource(legs: readonly GraphLeg[]): LegsFrom {
  const out = new Map<number, GraphLeg[]>();
  for (const leg of legs) {
    const others = out.get(leg.from);
    if (others === undefined) out.set(leg.from, [leg]);
    else others.push(leg);
  }
  return out;
}

function wayBack(out: LegsFrom, from: number, to: number): GraphLeg[] | undefined {
  const via = new Map<number, GraphLeg | null>([[from, null]]);
  const queue = [from];
  for (let at = queue.shift(); at !== undefined; at = queue.shift()) {
    if (at === to) {
      const way: GraphLeg[] = [];
      for (let leg = via.get(to); leg; leg = via.get(leg.from)) way.push(leg);
      return way.reverse();
    }
    for (const leg of out.get(at) ?? []) {
      if (via.has(leg.to)) continue;
      via.set(leg.to, leg);
      queue.push(leg.to);
    }
  }
  return undefined;
}
