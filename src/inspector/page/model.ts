import {
  apply,
  type Entry,
  FILE_FORMAT,
  type SavedTimeline,
  type Standing,
  TIMELINE_LENGTH,
  TIMELINE_VERSION,
  Timeline,
} from '../timeline.js';
import type { Hello, ServerMessage } from '../wire.js';

export type Connection = 'connecting' | 'live' | 'replay' | 'lost';

/** Everything the page shows: the timeline, and the moment that is looked at. */
export class Model {
  timeline = new Timeline();
  about: Hello | undefined;
  connection: Connection = 'connecting';
  /** Why there is nothing new. */
  trouble = '';
  caughtUp = false;
  notShown = 0;
  /** Seq of the entry whose moment is shown; null: the present. */
  moment: number | null = null;
  /** Selected actor. */
  selected: number | null = null;
  /** How everything stands now. */
  #present = new Map<number, Standing>();
  #past: { readonly seq: number; readonly standings: Map<number, Standing> } | undefined;

  receive(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        this.about = message;
        // A saved file may hold more than is kept of a running engine.
        this.timeline = new Timeline(
          message.mode === 'replay' ? 1_000_000 : TIMELINE_LENGTH,
          message.base,
          message.first,
        );
        this.#present = new Map(message.base.map((standing) => [standing.actor.id, standing]));
        this.#past = undefined;
        this.moment = null;
        this.caughtUp = false;
        this.connection = message.mode;
        break;
      case 'entries':
        for (const entry of message.entries) {
          this.timeline.add(entry);
          apply(this.#present, entry);
        }
        if (this.moment !== null && this.moment < this.timeline.first) this.moment = this.timeline.first;
        break;
      case 'caughtUp':
        this.caughtUp = true;
        this.notShown = message.notShown;
    }
  }

  /** How everything stood at the moment that is shown. */
  get standings(): ReadonlyMap<number, Standing> {
    if (this.moment === null) return this.#present;
    if (this.#past?.seq !== this.moment) {
      this.#past = { seq: this.moment, standings: this.timeline.standingAt(this.moment) };
    }
    return this.#past.standings;
  }

  /** The last entry of the moment that is shown. */
  get entry(): Entry | undefined {
    return this.timeline.get(this.moment ?? this.timeline.next - 1);
  }

  /** Wall-clock ms of the moment that is shown. */
  get time(): number {
    if (this.moment === null && this.connection === 'live') return Date.now();
    return this.entry?.time ?? Date.now();
  }

  /** The last entry of an actor, at the moment that is shown, that took an edge. */
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
      engine: this.about?.engine ?? '',
      savedAt: this.about?.savedAt ?? Date.now(),
      charts: this.about?.charts ?? {},
      base,
      entries: this.timeline.slice(first, next),
    };
  }
}
