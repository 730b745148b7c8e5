import type { Entry, Standing } from '../timeline.js';
import { byId, clock, duration, el } from './dom.js';
import type { ChartFacts, Facts, PictureFacts } from './facts.js';
import type { Model } from './model.js';

const LIT = `
.lit>.box,.lit>.group{stroke:var(--lit)!important;stroke-width:2.4!important}
.lit>.box{fill:var(--lit-fill)!important}
.lit.leaf>.box{filter:drop-shadow(0 0 5px var(--lit))}
.taken>.arrow{stroke:var(--taken)!important;stroke-width:2.4!important;stroke-dasharray:7 5;animation:run .5s linear infinite}
.left>.box{stroke:var(--taken)!important;stroke-width:1.8!important;stroke-dasharray:3 3}
@keyframes run{to{stroke-dashoffset:-12}}
@media (prefers-reduced-motion:reduce){.taken>.arrow{animation:none}}
.state,.edge{cursor:help}
svg{display:block}
`;

/** The chart of the selected actor: active states lit, the last transition drawn. */
export class ChartView {
  readonly #model: Model;
  readonly #facts: Facts;
  readonly #tabs = byId('pictures');
  readonly #facing = byId('facing');
  readonly #stage = byId('stage');
  readonly #shadow: ShadowRoot;
  #chart = '';
  #picture = '';
  #shown = '';
  /** A picture that a person chose; else the one that shows most. */
  #chosen: string | null = null;
  #zoom = 1;

  constructor(model: Model, facts: Facts) {
    this.#model = model;
    this.#facts = facts;
    // The pictures bring styles of their own: they stay among themselves.
    this.#shadow = byId('chart').attachShadow({ mode: 'open' });
    for (const [id, step] of [
      ['zoom-in', 1.25],
      ['zoom-out', 0.8],
    ] as const) {
      byId(id).addEventListener('click', () => this.#setZoom(this.#zoom * step));
    }
    byId('zoom-fit').addEventListener('click', () => this.#fit());
  }

  update(): void {
    const { selected } = this.#model;
    const standing = selected === null ? undefined : this.#model.standings.get(selected);
    const actor = standing?.actor ?? null;
    const chart = actor?.chart ?? '';
    const facts = this.#facts.charts[chart];
    const step = standing === undefined ? undefined : this.#model.lastStepOf(standing.actor.id);
    this.#face(standing, step, facts);
    if (facts === undefined) {
      this.#chart = '';
      this.#picture = '';
      this.#shown = '';
      this.#tabs.replaceChildren();
      this.#shadow.replaceChildren();
      return;
    }
    if (chart !== this.#chart) {
      this.#chart = chart;
      this.#chosen = null;
      this.#picture = '';
    }
    const picture = facts.pictures.find(({ name }) => name === this.#chosen) ?? facts.pictures[0];
    if (picture !== undefined && picture.name !== this.#picture) this.#draw(facts, picture);
    if (standing !== undefined) this.#light(standing, step);
  }

  /** What stands above the picture: state, reason, how long, and the way there. */
  #face(standing: Standing | undefined, step: Entry | undefined, facts: ChartFacts | undefined): void {
    const parts: HTMLElement[] = [];
    if (standing === undefined) {
      const gone = this.#model.selected !== null;
      parts.push(el('p', 'quiet', gone ? 'This actor does not run at this moment.' : 'Select an actor.'));
    } else {
      const { actor, last, since } = standing;
      const row = el('div', 'state-row');
      row.append(el('h2', '', actor.name));
      for (const id of last.active) row.append(el('span', 'state-pill', shortId(id)));
      if (last.active.length === 0) row.append(el('span', 'state-pill task', 'runs'));
      const lasts = duration(Math.max(0, this.#model.time - since));
      row.append(el('span', 'quiet', `for ${lasts}, since ${clock(since)}`), el('span', 'spring'));
      if (actor.chart !== null) row.append(el('code', 'quiet', `chart ${actor.chart} ${facts?.hash ?? ''}`));
      parts.push(row);
      const why = el('p', 'why-row');
      if (last.reason !== null) {
        why.append(el('span', 'reason', last.reason), ` ${this.#facts.reasons[last.reason] ?? ''} `);
      }
      const described = last.active.map((id) => facts?.states[id] ?? '').filter((text) => text !== '');
      why.append(el('span', 'quiet', described.join(' ')));
      parts.push(why);
      if (step !== undefined && step.edges.length > 1) parts.push(pathRow(step, facts));
    }
    this.#facing.replaceChildren(...parts);
  }

  #draw(facts: ChartFacts, picture: PictureFacts): void {
    this.#picture = picture.name;
    this.#shown = '';
    const style = el('style', '', LIT);
    const parsed = new DOMParser().parseFromString(picture.svg, 'image/svg+xml').documentElement;
    this.#shadow.replaceChildren(style, document.importNode(parsed, true));
    this.#tabs.replaceChildren(
      ...(facts.pictures.length < 2
        ? []
        : facts.pictures.map(({ name, description }) => {
            const tab = el('button', name === picture.name ? 'tab on' : 'tab', tabName(name, this.#chart));
            tab.title = description;
            tab.addEventListener('click', () => {
              this.#chosen = name;
              this.update();
            });
            return tab;
          })),
    );
    this.#fit();
  }

  #light({ last }: Standing, step: Entry | undefined): void {
    const key = `${this.#picture} ${last.active.join()} ${step?.seq ?? ''}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const boxes = new Map<string, Element>();
    for (const box of this.#shadow.querySelectorAll('[data-state]')) {
      boxes.set(box.getAttribute('data-state') ?? '', box);
      box.classList.remove('lit', 'leaf', 'left');
    }
    for (const id of last.active) {
      let leaf = true;
      for (let at = id; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
        const box = boxes.get(at);
        if (box === undefined) continue;
        box.classList.add('lit');
        if (leaf) box.classList.add('leaf');
        leaf = false;
      }
    }
    const taken = new Set(step?.edges ?? []);
    for (const arrow of this.#shadow.querySelectorAll('[data-edges]')) {
      const edges = (arrow.getAttribute('data-edges') ?? '').split('|');
      arrow.classList.toggle(
        'taken',
        edges.some((edge) => taken.has(edge)),
      );
    }
    // Where an arrow is only named in its box, the box that was left is marked.
    for (const edge of taken) boxes.get(edge.split(' ')[0] ?? '')?.classList.add('left');
    this.#markTabs(last.active);
    this.#bringIntoSight();
  }

  /** With what is around it, so that the arrow is seen, too. */
  #bringIntoSight(): void {
    const box = this.#shadow.querySelector('.lit.leaf')?.getBoundingClientRect();
    if (box === undefined) return;
    const stage = this.#stage.getBoundingClientRect();
    const room = { x: stage.width / 5, y: stage.height / 4 };
    const hidden =
      box.top < stage.top + room.y ||
      box.bottom > stage.bottom - room.y ||
      box.left < stage.left + room.x ||
      box.right > stage.right - room.x;
    if (!hidden) return;
    this.#stage.scrollBy(
      (box.left + box.right - stage.left - stage.right) / 2,
      (box.top + box.bottom - stage.top - stage.bottom) / 2,
    );
  }

  /** Which of the pictures show an active state by its own name. */
  #markTabs(active: readonly string[]): void {
    const facts = this.#facts.charts[this.#chart];
    for (const [index, tab] of [...this.#tabs.children].entries()) {
      const svg = facts?.pictures[index]?.svg ?? '';
      const shows = active.some((id) => svg.includes(`data-state="${id}"`));
      tab.classList.toggle('shows', shows);
    }
  }

  #fit(): void {
    const svg = this.#shadow.querySelector('svg');
    if (svg === null) return;
    const { width, height } = svg.viewBox.baseVal;
    const { clientWidth, clientHeight } = this.#stage;
    // Smaller than this it cannot be read: then it scrolls.
    const whole = Math.min((clientWidth - 24) / width, (clientHeight - 24) / height);
    this.#setZoom(Math.min(1, Math.max(whole, Math.min(0.85, (clientWidth - 24) / width))));
  }

  #setZoom(zoom: number): void {
    const svg = this.#shadow.querySelector('svg');
    if (svg === null) return;
    this.#zoom = Math.min(3, Math.max(0.2, zoom));
    svg.setAttribute('width', String(Math.round(svg.viewBox.baseVal.width * this.#zoom)));
    svg.setAttribute('height', String(Math.round(svg.viewBox.baseVal.height * this.#zoom)));
    byId('zoom-fit').textContent = `${Math.round(this.#zoom * 100)} %`;
  }
}

/** Every edge of a step that took several, in their order; each says in full what it is. */
function pathRow({ edges }: Entry, facts: ChartFacts | undefined): HTMLElement {
  const row = el('p', 'path-row');
  row.append(el('span', 'quiet', 'by '));
  for (const [index, edge] of edges.entries()) {
    const words = facts?.edges[edge] ?? edge;
    const step = el('span', 'path-step', words);
    step.title = words;
    row.append(...(index === 0 ? [] : [el('span', 'quiet', ' › ')]), step);
  }
  return row;
}

/** Without the name of the chart. */
export const shortId = (id: string): string => (id.includes('.') ? id.slice(id.indexOf('.') + 1) : id);

function tabName(name: string, chart: string): string {
  if (name === chart) return 'overview';
  const short = name.slice(chart.length + 1);
  return short === 'outside' ? 'outer states' : short;
}
