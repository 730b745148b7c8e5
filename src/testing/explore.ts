/** Explores a chart: from each situation it tries every event, outcome and delay that is possible there. */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { toChart } from '../visualize/chart.js';
import { triggerText } from '../visualize/edge-text.js';
import { contextKey } from './context-key.js';
import { handles, sampleOf } from './event-types.js';
import { type Move, type Position, PureMachine, type Verdict } from './pure-machine.js';
import { type GenerateOptions, PathLimitError, type StepKind } from './types.js';

/** Something that can happen in a situation: an event, an outcome, a failure or a delay. */
interface Act {
  /** Unique in a situation, and stable across situations. */
  readonly id: string;
  readonly kind: StepKind;
  readonly event: EventObject;
  readonly words: string;
  readonly actor: string | null;
  readonly value: unknown;
}

type Unnamed = Omit<Act, 'id'>;

export interface Leg {
  readonly from: number;
  readonly to: number;
  readonly act: Act;
  readonly elapsed: number;
  readonly edges: readonly string[];
  readonly verdicts: readonly Verdict[];
  readonly effects: readonly string[];
}

interface Place {
  readonly position: Position;
  readonly legs: Leg[];
}

export interface Explored {
  readonly pure: PureMachine;
  /** The acts that are possible at a position. */
  readonly actsAt: (position: Position) => readonly Act[];
  readonly places: readonly Place[];
  readonly startVerdicts: readonly Verdict[];
  readonly startEdges: readonly string[];
}

const DEFAULT_LIMIT = 20_000;

export function explore<M extends AnyStateMachine>(machine: M, options: GenerateOptions<M>): Explored {
  const limit = options.limit ?? DEFAULT_LIMIT;
  const pure = new PureMachine(machine, options.input, options.setTime);
  const acts = new Acts(machine, options);
  const known = new Map<string, number>();
  const places: Place[] = [];
  const novelty = new Novelty(options);
  const exhausted = new Set<number>();

  const placeFor = ({ position }: Move): number => {
    const { snapshot } = position;
    if (snapshot.status === 'error') {
      throw new Error(`The chart ${machine.id} threw an error in ${JSON.stringify(snapshot.value)}.`, {
        cause: snapshot.error,
      });
    }
    const key = novelty.keyOf(position);
    const found = known.get(key);
    if (found !== undefined) return found;
    if (places.length >= limit) throw new PathLimitError(limitMessage(machine, places, limit));
    const index = places.push({ position, legs: [] }) - 1;
    known.set(key, index);
    if (!novelty.isNew(position)) exhausted.add(index);
    return index;
  };

  const start = pure.start();
  placeFor(start);
  for (let at = 0; at < places.length; at += 1) {
    const place = places[at];
    if (place === undefined || exhausted.has(at) || place.position.snapshot.status !== 'active') continue;
    if (options.within?.(place.position.snapshot as never) === false) continue;
    for (const act of acts.at(place.position)) {
      const move = perform(pure, place.position, act);
      place.legs.push({
        from: at,
        to: placeFor(move),
        act,
        elapsed: move.position.now - place.position.now,
        edges: move.edges,
        verdicts: move.verdicts,
        effects: move.effects,
      });
    }
  }
  const actsAt = (position: Position) => acts.at(position);
  return { pure, actsAt, places, startVerdicts: start.verdicts, startEdges: start.edges };
}

export function perform(pure: PureMachine, at: Position, act: Act): Move {
  return act.kind === 'delay' ? pure.elapse(at) : pure.take(at, act.event);
}

/** Decides which situations are the same, and which ones the search continues from. */
class Novelty<M extends AnyStateMachine> {
  readonly #options: GenerateOptions<M>;
  readonly #seen = new Set<string>();

  constructor(options: GenerateOptions<M>) {
    this.#options = options;
  }

  keyOf(position: Position): string {
    return JSON.stringify([placeOf(position), this.#aspects(position)]);
  }

  /**
   * True when an aspect is new in one of the active states, or two of the active states are new together. States of
   * parallel regions multiply, but a region rarely depends on all others, so not every combination is explored.
   */
  isNew(position: Position): boolean {
    const before = this.#seen.size;
    const aspects = [JSON.stringify(race(position)), position.snapshot.status, ...this.#aspects(position)];
    const leaves = position.snapshot._nodes.filter(({ type }) => type === 'atomic' || type === 'final');
    for (const { id } of leaves) {
      for (const [index, aspect] of aspects.entries()) this.#seen.add(`${id} ${index} ${aspect}`);
      for (const other of leaves) this.#seen.add(`${id} and ${other.id}`);
    }
    return this.#seen.size > before;
  }

  #aspects({ snapshot }: Position): readonly string[] {
    const key = this.#options.key === undefined ? contextKey(snapshot) : this.#options.key(snapshot as never);
    return typeof key === 'string' ? [key] : key;
  }
}

function placeOf(position: Position): unknown {
  return [position.snapshot.status, position.snapshot.value, race(position)];
}

/** The order of the running delays, and how far apart they end. */
function race({ timers, now }: Position): unknown {
  const [first] = timers;
  if (first === undefined || timers.length === 1) return timers.map(({ id }) => id);
  return [first.due - now, timers.map(({ id, due }) => [id, due - first.due])];
}

function limitMessage(machine: AnyStateMachine, places: readonly Place[], limit: number): string {
  const of = new Map<string, number>();
  for (const { position } of places) {
    const value = JSON.stringify(position.snapshot.value);
    of.set(value, (of.get(value) ?? 0) + 1);
  }
  const [[value, count] = ['', 0]] = [...of].sort(([, a], [, b]) => b - a);
  return (
    `The chart ${machine.id} has more than ${limit} situations, ${count} of them in the state ${value}: its context seems to ` +
    'grow without end. Pass a `key` with only what its guards read (a counter as `Math.min(n, 3)`), fewer payloads, ' +
    'or a higher `limit`.'
  );
}

class Acts<M extends AnyStateMachine> {
  readonly #options: GenerateOptions<M>;
  readonly #names: ReadonlyMap<string, string>;

  constructor(machine: M, options: GenerateOptions<M>) {
    this.#options = options;
    this.#names = new Map(
      toChart(machine).edges.map(({ id, trigger }) => [id.split(' ')[1] ?? '', triggerText(trigger)]),
    );
  }

  at({ snapshot, timers }: Position): Act[] {
    const waits = this.#options.waits?.(snapshot as never) !== false;
    const due = waits ? timers.filter((timer) => timer.due === timers[0]?.due) : [];
    const words = due.map(({ event }) => this.#named(event.type)).join(' and ');
    const delay = due.slice(0, 1).map(({ event }): Unnamed => {
      return { kind: 'delay', event, words, actor: null, value: undefined };
    });
    const times = new Map<string, number>();
    return [...this.#actors(snapshot), ...this.#events(snapshot), ...delay].map((act): Act => {
      const { type } = act.event;
      const before = times.get(type) ?? 0;
      times.set(type, before + 1);
      return { ...act, id: `${type} ${before}` };
    });
  }

  #named(type: string): string {
    return this.#names.get(type) ?? type;
  }

  /** The events that the active states handle, each with its payloads. */
  #events(snapshot: AnyMachineSnapshot): Unnamed[] {
    const { events } = this.#options;
    const given: readonly EventObject[] =
      typeof events === 'function' ? events(snapshot as never) : (events ?? []);
    const descriptors = new Set(
      snapshot._nodes
        .flatMap((node) => node.ownEvents as string[])
        .filter((descriptor) => !descriptor.startsWith('xstate.')),
    );
    const chosen = new Set<EventObject>();
    for (const descriptor of descriptors) {
      const variants = given.filter(({ type }) => handles(descriptor, type));
      for (const event of variants) chosen.add(event);
      // An event that matches a wildcard may be handled by a more specific descriptor, but XState decides that.
      if (variants.length === 0 && typeof events !== 'function') chosen.add({ type: sampleOf(descriptor) });
    }
    return [...chosen].map((event): Unnamed => {
      return { kind: 'event', event, words: eventWords(event), actor: null, value: undefined };
    });
  }

  #actors(snapshot: AnyMachineSnapshot): Unnamed[] {
    const { outcomes, failures } = this.#options;
    return snapshot._nodes.flatMap((node) =>
      node.invoke.flatMap(({ id }): Unnamed[] => {
        if (snapshot.children[id] === undefined) return [];
        const given = outcomes?.[id] ?? [undefined];
        const outputs = typeof given === 'function' ? given(snapshot as never) : given;
        const done = outputs.map((output): Unnamed => {
          const event = { type: `xstate.done.actor.${id}`, output, actorId: id };
          return {
            kind: 'outcome',
            event,
            words: `${id} done${valueWords(output)}`,
            actor: id,
            value: output,
          };
        });
        const rejected = (failures?.[id] ?? [new Error('it failed')]).map((error): Unnamed => {
          const event = { type: `xstate.error.actor.${id}`, error, actorId: id };
          return { kind: 'failure', event, words: `${id} failed`, actor: id, value: error };
        });
        // A rejection that no state handles stops the machine. That is a mistake in the chart, not a path.
        const handled = snapshot._nodes.some(({ ownEvents }) =>
          ownEvents.includes(`xstate.error.actor.${id}`),
        );
        return [...done, ...(handled ? rejected : [])];
      }),
    );
  }
}

/** For example ` (tokenRejected)`: the short members of a value, to distinguish outcomes. */
function valueWords(value: unknown): string {
  const words = plainWords(value);
  return words === '' ? '' : ` (${words})`;
}

function eventWords(event: EventObject): string {
  const { type, ...payload } = event;
  return `${type}${valueWords(payload)}`;
}

function plainWords(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  if (value === null) return 'null';
  if (typeof value !== 'object') return '';
  const kind = 'kind' in value && typeof value.kind === 'string' ? [value.kind] : [];
  const rest = Object.entries(value).flatMap(([key, inner]: [string, unknown]): string[] => {
    if (key === 'kind' && kind.length > 0) return [];
    if (inner === null || ['string', 'number', 'boolean'].includes(typeof inner))
      return [`${key}: ${String(inner)}`];
    if (typeof inner !== 'object') return [];
    return nestedWords(key, inner ?? {});
  });
  return [...kind, ...rest].join(', ');
}

/** Of a nested object, only its first string member. */
function nestedWords(key: string, value: object): string[] {
  const first = Object.entries(value).find(([, inner]) => typeof inner === 'string');
  return first === undefined ? [] : [`${key}.${first[0]}: ${String(first[1])}`];
}
