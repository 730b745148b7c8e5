/** Explores a chart: from each situation it tries every event, outcome and delay that is possible there. */
import type { AnyStateMachine } from 'xstate';
import { ChartError } from '../visualize/chart-error.js';
import { type Act, Acts } from './acts.js';
import { type Move, type Position, PureMachine, type Verdict } from './pure-machine.js';
import { ShallowHistory } from './shallow-history.js';
import { isCrowded, Novelty } from './situations.js';
import { Subtleties } from './subtleties.js';
import { type GenerateOptions, PathLimitError } from './types.js';

export interface Leg {
  readonly from: number;
  readonly to: number;
  readonly act: Act;
  readonly edges: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** States that a history led back to. */
  readonly restored: readonly string[];
  /** What else the step shows of its first edge: assignments that change the context, states that stay, events of wildcards. */
  readonly shows: readonly string[];
  /** What else a fault of the edges could look like: see `Subtleties`. */
  readonly subtleties: readonly string[];
}

interface Place {
  readonly position: Position;
  /** The leg that led here first; null for the start. */
  readonly via: Leg | null;
  readonly legs: Leg[];
}

export interface Explored {
  readonly pure: PureMachine;
  /** The acts that are possible at a position. */
  readonly actsAt: (position: Position) => readonly Act[];
  readonly places: readonly Place[];
  readonly startVerdicts: readonly Verdict[];
  readonly startEdges: readonly string[];
  /** True when two situations share a place only if the chart does the same in both. */
  readonly isExact: boolean;
}

const DEFAULT_LIMIT = 20_000;

export function explore<M extends AnyStateMachine>(machine: M, options: GenerateOptions<M>): Explored {
  const limit = options.limit ?? DEFAULT_LIMIT;
  const pure = new PureMachine(machine, options.input, options.setTime);
  const acts = new Acts(machine, options);
  const known = new Map<string, number>();
  const places: Place[] = [];
  const novelty = new Novelty(options);
  const subtleties = new Subtleties(machine);
  const shallow = new ShallowHistory(machine);
  const exhausted = new Set<number>();

  const placeFor = (position: Position): { readonly index: number; readonly isNew: boolean } => {
    const key = novelty.keyOf(position);
    const found = known.get(key);
    if (found !== undefined) return { index: found, isNew: false };
    if (places.length >= limit) throw new PathLimitError(limitMessage(machine, places, limit));
    known.set(key, places.length);
    if (!novelty.isNew(position) || isCrowded(position)) exhausted.add(places.length);
    return { index: places.length, isNew: true };
  };

  const start = startOf(machine, pure, options.input);
  placeFor(start.position);
  places.push({ position: start.position, via: null, legs: [] });
  for (let at = 0; at < places.length; at += 1) {
    const place = places[at];
    if (place === undefined || exhausted.has(at) || place.position.snapshot.status !== 'active') continue;
    if (options.within?.(place.position.snapshot as never) === false) continue;
    for (const act of acts.at(place.position)) {
      const move = perform(pure, place.position, act);
      const position = { ...move.position, left: shallow.after(place.position, move.position) };
      const to = placeFor(position);
      const leg: Leg = {
        from: at,
        to: to.index,
        act,
        edges: move.edges,
        verdicts: move.verdicts,
        restored: subtleties.restored(place.position, move),
        shows: subtleties.shows(place.position, move, act.event),
        subtleties: subtleties.of(place.position, move),
      };
      if (to.isNew) places.push({ position, via: leg, legs: [] });
      place.legs.push(leg);
    }
  }
  const actsAt = (position: Position) => acts.at(position);
  return {
    pure,
    actsAt,
    places,
    startVerdicts: start.verdicts,
    startEdges: start.edges,
    isExact: novelty.isExact(start.position),
  };
}

/** @throws ChartError */
function startOf(machine: AnyStateMachine, pure: PureMachine, input: unknown): Move {
  let move: Move;
  try {
    move = pure.start();
  } catch (error) {
    throw cannotStart(error);
  }
  const { snapshot } = move.position;
  if (snapshot.status !== 'error') return move;
  throw cannotStart(snapshot.error);

  function cannotStart(error: unknown): ChartError {
    const what = `The chart ${machine.id} cannot start`;
    return new ChartError(
      what,
      error,
      input === undefined && computesContext(machine) ? 'If it needs input, pass `input`.' : undefined,
    );
  }
}

/** Its first context is a function, which may read input. */
const computesContext = ({ config }: AnyStateMachine): boolean => typeof config.context === 'function';

/**
 * Performs an act.
 *
 * @throws ChartError when a guard, an action or a delay of the chart throws.
 */
export function perform(pure: PureMachine, at: Position, act: Act): Move {
  const failed = (error: unknown): ChartError => {
    const { machine, value } = at.snapshot as { machine: AnyStateMachine; value: unknown };
    const state = typeof value === 'string' ? `"${value}"` : JSON.stringify(value);
    return new ChartError(`The chart ${machine.id} in the state ${state} failed on "${act.words}"`, error);
  };
  let move: Move;
  try {
    move = act.kind === 'delay' ? pure.elapse(at) : pure.take(at, act.event);
  } catch (error) {
    throw failed(error);
  }
  if (move.position.snapshot.status === 'error') throw failed(move.position.snapshot.error);
  return { ...move, position: { ...move.position, ended: endedAfter(at, act, move) } };
}

/** An actor ends once. It can end again after it was started again. */
function endedAfter({ ended = [] }: Position, { actor }: Act, { effects }: Move): readonly string[] {
  const renewed = effects.filter(({ kind }) => kind === 'start' || kind === 'stop').map(({ name }) => name);
  return [...new Set([...ended, ...(actor === null ? [] : [actor])])]
    .filter((id) => !renewed.includes(id))
    .sort();
}

function limitMessage(machine: AnyStateMachine, places: readonly Place[], limit: number): string {
  const most = (texts: readonly string[]): readonly [string, number] => {
    const counts = new Map<string, number>();
    for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
    const [first = ['', 0] as const] = [...counts].sort(([, a], [, b]) => b - a);
    return first;
  };
  const stateOf = ({ position }: Place) => JSON.stringify(position.snapshot.value);
  const [value, count] = most(places.map(stateOf));
  const [cause] = most(
    places.filter((place) => stateOf(place) === value).map((place) => place.via?.act.words ?? 'the start'),
  );
  return (
    `The chart ${machine.id} has more than ${limit} situations, ${count} of them in the state ${value}, most of them after ` +
    `"${cause}": its context seems to grow without end. Pass a \`key\` with only what its guards read (a counter as ` +
    '`Math.min(n, 3)`), fewer payloads, or a higher `limit`.'
  );
}
