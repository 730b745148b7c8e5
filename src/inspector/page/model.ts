import {
  type ActorState,
  applyEntry,
  type Entry,
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

export interface ChartData {
  readonly hash: string;
  readonly description: string;
  readonly pictures: readonly PictureData[];
  /** Description of each state, by its id. */
  readonly states: Readonly<Record<string, string>>;
  /** Text of each edge, by its id. */
  readonly edges: Readonly<Record<string, string>>;
}

/** Data about the charts that the build writes into the page. */
export interface PageData {
  readonly charts: Readonly<Record<string, ChartData>>;
  /** Meaning of each reason, by its code. */
  readonly reasons: Readonly<Record<string, string>>;
}

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
        this.#past = undefined;
        this.moment = null;
        this.caughtUp = false;
        this.connection = message.mode;
        break;
      case 'entries':
        for (const entry of message.entries) {
          this.timeline.add(entry);
          applyEntry(this.#present, entry);
        }
        if (this.moment !== null && this.moment < this.timeline.first) this.moment = this.timeline.first;
        break;
      case 'caughtUp':
        this.caughtUp = true;
        this.notShown = message.notShown;
    }
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
