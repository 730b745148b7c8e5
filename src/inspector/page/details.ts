/** The description of one state: what it is for, its requirements, and its ways in and out. */

import { shortId } from '../words.js';
import { byId, el } from './dom.js';
import type { ChartData, EdgeData, PageData } from './model.js';

const NUMBER = /\b(?:RC|WSA|ACC)-\d+[a-z]?\b/g;

export class Details {
  readonly #data: PageData;
  readonly #panel = byId('details');
  #chart: ChartData | undefined;
  #state: string | undefined;
  /** What had the focus before. */
  #returnTo: HTMLElement | SVGElement | undefined;

  constructor(data: PageData) {
    this.#data = data;
    this.#panel.addEventListener('click', ({ target }) => {
      const link = target instanceof Element ? target.closest<HTMLElement>('[data-goto]') : null;
      if (link?.dataset.goto !== undefined && this.#chart !== undefined) {
        this.show(this.#chart, link.dataset.goto, new Set());
      }
    });
  }

  get isOpen(): boolean {
    return !this.#panel.hidden;
  }

  /** @param taken edges of the last step, which are marked */
  show(chart: ChartData, id: string, taken: ReadonlySet<string>, from?: HTMLElement | SVGElement): void {
    const state = chart.states[id];
    if (state === undefined) return;
    this.#chart = chart;
    this.#state = id;
    if (from !== undefined) this.#returnTo = from;
    const edges = Object.entries(chart.edges);
    const within = (other: string) => other === id || other.startsWith(`${id}.`);
    const waysOut = edges.filter(([, { source }]) => source === id);
    const outer = edges.filter(([, { source }]) => source !== id && id.startsWith(`${source}.`));
    const waysIn = edges.filter(([, { source, targets }]) => targets.some(within) && !within(source));
    const close = el('button', 'close', '×');
    close.setAttribute('aria-label', 'Close (Esc)');
    close.addEventListener('click', () => this.close());
    const head = el('div', 'details-head');
    head.append(el('h3', '', shortId(id)), el('span', 'badge', state.kind), close);
    const facts: HTMLElement[] = [];
    if (state.tags.length > 0) facts.push(fact('tags', state.tags.join(', ')));
    if (state.entry.length > 0) facts.push(fact('on entry', state.entry.join(', ')));
    if (state.exit.length > 0) facts.push(fact('on exit', state.exit.join(', ')));
    if (state.invokes.length > 0) facts.push(fact('runs', state.invokes.join(', ')));
    const sections = [
      this.#ways('Ways in', waysIn, taken, 'source'),
      this.#ways('Ways out', waysOut, taken, 'target'),
      this.#ways('Ways out of the states around it', outer, taken, 'target'),
    ];
    const texts = [state.description, ...[...waysIn, ...waysOut].map(([, { description }]) => description)];
    this.#panel.replaceChildren(
      head,
      el('p', '', state.description || 'It has no description.'),
      ...facts,
      ...sections,
      this.#requirements(texts),
    );
    const opened = this.#panel.hidden;
    this.#panel.hidden = false;
    this.#panel.scrollTop = 0;
    if (opened) this.#panel.focus();
  }

  /** Only while it shows this chart. */
  follow(chart: ChartData | undefined): void {
    if (this.isOpen && chart !== this.#chart) this.close();
  }

  get shown(): string | undefined {
    return this.isOpen ? this.#state : undefined;
  }

  close(): void {
    if (!this.isOpen) return;
    this.#panel.hidden = true;
    this.#returnTo?.focus();
    this.#returnTo = undefined;
  }

  #ways(
    title: string,
    ways: readonly (readonly [string, EdgeData])[],
    taken: ReadonlySet<string>,
    leads: 'source' | 'target',
  ): HTMLElement {
    const section = el('section', 'ways');
    section.append(el('h4', '', `${title} (${ways.length})`));
    const list = el('ul');
    for (const [id, { text, source, targets, reasons, description }] of ways) {
      const row = el('li', taken.has(id) ? 'way taken-way' : 'way');
      const to = leads === 'source' ? source : targets[0];
      const label = el(to === undefined ? 'span' : 'button', to === undefined ? '' : 'way-link', text);
      if (to !== undefined) label.dataset.goto = to;
      row.append(label);
      if (description !== '') row.append(el('p', 'muted', description));
      for (const reason of reasons) {
        const line = el('p');
        line.append(el('span', 'reason', reason), ` ${this.#data.reasons[reason] ?? ''}`);
        row.append(line);
      }
      list.append(row);
    }
    if (ways.length > 0) section.append(list);
    return ways.length === 0 ? el('span') : section;
  }

  #requirements(texts: readonly string[]): HTMLElement {
    const numbers = [...new Set(texts.flatMap((text) => text.match(NUMBER) ?? []))];
    if (numbers.length === 0) return el('span');
    const section = el('section', 'requirements');
    section.append(el('h4', '', 'Requirements'));
    for (const number of numbers) {
      const line = el('p');
      line.append(el('b', '', number), ` ${this.#data.requirements[number] ?? ''}`);
      section.append(line);
    }
    return section;
  }
}

function fact(name: string, text: string): HTMLElement {
  const line = el('p');
  line.append(el('span', 'muted', `${name}: `), text);
  return line;
}
