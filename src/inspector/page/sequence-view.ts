/** The listed steps as a sequence: one lifeline for each actor, and an arrow for each event that one sends to another. */
import type { Actor, Entry } from '../timeline.js';
import { clock, eventText } from '../words.js';
import { byId, el, focusable } from './dom.js';
import type { Model } from './model.js';

/** Steps of one picture: those before the shown moment. */
const MAX_STEPS = 200;
const MAX_COLUMNS = 16;
/** Width of a lifeline, px. */
const columnWidth = (): number => (matchMedia('(max-width: 640px)').matches ? 112 : 150);
const ROW = 38;
const TIME_WIDTH = 92;
const SVG = 'http://www.w3.org/2000/svg';

interface Row {
  readonly entry: Entry;
  readonly target: string;
  /** The column of the sender, or of the actor that starts this one. */
  readonly source: string | undefined;
  readonly starts: boolean;
}

export class SequenceView {
  readonly #model: Model;
  readonly #matching: () => readonly number[];
  readonly #scroller = byId('sequence');
  readonly #heads = el('div', 'lifelines');
  readonly #note = el('p', 'muted empty');
  readonly #svg = document.createElementNS(SVG, 'svg');
  #rendered = '';
  #follow = true;

  /** @param matching seqs of the listed entries, oldest first */
  constructor(model: Model, matching: () => readonly number[], onSelect: (seq: number) => void) {
    this.#model = model;
    this.#matching = matching;
    focusable(this.#scroller, 'Sequence of the listed steps');
    this.#scroller.replaceChildren(this.#heads, this.#note, this.#svg);
    this.#scroller.addEventListener('scroll', () => {
      const { scrollTop, clientHeight, scrollHeight } = this.#scroller;
      this.#follow = scrollTop + clientHeight >= scrollHeight - ROW;
    });
    this.#svg.addEventListener('click', ({ target }) => {
      const row = target instanceof Element ? target.closest('[data-seq]') : null;
      if (row !== null) onSelect(Number(row.getAttribute('data-seq')));
    });
  }

  update(): void {
    if (this.#scroller.hidden) return;
    const { moment } = this.#model;
    const seqs = this.#seqs();
    const key = `${seqs[0]} ${seqs.length} ${seqs.at(-1)} ${moment}`;
    if (key === this.#rendered) return;
    this.#rendered = key;
    const rows = seqs.flatMap((seq) => this.#rowOf(this.#model.timeline.get(seq)) ?? []);
    const names = [
      ...new Set(rows.flatMap(({ source, target }) => (source === undefined ? [target] : [source, target]))),
    ];
    // The newest steps are what somebody looks at: their actors come first.
    const newest = [
      ...new Set(
        rows
          .toReversed()
          .flatMap(({ source, target }) => [target, ...(source === undefined ? [] : [source])]),
      ),
    ];
    const kept = new Set(newest.slice(0, MAX_COLUMNS));
    const columns = names.filter((name) => kept.has(name));
    const drawn = rows.filter(({ target }) => kept.has(target));
    this.#draw(columns, drawn, names.length - columns.length);
    if (moment === null && this.#follow) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    else this.#svg.querySelector('.moment')?.scrollIntoView({ block: 'nearest' });
  }

  /** Some steps around the shown moment. */
  #seqs(): readonly number[] {
    const { moment } = this.#model;
    const all = this.#matching();
    if (moment === null) return all.slice(-MAX_STEPS);
    const after = all.findIndex((seq) => seq > moment);
    const end = after === -1 ? all.length : Math.min(all.length, after + MAX_STEPS / 4);
    return all.slice(Math.max(0, end - MAX_STEPS), end);
  }

  #rowOf(entry: Entry | undefined): Row | undefined {
    const actor = entry === undefined ? undefined : this.#model.actorOf(entry.actor);
    if (entry === undefined || actor === undefined) return undefined;
    const starts = entry.kind === 'started';
    const sender = starts ? actor.parent : (entry.from ?? null);
    const source = sender === null ? undefined : this.#model.actorOf(sender);
    return { entry, target: columnOf(actor), source: source && columnOf(source), starts };
  }

  #draw(columns: readonly string[], rows: readonly Row[], left: number): void {
    const column = columnWidth();
    const x = (name: string) => TIME_WIDTH + column * (columns.indexOf(name) + 0.5);
    const needed = TIME_WIDTH + column * Math.max(1, columns.length) + 60;
    const width = Math.max(needed, this.#scroller.clientWidth);
    const height = ROW * rows.length + 10;
    this.#heads.style.width = `${width}px`;
    this.#heads.replaceChildren(
      ...columns.map((name) => {
        const head = el('span', 'lifeline', name);
        head.style.left = `${x(name)}px`;
        head.title = name;
        return head;
      }),
    );
    this.#heads.hidden = rows.length === 0;
    this.#note.textContent =
      rows.length === 0
        ? 'No steps are listed.'
        : left > 0
          ? `${left} more actors are not shown: filter the timeline.`
          : '';
    this.#note.hidden = this.#note.textContent === '';
    this.#svg.setAttribute('width', String(width));
    this.#svg.setAttribute('height', String(height));
    this.#svg.setAttribute('role', 'img');
    this.#svg.setAttribute('aria-label', `Sequence of ${rows.length} steps between ${columns.length} actors`);
    this.#svg.replaceChildren(
      arrowHead(),
      ...columns.map((name) => shape('line', 'life', { x1: x(name), x2: x(name), y1: 0, y2: height })),
      ...rows.map((row, index) => this.#step(row, index * ROW, x, width)),
    );
  }

  #step(
    { entry, target, source, starts }: Row,
    top: number,
    x: (name: string) => number,
    width: number,
  ): Element {
    const { moment } = this.#model;
    const group = shape('g', `step ${entry.kind}${entry.status === 'error' ? ' error' : ''}`, {});
    group.setAttribute('data-seq', String(entry.seq));
    if (entry.seq === moment) group.classList.add('moment');
    if (moment !== null && entry.seq > moment) group.classList.add('future');
    const actor = this.#model.actorOf(entry.actor);
    const middle = top + 20;
    const to = x(target);
    const label = starts
      ? eventText(entry, actor)
      : `${eventText(entry, actor)}${entry.count > 1 ? ` ×${entry.count}` : ''}`;
    group.append(
      shape('rect', 'hit', { x: 0, y: top, width, height: ROW }),
      words(clock(entry.time).slice(0, 12), 'at', 8, middle + 4),
    );
    const states = entry.active.map((id) => id.slice(id.lastIndexOf('.') + 1)).join(' · ');
    const shownState = entry.kind === 'ended' ? (entry.status ?? 'ended') : states;
    if (source === undefined || source === target) {
      group.append(
        shape('circle', 'dot', { cx: to, cy: middle, r: 4 }),
        words(label, 'label', to + 9, middle - 3),
      );
    } else {
      const from = x(source);
      const towards = from < to ? -1 : 1;
      group.append(
        shape('path', starts ? 'arrow starts' : 'arrow', {
          d: `M${from} ${middle}H${to + towards * 3}`,
          'marker-end': 'url(#head)',
        }),
        words(label, 'label middle', (from + to) / 2, middle - 5),
      );
    }
    if (shownState !== '' && shownState !== label && entry.kind !== 'ignored')
      group.append(words(shownState, 'state', to + 9, middle + 14));
    if (entry.reason !== null && entry.kind !== 'started') {
      const title = document.createElementNS(SVG, 'title');
      title.textContent = `${target}: ${label} → ${states} (${entry.reason})`;
      group.append(title);
    }
    return group;
  }
}

/** Actors of one name follow each other in one column. */
const columnOf = ({ name }: Actor): string => name;

function arrowHead(): Element {
  const marker = shape('marker', '', {
    id: 'head',
    viewBox: '0 0 10 10',
    refX: 9,
    refY: 5,
    markerWidth: 8,
    markerHeight: 8,
    orient: 'auto',
  });
  marker.append(shape('path', 'arrow-head', { d: 'M0 1L10 5L0 9z' }));
  const defs = shape('defs', '', {});
  defs.append(marker);
  return defs;
}

function shape(
  name: string,
  className: string,
  attributes: Readonly<Record<string, string | number>>,
): Element {
  const element = document.createElementNS(SVG, name);
  if (className !== '') element.setAttribute('class', className);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

function words(text: string, className: string, x: number, y: number): Element {
  const element = shape('text', className, { x, y });
  element.textContent = text.length > 40 ? `${text.slice(0, 39)}…` : text;
  return element;
}
