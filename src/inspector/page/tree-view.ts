import type { ActorState } from '../timeline.js';
import { shortId } from '../words.js';
import { byId, el } from './dom.js';
import type { Model } from './model.js';

/** Rows of one group; further actors are found through the search. */
const MAX_ROWS_PER_GROUP = 40;
/** Siblings of one chart from which on they become a group. */
const MIN_GROUP_SIZE = 4;

/** Every actor that is running at the shown moment. */
export class TreeView {
  readonly #model: Model;
  readonly #list = byId('tree');
  readonly #search = byId<HTMLInputElement>('tree-search');
  readonly #onSelect: (actor: number) => void;
  readonly #expanded = new Set<string>();

  constructor(model: Model, onSelect: (actor: number) => void) {
    this.#model = model;
    this.#onSelect = onSelect;
    this.#search.addEventListener('input', () => this.update());
    this.#list.addEventListener('keydown', (event) => {
      if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
      event.preventDefault();
      event.stopPropagation();
      this.#move(event.key === 'ArrowDown' ? 1 : -1);
    });
    this.#list.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-actor],[data-group]') : null;
      const { actor, group } = row?.dataset ?? {};
      if (actor !== undefined) this.#onSelect(Number(actor));
      else if (group !== undefined) {
        if (!this.#expanded.delete(group)) this.#expanded.add(group);
        this.update();
      }
    });
  }

  /** Moves the focus to the next or the previous row. */
  #move(direction: 1 | -1): void {
    const rows: (Element | null)[] = [...this.#list.querySelectorAll('button')];
    const at = rows.indexOf(document.activeElement);
    const found = rows[Math.min(rows.length - 1, Math.max(0, at + direction))];
    if (found instanceof HTMLElement) found.focus();
  }

  update(): void {
    const { actorStates } = this.#model;
    const query = this.#search.value.trim().toLowerCase();
    const children = new Map<number | null, ActorState[]>();
    for (const actorState of actorStates.values()) {
      const { parent } = actorState.actor;
      const key = parent !== null && actorStates.has(parent) ? parent : null;
      const siblings = children.get(key);
      if (siblings === undefined) children.set(key, [actorState]);
      else siblings.push(actorState);
    }
    const rows: HTMLElement[] = [];
    const addAll = (siblings: readonly ActorState[], depth: number) => {
      const groups = new Map<string, ActorState[]>();
      for (const actorState of siblings) {
        const kind = actorState.actor.chart ?? `task ${actorState.actor.name}`;
        const members = groups.get(kind);
        if (members === undefined) groups.set(kind, [actorState]);
        else members.push(actorState);
      }
      for (const [kind, members] of groups) {
        const matching = query === '' ? members : members.filter((actorState) => matches(actorState, query));
        const grouped = members.length >= MIN_GROUP_SIZE;
        if (grouped) rows.push(this.#groupRow(kind, members.length, depth));
        const open = !grouped || query !== '' || this.#expanded.has(kind);
        const childDepth = grouped ? depth + 1 : depth;
        const shown = open
          ? matching.slice(0, MAX_ROWS_PER_GROUP)
          : members.filter((member) => this.#isSelected(member));
        for (const actorState of shown) {
          rows.push(this.#row(actorState, childDepth, grouped));
          addAll(children.get(actorState.actor.id) ?? [], childDepth + 1);
        }
        if (open && matching.length > shown.length) {
          rows.push(el('div', 'more', `… ${matching.length - shown.length} more: use the search`));
        }
      }
    };
    addAll(children.get(null) ?? [], 0);
    if (rows.length === 0) rows.push(el('p', 'muted', 'No actor is running at this time.'));
    // A row that has the focus keeps it.
    const focused = keyOf(document.activeElement);
    this.#list.replaceChildren(...rows);
    if (focused !== undefined) rows.find((row) => keyOf(row) === focused)?.focus();
    byId('tree-count').textContent = String(actorStates.size);
  }

  #isSelected({ actor }: ActorState): boolean {
    return actor.id === this.#model.selected;
  }

  #groupRow(kind: string, count: number, depth: number): HTMLElement {
    const row = el('button', 'row group');
    row.setAttribute('aria-expanded', String(this.#expanded.has(kind)));
    row.dataset.group = kind;
    row.style.paddingLeft = `${8 + depth * 16}px`;
    row.append(el('span', 'fold', this.#expanded.has(kind) ? '▾' : '▸'), el('span', 'name', kind));
    row.append(el('span', 'badge', String(count)));
    return row;
  }

  #row(actorState: ActorState, depth: number, grouped: boolean): HTMLElement {
    const { actor, last } = actorState;
    const row = el('button', `row ${actor.kind}${this.#isSelected(actorState) ? ' selected' : ''}`);
    row.dataset.actor = String(actor.id);
    row.setAttribute('aria-pressed', String(this.#isSelected(actorState)));
    row.style.paddingLeft = `${8 + depth * 16}px`;
    row.append(el('span', 'dot'));
    // The heading of the group shows the chart.
    const prefix = `${actor.chart}:`;
    const short = grouped && actor.name.startsWith(prefix) ? actor.name.slice(prefix.length) : actor.name;
    const name = el('span', 'name', short);
    name.title = actor.name;
    row.append(name);
    const states = last.active.map(shortId).join(' | ');
    const state = el('span', 'state', states === '' ? 'running' : stateNames(last.active));
    state.title = states;
    row.append(state);
    return row;
  }
}

/** What a row stands for, also after it was rendered again. */
function keyOf(row: Element | null): string | undefined {
  if (!(row instanceof HTMLElement) || !row.classList.contains('row')) return undefined;
  const { actor, group } = row.dataset;
  return actor === undefined ? `group ${group}` : `actor ${actor}`;
}

function matches({ actor, last }: ActorState, query: string): boolean {
  return `${actor.name} ${actor.chart ?? ''} ${last.active.join(' ')}`.toLowerCase().includes(query);
}

/** The names of the states without their parents; the tooltip shows the full path. */
const stateNames = (active: readonly string[]): string =>
  active.map((id) => id.slice(id.lastIndexOf('.') + 1)).join(' · ');
