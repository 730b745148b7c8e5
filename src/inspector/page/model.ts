import {
  type Actor,
  type ActorState,
  applyEntry,
  type Entry,
  type EntryFailure,
  FILE_FORMAT,
  type SavedTimeline,
  TIMELINE_LENGTH,
  TIMELINE_VERSION,
  Timeline,
} from '../timeline.js';
import type { Hello, ServerMessage } from '../wire.js';

export interface PictureData {
  readonly name: string;
  readonly description: string;
  readonly svg: string;
}

export interface StateData {
  readonly kind: 'atomic' | 'compound' | 'parallel' | 'final' | 'history';
  readonly description: string;
  readonly tags: readonly string[];
  /** Names of actions. */
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  /** Ids of the actors that it invokes. */
  readonly invokes: readonly string[];
}

export interface EdgeData {
  readonly text: string;
  readonly source: string;
  readonly targets: readonly string[];
  readonly description: string;
  readonly reasons: readonly string[];
}

export interface ChartData {
  readonly hash: string;
  readonly description: string;
  readonly pictures: readonly PictureData[];
  /** By id. */
  readonly states: Readonly<Record<string, StateData>>;
  /** By id, in source order. */
  readonly edges: Readonly<Record<string, EdgeData>>;
}

/** Data about the charts that the build writes into the page. */
export interface PageData {
  readonly charts: Readonly<Record<string, ChartData>>;
  /** Meaning of each reason, by its code. */
  readonly reasons: Readonly<Record<string, string>>;
  /** Text of each requirement that a chart cites, by its number. */
  readonly requirements: Readonly<Record<string, string>>;
}

/** Actors above which those that have left the timeline are forgotten. */
const MAX_ACTORS = 60_000;

type ConnectionStatus = 'connecting' | 'live' | 'replay' | 'lost';

/** Everything that the page shows: the timeline, the shown moment and the selected actor. */
export class Model {
  timeline = new Timeline();
  hello: Hello | undefined;
  connection: ConnectionStatus = 'connecting';
  /** Why no more entries arrive; empty while connected. */
  problem = '';
  caughtUp = false;
  notShown = 0;
  /** Seq of the entry whose moment is shown; null shows the present. */
  moment: number | null = null;
  /** Id of the selected actor. */
  selected: number | null = null;
  /** The present state of each actor. */
  #present = new Map<number, ActorState>();
  /** By id; those that have left the timeline, too, up to a limit. */
  #actors = new Map<number, Actor>();
  #past: { readonly seq: number; readonly actorStates: Map<number, ActorState> } | undefined;

  receive(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        this.hello = message;
        // A saved file may hold more entries than the timeline of a running engine.
        this.timeline = new Timeline(
          message.mode === 'replay' ? 1_000_000 : TIMELINE_LENGTH,
          message.base,
          message.first,
        );
        this.#present = new Map(message.base.map((actorState) => [actorState.actor.id, actorState]));
        this.#actors = new Map(message.base.map(({ actor }) => [actor.id, actor]));
        this.#past = undefined;
        this.moment = null;
        this.caughtUp = false;
        this.connection = message.mode;
        break;
      case 'entries':
        for (const entry of message.entries) {
          this.timeline.add(entry);
          applyEntry(this.#present, entry);
          if (entry.born !== undefined) this.#actors.set(entry.born.id, entry.born);
        }
        this.#forgetActors();
        if (this.moment !== null && this.moment < this.timeline.first) this.moment = this.timeline.first;
        break;
      case 'caughtUp':
        this.caughtUp = true;
        this.notShown = message.notShown;
    }
  }

  #forgetActors(): void {
    if (this.#actors.size < MAX_ACTORS) return;
    const { first, next, base } = this.timeline;
    const known = new Set(this.timeline.slice(first, next).map(({ actor }) => actor));
    for (const { actor } of base) known.add(actor.id);
    for (const id of this.#actors.keys()) if (!known.has(id)) this.#actors.delete(id);
  }

  /** The state of each actor at the shown moment. */
  get actorStates(): ReadonlyMap<number, ActorState> {
    if (this.moment === null) return this.#present;
    if (this.#past?.seq !== this.moment) {
      this.#past = { seq: this.moment, actorStates: this.timeline.actorStatesAt(this.moment) };
    }
    return this.#past.actorStates;
  }

  /** The last entry up to the shown moment. */
  get entry(): Entry | undefined {
    return this.timeline.get(this.moment ?? this.timeline.next - 1);
  }

  /** Wall clock of the shown moment, ms. */
  get time(): number {
    if (this.moment === null && this.connection === 'live') return Date.now();
    return this.entry?.time ?? Date.now();
  }

  /** The last entry of an actor that took an edge, up to the shown moment. */
  lastStepOf(actor: number): Entry | undefined {
    for (let seq = this.moment ?? this.timeline.next - 1; seq >= this.timeline.first; seq -= 1) {
      const entry = this.timeline.get(seq);
      if (entry?.actor === actor && entry.edges.length > 0) return entry;
    }
    return undefined;
  }

  /** Each actor that the timeline has or had. */
  actorOf(id: number): Actor | undefined {
    return this.#actors.get(id);
  }

  nameOf(id: number): string | undefined {
    return this.#actors.get(id)?.name;
  }

  /** The state of an actor at the shown moment; the last one when it has ended by then. */
  stateOf(id: number): ActorState | undefined {
    const running = this.actorStates.get(id);
    if (running !== undefined) return running;
    const actor = this.#actors.get(id);
    for (let seq = this.moment ?? this.timeline.next - 1; seq >= this.timeline.first; seq -= 1) {
      const last = this.timeline.get(seq);
      if (last?.actor === id && actor !== undefined) return { actor, last, since: last.time };
    }
    return undefined;
  }

  /** The failure behind the present reason of an actor; undefined when it is in its state for another reason. */
  failureOf({ actor, last }: ActorState): EntryFailure | undefined {
    if (last.failure !== undefined) return last.failure;
    for (let seq = last.seq; seq >= this.timeline.first; seq -= 1) {
      const entry = this.timeline.get(seq);
      if (entry?.actor !== actor.id) continue;
      if (entry.failure !== undefined) return entry.reason === last.reason ? entry.failure : undefined;
      if (entry.reason !== last.reason) return undefined;
    }
    return undefined;
  }

  save(): SavedTimeline {
    const { first, next, base } = this.timeline;
    return {
      format: FILE_FORMAT,
      version: TIMELINE_VERSION,
      engine: this.hello?.engine ?? '',
      savedAt: this.hello?.savedAt ?? Date.now(),
      charts: this.hello?.charts ?? {},
      base,
      entries: this.timeline.slice(first, next),
    };
  }
}

/**
 * The states that a step passed through without staying, derived from its edges: the id of an edge begins with the id
 * of its source.
 * @param from Ids of the states that were active before. They and their parents do not count as passed.
 */
export function statesPassed(edges: readonly string[], from: readonly string[]): string[] {
  const sources = edges.map((edge) => edge.slice(0, edge.indexOf(' ')));
  const wasActive = (id: string) => from.some((active) => active === id || active.startsWith(`${id}.`));
  return [...new Set(sources)].filter((id) => !wasActive(id));
}
