import type { Actor, Entry } from '../timeline.js';
import { shortId } from './chart-view.js';
import { byId, clock, duration, el } from './dom.js';
import type { Facts } from './facts.js';
import type { Model } from './model.js';
import { statesPassed } from './path.js';

const ROW = 24;
/** Rows above and below what is seen. */
const SPARE = 6;

/** The timeline as a list: only the rows that are seen exist. */
export class ListView {
  readonly #model: Model;
  readonly #facts: Facts;
  readonly #scroller = byId('list');
  readonly #space = byId('list-space');
  readonly #rows = byId('list-rows');
  readonly #filter = byId<HTMLInputElement>('filter');
  readonly #onlySelected = byId<HTMLInputElement>('only-selected');
  readonly #ignored = byId<HTMLInputElement>('show-ignored');
  readonly #tasks = byId<HTMLInputElement>('show-tasks');
  readonly #onPick: (seq: number) => void;
  /** Seqs that pass the filter. */
  #passing: number[] = [];
  /** Seq of the first entry that the filter has not seen. */
  #seen = 0;
  #passKey = '';
  #actors = new Map<number, Actor>();
  /** Where each actor was last, and, by seq, where one was before it moved. */
  readonly #where = new Map<number, readonly string[]>();
  readonly #left = new Map<number, readonly string[]>();
  #timeline: unknown;
  #follow = true;

  constructor(model: Model, facts: Facts, onPick: (seq: number) => void) {
    this.#model = model;
    this.#facts = facts;
    this.#onPick = onPick;
    const again = () => {
      this.update();
      if (this.#model.moment !== null) this.reveal();
    };
    for (const input of [this.#filter, this.#onlySelected, this.#ignored, this.#tasks]) {
      input.addEventListener('input', again);
    }
    this.#scroller.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
      this.#follow = scrollTop + clientHeight >= scrollHeight - ROW;
      this.#render();
    });
    this.#rows.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-seq]') : null;
      if (row?.dataset.seq !== undefined) this.#onPick(Number(row.dataset.seq));
    });
  }

  /** Seqs that are listed, oldest first. */
  get passing(): readonly number[] {
    return this.#passing;
  }

  update(): void {
    this.#pass();
    this.#space.style.height = `${this.#passing.length * ROW}px`;
    if (this.#model.moment === null && this.#follow) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#render();
    byId('listed').textContent =
      `${this.#passing.length} of ${this.#model.timeline.next - this.#model.timeline.first}`;
  }

  /** Brings the moment that is shown into sight. */
  reveal(): void {
    const { moment } = this.#model;
    if (moment === null) {
      this.#follow = true;
      this.update();
      return;
    }
    const top = this.#placeOf(moment) * ROW;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop || top > scrollTop + clientHeight - ROW) {
      this.#scroller.scrollTop = top - clientHeight / 2;
    }
    this.#render();
  }

  #placeOf(seq: number): number {
    let [low, high] = [0, this.#passing.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#passing[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Looks at what is new; at everything when the filter changed. */
  #pass(): void {
    const { timeline, selected } = this.#model;
    const wanted = this.#filter.value.trim().toLowerCase();
    const only = this.#onlySelected.checked ? selected : null;
    const key = `${wanted}\n${only}\n${this.#ignored.checked}\n${this.#tasks.checked}`;
    if (timeline !== this.#timeline) {
      this.#timeline = timeline;
      this.#actors = new Map(timeline.base.map(({ actor }) => [actor.id, actor]));
      this.#where.clear();
      this.#left.clear();
      for (const { actor, last } of timeline.base) this.#where.set(actor.id, last.active);
      this.#passKey = '\0';
      this.#learn(timeline.first);
    } else this.#learn(this.#seen);
    if (key !== this.#passKey) {
      this.#passKey = key;
      this.#passing = [];
      this.#seen = timeline.first;
    }
    const words = wanted.split(/\s+/).filter((word) => word !== '');
    for (const entry of timeline.slice(this.#seen, timeline.next)) {
      if (this.#passes(entry, words, only)) this.#passing.push(entry.seq);
    }
    this.#seen = timeline.next;
    const gone = this.#placeOf(timeline.first);
    if (gone > 0) this.#passing.splice(0, gone);
  }

  #learn(from: number): void {
    const { timeline } = this.#model;
    for (const { seq, born, actor, active, kind } of timeline.slice(from, timeline.next)) {
      if (born !== undefined) this.#actors.set(born.id, born);
      const before = this.#where.get(actor);
      if (before !== undefined && before.length > 0) this.#left.set(seq, before);
      if (kind === 'ended') this.#where.delete(actor);
      else this.#where.set(actor, active);
    }
    for (const seq of this.#left.keys()) {
      if (seq >= timeline.first) break;
      this.#left.delete(seq);
    }
    if (this.#actors.size < 60_000) return;
    const known = new Set(timeline.slice(timeline.first, timeline.next).map(({ actor }) => actor));
    for (const { actor } of timeline.base) known.add(actor.id);
    for (const id of this.#actors.keys()) if (!known.has(id)) this.#actors.delete(id);
  }

  #passes(entry: Entry, words: readonly string[], only: number | null): boolean {
    if (only !== null && entry.actor !== only) return false;
    if (entry.kind === 'ignored' && !this.#ignored.checked) return false;
    const actor = this.#actors.get(entry.actor);
    if (actor?.kind === 'task' && !this.#tasks.checked) return false;
    // That a chart begins is said with the state it begins in.
    if (entry.kind === 'started' && actor?.kind === 'machine') return false;
    if (words.length === 0) return true;
    const text =
      `${actor?.name ?? ''} ${entry.event} ${entry.active.join(' ')} ${entry.reason ?? ''} ${entry.kind}`.toLowerCase();
    return words.every((word) => text.includes(word));
  }

  #render(): void {
    const { scrollTop, clientHeight } = this.#scroller;
    const from = Math.max(0, Math.floor(scrollTop / ROW) - SPARE);
    const to = Math.min(this.#passing.length, Math.ceil((scrollTop + clientHeight) / ROW) + SPARE);
    this.#rows.style.transform = `translateY(${from * ROW}px)`;
    const rows: HTMLElement[] = [];
    for (const seq of this.#passing.slice(from, to)) {
      const entry = this.#model.timeline.get(seq);
      if (entry !== undefined) rows.push(this.#row(entry));
    }
    if (this.#passing.length === 0) rows.push(el('p', 'quiet nothing', 'Nothing here yet.'));
    this.#rows.replaceChildren(...rows);
  }

  #row(entry: Entry): HTMLElement {
    const actor = this.#actors.get(entry.actor);
    const { moment, selected } = this.#model;
    const row = el('div', `entry ${entry.kind}${entry.status === 'error' ? ' error' : ''}`);
    row.dataset.seq = String(entry.seq);
    if (moment !== null && entry.seq > moment) row.classList.add('future');
    if (entry.seq === moment) row.classList.add('moment');
    if (entry.actor === selected) row.classList.add('of-selected');
    row.append(el('span', 'time', clock(entry.time)));
    row.append(cell('actor', actor?.name ?? `#${entry.actor}`));
    row.append(cell('event', eventWords(entry, actor), entry.count > 1 ? ` ×${entry.count}` : ''));
    row.append(cell('edge', this.#whither(entry, actor)));
    const reason = cell('why', entry.reason ?? '');
    if (entry.reason !== null) reason.title = this.#facts.reasons[entry.reason] ?? '';
    row.append(reason);
    row.append(el('span', 'lasted', entry.lasted === null ? '' : duration(entry.lasted)));
    return row;
  }

  /** `connecting → connected`, with the states in between that it did not stay in. */
  #whither(entry: Entry, actor: Actor | undefined): string {
    if (entry.kind === 'ignored') return 'no edge for it here';
    if (entry.kind === 'started' || actor?.kind === 'task') return '';
    const from = this.#left.get(entry.seq) ?? [];
    const passed = statesPassed(entry.edges, from).map(shortId);
    const to = entry.active.map(shortId);
    if (entry.lasted === null) return [...passed, to.join(' | ')].join(' → ');
    // Of states at once, only those that changed.
    const gone = from.map(shortId).filter((one) => !to.includes(one));
    const come = to.filter((one) => !from.map(shortId).includes(one));
    return come.length === 0 ? to.join(' | ') : [gone.join(' | '), ...passed, come.join(' | ')].join(' → ');
  }
}

function cell(className: string, text: string, more = ''): HTMLElement {
  const made = el('span', className, text + more);
  made.title = text;
  return made;
}

function eventWords({ event, kind, status }: Entry, actor: Actor | undefined): string {
  if (kind === 'started') return actor?.kind === 'task' ? 'begins' : 'starts';
  if (kind === 'ended' && actor?.kind === 'task') return status ?? 'ends';
  const [, source, what] = /^xstate\.(done\.actor|error\.actor|after|done\.state)\.(.+)$/.exec(event) ?? [];
  if (source === 'done.actor') return `${what} done`;
  if (source === 'error.actor') return `${what} failed`;
  if (source === 'after') return `after ${what?.split('.')[0]}`;
  if (source === 'done.state') return 'done';
  return event === 'xstate.init' ? 'starts' : event.replace(/^xstate\./, '');
}
