/** Translates the timeline into the protocol of the Stately inspector. */
import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import type { Actor, ActorState, Entry } from '../../timeline.js';

/** The part of a chart definition that holds the hierarchy of its states. */
interface ChartNode {
  readonly type?: string;
  readonly states?: Readonly<Record<string, ChartNode>>;
}

type StateValue = string | { readonly [state: string]: StateValue };

/** An event with the details that the timeline has of it. */
interface StatelyEvent {
  readonly type: string;
  readonly [detail: string]: unknown;
}

interface StatelySnapshot {
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: StateValue;
  readonly context?: Readonly<Record<string, string>>;
}

/** Details that `createInspector` does not accept as arguments; `serialize` adds them. */
interface EventDetails {
  readonly actor: Actor;
  readonly time: number;
}

/**
 * Sends events through `createInspector` of the library, which knows the protocol. It has no live actors, only the
 * names in the timeline.
 */
export class Translator {
  readonly #inspector: ReturnType<typeof createInspector>;
  readonly #charts = new Map<string, { readonly definition: string; readonly root: ChartNode }>();
  /** Actors that were sent and have not ended. */
  readonly #sent = new Map<number, Actor>();
  #details: EventDetails | undefined;

  /** @param charts Definition of each chart as JSON, by its name. */
  constructor(send: (event: StatelyInspectionEvent) => void, charts: Readonly<Record<string, string>>) {
    for (const [name, definition] of Object.entries(charts)) {
      this.#charts.set(name, { definition, root: JSON.parse(definition) as ChartNode });
    }
    this.#inspector = createInspector({ send }, { serialize: (event) => this.#withDetails(event) });
  }

  /** A new frame has connected: it has received nothing. */
  reset(): void {
    this.#sent.clear();
  }

  /** Sends the state of each actor, and the end of actors that are no longer running. */
  sendStates(actorStates: ReadonlyMap<number, ActorState>, time: number): void {
    for (const actor of [...this.#sent.values()]) {
      if (!actorStates.has(actor.id)) this.#sendEnd(actor, { type: 'stopped' }, { status: 'stopped' }, time);
    }
    for (const { actor, last } of actorStates.values()) {
      const snapshot = this.#snapshotOf(actor, last);
      if (this.#sent.has(actor.id)) this.#sendSnapshot(actor, eventOf(last), snapshot, last.time);
      else this.#sendActor(actor, snapshot, last.time);
    }
  }

  sendEntry(entry: Entry): void {
    const { born, time } = entry;
    const actor = born ?? this.#sent.get(entry.actor);
    if (actor === undefined) return;
    const snapshot = this.#snapshotOf(actor, entry);
    if (entry.kind === 'started') {
      this.#sendActor(actor, snapshot, time);
      return;
    }
    const event = eventOf(entry);
    this.#details = { actor, time };
    const { from } = entry;
    this.#inspector.event(sessionOf(actor), event, from === undefined ? {} : { source: `x:${from}` });
    if (entry.kind === 'ended') this.#sendEnd(actor, event, snapshot, time);
    else this.#sendSnapshot(actor, event, snapshot, time);
  }

  #sendActor(actor: Actor, snapshot: StatelySnapshot, time: number): void {
    this.#sent.set(actor.id, actor);
    this.#details = { actor, time };
    this.#inspector.actor(sessionOf(actor), snapshot);
  }

  #sendSnapshot(actor: Actor, event: StatelyEvent, snapshot: StatelySnapshot, time: number): void {
    this.#details = { actor, time };
    this.#inspector.snapshot(sessionOf(actor), snapshot, { event });
  }

  #sendEnd(actor: Actor, event: StatelyEvent, snapshot: StatelySnapshot, time: number): void {
    this.#sendSnapshot(actor, event, snapshot, time);
    this.#sent.delete(actor.id);
  }

  #snapshotOf(actor: Actor, { active, reason, status: end }: Entry): StatelySnapshot {
    const status = end ?? 'active';
    const chart = actor.chart === null ? undefined : this.#charts.get(actor.chart);
    if (actor.chart === null) return { status };
    const value = chart === undefined ? active.join(', ') : stateValueOf(chart.root, actor.chart, active);
    return { status, ...(value === undefined ? {} : { value }), context: reason === null ? {} : { reason } };
  }

  /** Adds names, roots and times, which the library would read from live actors. */
  #withDetails(event: StatelyInspectionEvent): StatelyInspectionEvent {
    if (this.#details === undefined) return event;
    const { actor, time } = this.#details;
    const details = { rootId: sessionOf(this.#rootOf(actor)), createdAt: String(time) };
    if (event.type !== '@xstate.actor') return { ...event, ...details };
    const definition =
      this.#charts.get(actor.chart ?? '')?.definition ?? JSON.stringify({ id: actor.chart ?? actor.name });
    const parentId = actor.parent === null ? undefined : `x:${actor.parent}`;
    return { ...event, ...details, name: actor.name, definition, parentId };
  }

  #rootOf(actor: Actor): Actor {
    let root = actor;
    for (let id = root.parent; id !== null; id = root.parent) {
      const parent = this.#sent.get(id);
      if (parent === undefined) break;
      root = parent;
    }
    return root;
  }
}

const sessionOf = ({ id }: Actor): string => `x:${id}`;

function eventOf({ event, edges, reason, lasted, count }: Entry): StatelyEvent {
  return {
    type: event,
    ...(edges.length === 0 ? {} : { edges }),
    ...(reason === null ? {} : { reason }),
    ...(lasted === null ? {} : { lastedMs: lasted }),
    ...(count === 1 ? {} : { count }),
  };
}

/**
 * The state value of XState, from the ids of the active leaf states.
 * @returns Undefined for a state without children or without an active child.
 */
export function stateValueOf(node: ChartNode, id: string, active: readonly string[]): StateValue | undefined {
  const activeChildren = Object.entries(node.states ?? {}).filter(([key]) =>
    active.some((leaf) => leaf === `${id}.${key}` || leaf.startsWith(`${id}.${key}.`)),
  );
  const childValue = ([key, child]: [string, ChartNode]) => stateValueOf(child, `${id}.${key}`, active);
  const [first] = activeChildren;
  if (first === undefined) return undefined;
  if (node.type === 'parallel') {
    return Object.fromEntries(
      activeChildren.map((child): [string, StateValue] => [child[0], childValue(child) ?? {}]),
    );
  }
  const inner = childValue(first);
  return inner === undefined ? first[0] : { [first[0]]: inner };
}
