import type { Standing } from '../timeline.js';
import { shortId } from './chart-view.js';
import { byId, el } from './dom.js';
import type { Model } from './model.js';

/** Rows that are shown of one kind of actor; more are found by their name. */
const MOST_ALIKE = 40;
/** So many of one chart at the root are put together. */
const GROUP_FROM = 4;

/** Every actor that runs at the moment that is shown. */
export class TreeView {
  readonly #model: Model;
  readonly #list = byId('tree');
  readonly #search = byId<HTMLInputElement>('tree-search');
  readonly #onSelect: (actor: number) => void;
  readonly #open = new Set<string>();

  constructor(model: Model, onSelect: (actor: number) => void) {
    this.#model = model;
    this.#onSelect = onSelect;
    this.#search.addEventListener('input', () => this.update());
    this.#list.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest<HTMLElement>('[data-actor],[data-group]') : null;
      const { actor, group } = row?.dataset ?? {};
      if (actor !== undefined) this.#onSelect(Number(actor));
      else if (group !== undefined) {
        if (!this.#open.delete(group)) this.#open.add(group);
        this.update();
      }
    });
  }

  update(): void {
    const { standings } = this.#model;
    const wanted = this.#search.value.trim().toLowerCase();
    const children = new Map<number | null, Standing[]>();
    for (const standing of standings.values()) {
      const { parent } = standing.actor;
      const key = parent !== null && standings.has(parent) ? parent : null;
      const siblings = children.get(key);
      if (siblings === undefined) children.set(key, [standing]);
      else siblings.push(standing);
    }
    const rows: HTMLElement[] = [];
    const addAll = (siblings: readonly Standing[], depth: number) => {
      const kinds = new Map<string, Standing[]>();
      for (const standing of siblings) {
        const kind = standing.actor.chart ?? `task ${standing.actor.name}`;
        const alike = kinds.get(kind);
        if (alike === undefined) kinds.set(kind, [standing]);
        else alike.push(standing);
      }
      for (const [kind, alike] of kinds) {
        const matching = wanted === '' ? alike : alike.filter((standing) => matches(standing, wanted));
        const grouped = alike.length >= GROUP_FROM;
        if (grouped) rows.push(this.#groupRow(kind, alike.length, depth));
        const open = !grouped || wanted !== '' || this.#open.has(kind);
        const inner = grouped ? depth + 1 : depth;
        const shown = open ? matching.slice(0, MOST_ALIKE) : alike.filter((one) => this.#isSelected(one));
        for (const standing of shown) {
          rows.push(this.#row(standing, inner, grouped));
          addAll(children.get(standing.actor.id) ?? [], inner + 1);
        }
        if (open && matching.length > shown.length) {
          rows.push(el('div', 'more', `… ${matching.length - shown.length} more: search for one`));
        }
      }
    };
    addAll(children.get(null) ?? [], 0);
    if (rows.length === 0) rows.push(el('p', 'quiet', 'No actor runs at this moment.'));
    this.#list.replaceChildren(...rows);
    byId('tree-count').textContent = String(standings.size);
  }

  #isSelected({ actor }: Standing): boolean {
    return actor.id === this.#model.selected;
  }

  #groupRow(kind: string, count: number, depth: number): HTMLElement {
    const row = el('div', 'row group');
    row.dataset.group = kind;
    row.style.paddingLeft = `${8 + depth * 16}px`;
    row.append(el('span', 'fold', this.#open.has(kind) ? '▾' : '▸'), el('span', 'name', kind));
    row.append(el('span', 'badge', String(count)));
    return row;
  }

  #row(standing: Standing, depth: number, grouped: boolean): HTMLElement {
    const { actor, last } = standing;
    const row = el('button', `row ${actor.kind}${this.#isSelected(standing) ? ' selected' : ''}`);
    row.dataset.actor = String(actor.id);
    row.style.paddingLeft = `${8 + depth * 16}px`;
    row.append(el('span', 'dot'));
    // The group says what they are.
    const prefix = `${actor.chart}:`;
    const short = grouped && actor.name.startsWith(prefix) ? actor.name.slice(prefix.length) : actor.name;
    const name = el('span', 'name', short);
    name.title = actor.name;
    row.append(name);
    const states = last.active.map(shortId).join(' | ');
    const state = el('span', 'where', states === '' ? 'runs' : keysOf(last.active));
    state.title = states;
    row.append(state);
    return row;
  }
}

function matches({ actor, last }: Standing, wanted: string): boolean {
  return `${actor.name} ${actor.chart ?? ''} ${last.active.join(' ')}`.toLowerCase().includes(wanted);
}

/** The names of the states alone; the tooltip says where they are. */
const keysOf = (active: readonly string[]): string =>
  active.map((id) => id.slice(id.lastIndexOf('.') + 1)).join(' · ');
