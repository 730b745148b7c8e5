/** What an inspector knows of the past: the newest entries, and how everything stood before them. */

/** Of the wire and of saved files. Another number is another format. */
export const TIMELINE_VERSION = 1;
export const FILE_FORMAT = 'rc-engine-timeline';
/** Entries that are kept; older ones are folded into how things stood before. */
export const TIMELINE_LENGTH = 10_000;

/** `machine`: runs a chart. `task`: one piece of work that a chart has started. `shared`: a way through a chart without an actor. */
export type ActorKind = 'machine' | 'task' | 'shared';

export interface Actor {
  /** Never used twice in one timeline. */
  readonly id: number;
  readonly name: string;
  readonly kind: ActorKind;
  /** Name of its chart; null where it has none. */
  readonly chart: string | null;
  readonly parent: number | null;
}

/** `ignored`: the chart had no edge for the event. */
export type EntryKind = 'started' | 'step' | 'ignored' | 'ended';
export type EndStatus = 'done' | 'error' | 'stopped';

/** Something that happened to an actor. Holds names and times only: no context, payload, input or output. */
export interface Entry {
  /** One more than that of the entry before. */
  readonly seq: number;
  /** Wall-clock ms. */
  readonly time: number;
  readonly actor: number;
  readonly kind: EntryKind;
  readonly event: string;
  /** Ids of the states without children that are active afterwards. */
  readonly active: readonly string[];
  /** Ids of the edges that were taken, in their order. */
  readonly edges: readonly string[];
  /** Why the chart is where it is. */
  readonly reason: string | null;
  /** How long what ended with this entry had lasted, ms: the state before, or the actor. Null: nothing ended. */
  readonly lasted: number | null;
  /** How many alike, one right after the other, this entry stands for. */
  readonly count: number;
  /** With `started`. */
  readonly born?: Actor;
  /** With `ended`. */
  readonly status?: EndStatus;
}

/** How an actor stood at some moment. */
export interface Standing {
  readonly actor: Actor;
  readonly last: Entry;
  /** Wall-clock ms since when its state is what it is. */
  readonly since: number;
}

/** A timeline with its end, as it is saved. */
export interface SavedTimeline {
  readonly format: typeof FILE_FORMAT;
  readonly version: typeof TIMELINE_VERSION;
  /** Version of the engine that was watched. */
  readonly engine: string;
  /** Wall-clock ms. */
  readonly savedAt: number;
  /** Hash of each chart. */
  readonly charts: Readonly<Record<string, string>>;
  /** How everything stood before the first entry. */
  readonly base: readonly Standing[];
  readonly entries: readonly Entry[];
}

export class Timeline {
  readonly #limit: number;
  readonly #ring: Entry[] = [];
  readonly #base: Map<number, Standing>;
  /** Seq of the oldest entry that is kept. */
  #first: number;
  /** Seq of the entry to come. */
  #next: number;

  constructor(limit = TIMELINE_LENGTH, base: readonly Standing[] = [], first = 0) {
    this.#limit = limit;
    this.#base = new Map(base.map((standing) => [standing.actor.id, standing]));
    this.#first = first;
    this.#next = first;
  }

  get first(): number {
    return this.#first;
  }

  get next(): number {
    return this.#next;
  }

  /** How everything stood before the first entry. */
  get base(): Standing[] {
    return [...this.#base.values()];
  }

  add(entry: Entry): void {
    if (entry.seq !== this.#next) throw new Error(`entry ${entry.seq} came where ${this.#next} was due`);
    const place = entry.seq % this.#limit;
    const oldest = this.#next - this.#first === this.#limit ? this.#ring[place] : undefined;
    if (oldest !== undefined) {
      apply(this.#base, oldest);
      this.#first += 1;
    }
    this.#ring[place] = entry;
    this.#next += 1;
  }

  /** One more of the same came: the newest entry is replaced. */
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

  /** How everything stood right after this entry. Actors that had ended are not among it. */
  standingAt(seq: number): Map<number, Standing> {
    const standings = new Map(this.#base);
    for (const entry of this.slice(this.#first, seq + 1)) apply(standings, entry);
    return standings;
  }
}

/** Takes one more entry into account. */
export function apply(standings: Map<number, Standing>, entry: Entry): void {
  const before = standings.get(entry.actor);
  if (entry.kind === 'ended') standings.delete(entry.actor);
  else if (entry.born !== undefined) {
    standings.set(entry.actor, { actor: entry.born, last: entry, since: entry.time });
  } else if (before !== undefined) {
    const since = entry.lasted === null ? before.since : entry.time;
    standings.set(entry.actor, { actor: before.actor, last: entry, since });
  }
}
