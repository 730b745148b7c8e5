/** Our timeline in the words of the Stately inspector. */
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import type { Actor, Entry, Standing } from '../../timeline.js';
import { type ChartNode, type StateValue, stateValueOf } from './state-value.js';

/** What of an event is told with it. */
interface ToldEvent {
  readonly type: string;
  readonly [detail: string]: unknown;
}

interface ToldSnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: StateValue;
  readonly context?: Readonly<Record<string, string>>;
}

/** What the library does not take from its caller. */
interface Details {
  readonly actor: Actor;
  readonly time: number;
}

/**
 * Says what it is given through the library's own `createInspector`, which knows the protocol. Nothing of a live
 * actor is at hand here: there are only the names that the engine has let out.
 */
export class Translator {
  readonly #inspector: ReturnType<typeof createInspector>;
  readonly #charts = new Map<string, { readonly definition: string; readonly root: ChartNode }>();
  /** Actors that the other side has been told of. */
  readonly #told = new Map<number, Actor>();
  /** The same, by parent and name: an event about the end of an actor comes from it. */
  readonly #children = new Map<string, Actor>();
  #details: Details | undefined;

  /** @param charts Definition of each chart, JSON. */
  constructor(send: (event: StatelyInspectionEvent) => void, charts: Readonly<Record<string, string>>) {
    for (const [name, definition] of Object.entries(charts)) {
      this.#charts.set(name, { definition, root: JSON.parse(definition) as ChartNode });
    }
    this.#inspector = createInspector({ send }, { serialize: (event) => this.#complete(event) });
  }

  /** The other side is new: it knows nothing. */
  forget(): void {
    this.#told.clear();
    this.#children.clear();
  }

  /** How everything stands, whatever was told before. */
  stand(standings: ReadonlyMap<number, Standing>, time: number): void {
    for (const actor of [...this.#told.values()]) {
      if (!standings.has(actor.id)) this.#end(actor, { type: 'stopped' }, { status: 'stopped' }, time);
    }
    for (const { actor, last } of standings.values()) {
      const snapshot = this.#snapshotOf(actor, last);
      if (this.#told.has(actor.id)) this.#snapshot(actor, eventOf(last), snapshot, last.time);
      else this.#begin(actor, snapshot, last.time);
    }
  }

  entry(entry: Entry): void {
    const { born, time } = entry;
    const actor = born ?? this.#told.get(entry.actor);
    if (actor === undefined) return;
    const snapshot = this.#snapshotOf(actor, entry);
    if (entry.kind === 'started') {
      this.#begin(actor, snapshot, time);
      return;
    }
    const event = eventOf(entry);
    this.#details = { actor, time };
    const [, child] = /^xstate\.(?:done|error)\.actor\.(.+)$/.exec(entry.event) ?? [];
    const source = child === undefined ? undefined : this.#children.get(`${actor.id} ${child}`);
    this.#inspector.event(sessionOf(actor), event, source === undefined ? {} : { source: sessionOf(source) });
    if (entry.kind === 'ended') this.#end(actor, event, snapshot, time);
    else this.#snapshot(actor, event, snapshot, time);
  }

  #begin(actor: Actor, snapshot: ToldSnapshot, time: number): void {
    this.#told.set(actor.id, actor);
    this.#children.set(`${actor.parent} ${actor.name}`, actor);
    this.#details = { actor, time };
    this.#inspector.actor(sessionOf(actor), snapshot);
  }

  #snapshot(actor: Actor, event: ToldEvent, snapshot: ToldSnapshot, time: number): void {
    this.#details = { actor, time };
    this.#inspector.snapshot(sessionOf(actor), snapshot, { event });
  }

  #end(actor: Actor, event: ToldEvent, snapshot: ToldSnapshot, time: number): void {
    this.#snapshot(actor, event, snapshot, time);
    this.#told.delete(actor.id);
    const place = `${actor.parent} ${actor.name}`;
    if (this.#children.get(place) === actor) this.#children.delete(place);
  }

  #snapshotOf(actor: Actor, { active, reason, status: end }: Entry): ToldSnapshot {
    const status = end ?? 'active';
    const chart = actor.chart === null ? undefined : this.#charts.get(actor.chart);
    if (actor.chart === null) return { status };
    const value = chart === undefined ? active.join(', ') : stateValueOf(chart.root, actor.chart, active);
    return { status, ...(value === undefined ? {} : { value }), context: reason === null ? {} : { reason } };
  }

  /** The library takes names, roots and times from live actors, which are not here. */
  #complete(event: StatelyInspectionEvent): StatelyInspectionEvent {
    if (this.#details === undefined) return event;
    const { actor, time } = this.#details;
    const common = { rootId: sessionOf(this.#rootOf(actor)), createdAt: String(time) };
    if (event.type !== '@xstate.actor') return { ...event, ...common };
    const definition =
      this.#charts.get(actor.chart ?? '')?.definition ?? JSON.stringify({ id: actor.chart ?? actor.name });
    const parentId = actor.parent === null ? undefined : `x:${actor.parent}`;
    return { ...event, ...common, name: actor.name, definition, parentId };
  }

  #rootOf(actor: Actor): Actor {
    let root = actor;
    for (let up = root.parent; up !== null; up = root.parent) {
      const parent = this.#told.get(up);
      if (parent === undefined) break;
      root = parent;
    }
    return root;
  }
}

const sessionOf = ({ id }: Actor): string => `x:${id}`;

function eventOf({ event, edges, reason, lasted, count }: Entry): ToldEvent {
  return {
    type: event,
    ...(edges.length === 0 ? {} : { edges }),
    ...(reason === null ? {} : { reason }),
    ...(lasted === null ? {} : { lastedMs: lasted }),
    ...(count === 1 ? {} : { count }),
  };
}
