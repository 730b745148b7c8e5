/** The history that the inspector shows: the newest entries, and the state of each actor before them. */

/** Version of the messages to pages and of saved files. */
export const TIMELINE_VERSION = 2;
/** Files of this version hold neither senders nor failures. */
export const OLDEST_VERSION = 1;
export const FILE_FORMAT = 'rc-engine-timeline';
/** Entries in the timeline. Older ones are merged into the actor states before the first entry. */
export const TIMELINE_LENGTH = 10_000;

/** `machine` runs a chart. `task` is work that a chart has started. `shared` is a run through a chart without an actor. */
export type ActorKind = 'machine' | 'task' | 'shared';

export interface Actor {
  /** Unique in one timeline. */
  readonly id: number;
  readonly name: string;
  readonly kind: ActorKind;
  /** Name of its chart; null when it has none. */
  readonly chart: string | null;
  readonly parent: number | null;
}

/** `ignored`: the chart has no transition for the event in its current state. */
type EntryKind = 'started' | 'step' | 'ignored' | 'ended';
export type EndStatus = 'done' | 'error' | 'stopped';

/** The event of an actor that was running when recording began. */
export const ATTACHED_EVENT = 'attached';

/** What went wrong, as the status shows it: without secrets. */
export interface EntryFailure {
  readonly text: string;
  readonly httpStatus?: number;
  readonly requestId?: string;
}

/** One step of an actor. It holds names, times and failures only: no other context, no payload, input or output. */
export interface Entry {
  /** Sequence number, one more than that of the previous entry. */
  readonly seq: number;
  /** Wall clock, ms. */
  readonly time: number;
  readonly actor: number;
  readonly kind: EntryKind;
  readonly event: string;
  /** Ids of the leaf states that are active afterwards. */
  readonly active: readonly string[];
  /** Ids of the edges (transitions) that were taken, in order. */
  readonly edges: readonly string[];
  /** Code of the reason for the current state. */
  readonly reason: string | null;
  /** Duration of the state or the actor that ended with this entry, ms. Null when nothing ended. */
  readonly lasted: number | null;
  /** Number of identical consecutive steps that this entry stands for. */
  readonly count: number;
  /** The actor that sent the event; absent when it came from itself or from outside. */
  readonly from?: number;
  /** The failure that this step recorded. */
  readonly failure?: EntryFailure;
  /** The id of the decision in history, log, audit and status. */
  readonly decision?: string;
  /** The new actor; only with kind `started`. */
  readonly born?: Actor;
  /** Only with kind `ended`. */
  readonly status?: EndStatus;
}

/** The state of an actor at one moment. */
export interface ActorState {
  readonly actor: Actor;
  readonly last: Entry;
  /** When it entered this state: wall clock, ms. */
  readonly since: number;
}

/** A timeline as it is saved to a file. */
export interface SavedTimeline {
  readonly format: typeof FILE_FORMAT;
  readonly version: number;
  /** Version of the engine that was recorded. */
  readonly engine: string;
  /** Wall clock, ms. */
  readonly savedAt: number;
  /** Hash of each chart, by its name. */
  readonly charts: Readonly<Record<string, string>>;
  /** The state of each actor before the first entry. */
  readonly base: readonly ActorState[];
  readonly entries: readonly Entry[];
}

export class Timeline {
  readonly #limit: number;
  readonly #ring: Entry[] = [];
  readonly #base: Map<number, ActorState>;
  /** Seq of the oldest entry. */
  #first: number;
  /** Seq of the next entry. */
  #next: number;

  constructor(limit = TIMELINE_LENGTH, base: readonly ActorState[] = [], first = 0) {
    this.#limit = limit;
    this.#base = new Map(base.map((state) => [state.actor.id, state]));
    this.#first = first;
    this.#next = first;
  }

  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  /** The state of each actor before the first entry. */
  get base(): ActorState[] {
    return [...this.#base.values()];
  }

  add(entry: Entry): void {
    if (entry.seq !== this.#next)
      throw new Error(`entry ${entry.seq} does not follow entry ${this.#next - 1}`);
    const index = entry.seq % this.#limit;
    const oldest = this.#next - this.#first === this.#limit ? this.#ring[index] : undefined;
    if (oldest !== undefined) {
      applyEntry(this.#base, oldest);
      this.#first += 1;
    }
    this.#ring[index] = entry;
    this.#next += 1;
  }

  /** Replaces an entry, to change its count. */
  replace(entry: Entry): void {
    if (this.get(entry.seq) !== undefined) this.#ring[entry.seq % this.#limit] = entry;
  }

  get(seq: number): Entry | undefined {
    return seq < this.#first || seq >= this.#next ? undefined : this.#ring[seq % this.#limit];
  }

  slice(from: number, to: number): Entry[] {
    const found: Entry[] = [];
    for (let seq = Math.max(from, this.#first); seq < Math.min(to, this.#next); seq += 1) {
      const entry = this.#ring[seq % this.#limit];
      if (entry !== undefined) found.push(entry);
    }
    return found;
  }

  /** The state of each running actor right after this entry. */
  actorStatesAt(seq: number): Map<number, ActorState> {
    const states = new Map(this.#base);
    for (const entry of this.slice(this.#first, seq + 1)) applyEntry(states, entry);
    return states;
  }
}

/** Updates the states with one more entry. */
export function applyEntry(states: Map<number, ActorState>, entry: Entry): void {
  const before = states.get(entry.actor);
  if (entry.kind === 'ended') states.delete(entry.actor);
  else if (entry.born !== undefined) {
    states.set(entry.actor, { actor: entry.born, last: entry, since: entry.time });
  } else if (before !== undefined) {
    const since = entry.lasted === null ? before.since : entry.time;
    states.set(entry.actor, { actor: before.actor, last: entry, since });
  }
}
