import { type Actor, ATTACHED_EVENT, type Entry } from '../timeline.js';
import { clock, duration, eventText, failureText, shortId } from '../words.js';
import { byId, el } from './dom.js';
import { matchesFilter, parseFilter, searchedOf } from './filter.js';
import { type Model, type PageData, statesPassed } from './model.js';

/** A row has two lines on a narrow screen. */
const narrow = matchMedia('(max-width: 640px)');
const rowHeight = (): number => (narrow.matches ? 44 : 24);
/** Extra rows above and below the visible ones. */
const OVERSCAN = 6;

/** The timeline as a list. Only the visible rows are in the document. */
export class ListView {
  readonly #model: Model;
  readonly #data: PageData;
  readonly #scroller = byId('list');
  readonly #space = byId('list-space');
  readonly #rows = byId('list-rows');
  readonly #filter = byId<HTMLInputElement>('filter');
  readonly #onlySelected = byId<HTMLInputElement>('only-selected');
  readonly #ignored = byId<HTMLInputElement>('show-ignored');
  readonly #tasks = byId<HTMLInputElement>('show-tasks');
  readonly #onSelect: (seq: number) => void;
  /** Seqs of the entries that match the filter, oldest first. */
  #matching: number[] = [];
  /** Seq of the first entry to which the filter was not applied yet. */
  #filtered = 0;
  #filterKey = '';
  /** The latest active states of each actor. */
  readonly #activeStates = new Map<number, readonly string[]>();
  /** The active states of an actor before an entry, by the seq of the entry. */
  readonly #statesBefore = new Map<number, readonly string[]>();
  /** Actors in the state that they were in when recording began. */
  readonly #attached = new Set<number>();
  /** Seqs of the entries that ended such a state: it lasted longer than was seen. */
  readonly #atLeast = new Set<number>();
  #timeline: unknown;
  #follow = true;

  constructor(model: Model, data: PageData, onSelect: (seq: number) => void) {
    this.#model = model;
    this.#data = data;
    this.#onSelect = onSelect;
    const onFilter = () => {
      this.update();
      if (this.#model.moment !== null) this.reveal();
    };
    for (const input of [this.#filter, this.#onlySelected, this.#ignored, this.#tasks]) {
      input.addEventListener('input', onFilter);
    }
    this.#scroller.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
      this.#follow = scrollTop + clientHeight >= scrollHeight - rowHeight();
      this.#render();
    });
    this.#rows.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-seq]') : null;
      if (row?.dataset.seq !== undefined) this.#onSelect(Number(row.dataset.seq));
    });
  }

  /** Seqs of the listed entries, oldest first. */
  get matching(): readonly number[] {
    return this.#matching;
  }

  update(): void {
    this.#applyFilter();
    this.#space.style.height = `${this.#matching.length * rowHeight()}px`;
    if (this.#model.moment === null && this.#follow) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#render();
    byId('listed').textContent =
      `${this.#matching.length} of ${this.#model.timeline.next - this.#model.timeline.first}`;
  }

  /** Scrolls to the entry of the shown moment. */
  reveal(): void {
    const { moment } = this.#model;
    if (moment === null) {
      this.#follow = true;
      this.update();
      return;
    }
    const top = this.#indexOf(moment) * rowHeight();
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop || top > scrollTop + clientHeight - rowHeight()) {
      this.#scroller.scrollTop = top - clientHeight / 2;
    }
    this.#render();
  }

  #indexOf(seq: number): number {
    let [low, high] = [0, this.#matching.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#matching[middle] ?? 0) < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Applies the filter to new entries, or to all entries when the filter has changed. */
  #applyFilter(): void {
    const { timeline, selected } = this.#model;
    const query = this.#filter.value.trim().toLowerCase();
    const only = this.#onlySelected.checked ? selected : null;
    const key = `${query}\n${only}\n${this.#ignored.checked}\n${this.#tasks.checked}`;
    if (timeline !== this.#timeline) {
      this.#timeline = timeline;
      this.#activeStates.clear();
      this.#statesBefore.clear();
      this.#attached.clear();
      this.#atLeast.clear();
      for (const { actor, last } of timeline.base) this.#activeStates.set(actor.id, last.active);
      this.#filterKey = '\0';
      this.#indexEntries(timeline.first);
    } else this.#indexEntries(this.#filtered);
    if (key !== this.#filterKey) {
      this.#filterKey = key;
      this.#matching = [];
      this.#filtered = timeline.first;
    }
    const terms = parseFilter(query);
    for (const entry of timeline.slice(this.#filtered, timeline.next)) {
      if (this.#matches(entry, terms, only)) this.#matching.push(entry.seq);
    }
    this.#filtered = timeline.next;
    const dropped = this.#indexOf(timeline.first);
    if (dropped > 0) this.#matching.splice(0, dropped);
  }

  #indexEntries(from: number): void {
    const { timeline } = this.#model;
    for (const { seq, actor, active, kind, event, lasted } of timeline.slice(from, timeline.next)) {
      if (event === ATTACHED_EVENT) this.#attached.add(actor);
      else if (lasted !== null && this.#attached.delete(actor)) this.#atLeast.add(seq);
      const before = this.#activeStates.get(actor);
      if (before !== undefined && before.length > 0) this.#statesBefore.set(seq, before);
      if (kind === 'ended') this.#activeStates.delete(actor);
      else this.#activeStates.set(actor, active);
    }
    for (const seq of this.#statesBefore.keys()) {
      if (seq >= timeline.first) break;
      this.#statesBefore.delete(seq);
    }
  }

  #matches(entry: Entry, terms: ReturnType<typeof parseFilter>, only: number | null): boolean {
    if (only !== null && entry.actor !== only) return false;
    if (entry.kind === 'ignored' && !this.#ignored.checked) return false;
    const actor = this.#model.actorOf(entry.actor);
    if (actor?.kind === 'task' && !this.#tasks.checked) return false;
    // The first step of a chart shows that it started, together with its initial state.
    if (entry.kind === 'started' && entry.event !== ATTACHED_EVENT && actor?.kind === 'machine') return false;
    if (terms.length === 0) return true;
    const sender = entry.from === undefined ? undefined : this.#model.actorOf(entry.from);
    return matchesFilter(terms, searchedOf(entry, actor, sender, this.#statesBefore.get(entry.seq) ?? []));
  }

  #render(): void {
    const { scrollTop, clientHeight } = this.#scroller;
    const from = Math.max(0, Math.floor(scrollTop / rowHeight()) - OVERSCAN);
    const to = Math.min(
      this.#matching.length,
      Math.ceil((scrollTop + clientHeight) / rowHeight()) + OVERSCAN,
    );
    this.#rows.style.transform = `translateY(${from * rowHeight()}px)`;
    const rows: HTMLElement[] = [];
    for (const seq of this.#matching.slice(from, to)) {
      const entry = this.#model.timeline.get(seq);
      if (entry !== undefined) rows.push(this.#row(entry));
    }
    if (this.#matching.length === 0) rows.push(el('p', 'muted empty', 'No entries.'));
    this.#rows.replaceChildren(...rows);
    const { moment } = this.#model;
    if (moment === null) this.#scroller.removeAttribute('aria-activedescendant');
    else this.#scroller.setAttribute('aria-activedescendant', `entry-${moment}`);
  }

  #row(entry: Entry): HTMLElement {
    const actor = this.#model.actorOf(entry.actor);
    const { moment, selected } = this.#model;
    const row = el('div', `entry ${entry.kind}${entry.status === 'error' ? ' error' : ''}`);
    row.dataset.seq = String(entry.seq);
    row.id = `entry-${entry.seq}`;
    row.setAttribute('role', 'option');
    row.setAttribute('aria-selected', String(entry.seq === moment));
    if (moment !== null && entry.seq > moment) row.classList.add('future');
    if (entry.seq === moment) row.classList.add('moment');
    if (entry.actor === selected) row.classList.add('of-selected');
    const time = el('span', 'time', clock(entry.time));
    if (entry.decision !== undefined) time.title = entry.decision;
    row.append(time);
    row.append(cell('actor', actor?.name ?? `#${entry.actor}`));
    const event = cell('event', eventText(entry, actor), entry.count > 1 ? ` ×${entry.count}` : '');
    const sender = entry.from === undefined ? undefined : this.#model.nameOf(entry.from);
    if (sender !== undefined) event.title += ` from ${sender}`;
    row.append(event);
    row.append(cell('transition', this.#transitionText(entry, actor)));
    row.append(this.#reasonCell(entry));
    const atLeast = this.#atLeast.has(entry.seq) ? '≥ ' : '';
    row.append(el('span', 'duration', entry.lasted === null ? '' : `${atLeast}${duration(entry.lasted)}`));
    return row;
  }

  #reasonCell({ reason, failure }: Entry): HTMLElement {
    const status = failure?.httpStatus === undefined ? '' : ` · HTTP ${failure.httpStatus}`;
    const text = `${reason ?? ''}${status}`;
    const element = cell('reason', text);
    const means = reason === null ? '' : (this.#data.reasons[reason] ?? '');
    element.title = failure === undefined ? means : `${means}\n${failureText(failure)}`;
    if (failure !== undefined) element.classList.add('with-failure');
    return element;
  }

  /** `connecting → connected`, with the states in between in which it did not stay. */
  #transitionText(entry: Entry, actor: Actor | undefined): string {
    if (entry.kind === 'ignored') return 'no transition for this event';
    if (entry.event === ATTACHED_EVENT) return entry.active.map(shortId).join(' | ');
    if (entry.kind === 'started' || actor?.kind === 'task') return '';
    const from = this.#statesBefore.get(entry.seq) ?? [];
    const nameOf = narrow.matches ? leafName : shortId;
    const passed = statesPassed(entry.edges, from).map(nameOf);
    const to = entry.active.map(nameOf);
    if (entry.lasted === null) return [...passed, to.join(' | ')].join(' → ');
    // Of several active states, only those that changed.
    const left = from.map(nameOf).filter((state) => !to.includes(state));
    const entered = to.filter((state) => !from.map(nameOf).includes(state));
    return entered.length === 0
      ? to.join(' | ')
      : [left.join(' | '), ...passed, entered.join(' | ')].join(' → ');
  }
}

/** A narrow screen has no room for the parents. */
const leafName = (id: string): string => id.slice(id.lastIndexOf('.') + 1);

function cell(className: string, text: string, suffix = ''): HTMLElement {
  const element = el('span', className, text + suffix);
  element.title = text;
  return element;
}
