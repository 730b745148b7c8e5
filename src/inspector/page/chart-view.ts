import type { ActorState, Entry } from '../timeline.js';
import { byId, clock, duration, el } from './dom.js';
import type { ChartData, Model, PageData, PictureData } from './model.js';

const HIGHLIGHT_CSS = `
.active>.box,.active>.group{stroke:var(--active)!important;stroke-width:2.4!important}
.active>.box{fill:var(--active-fill)!important}
.active.leaf>.box{filter:drop-shadow(0 0 5px var(--active))}
.taken>.arrow{stroke:var(--taken)!important;stroke-width:2.4!important;stroke-dasharray:7 5;animation:run .5s linear infinite}
.left>.box{stroke:var(--taken)!important;stroke-width:1.8!important;stroke-dasharray:3 3}
@keyframes run{to{stroke-dashoffset:-12}}
@media (prefers-reduced-motion:reduce){.taken>.arrow{animation:none}}
.state,.edge{cursor:help}
svg{display:block}
`;

/** The chart of the selected actor, with its active states and its last transition highlighted. */
export class ChartView {
  readonly #model: Model;
  readonly #data: PageData;
  readonly #tabs = byId('pictures');
  readonly #heading = byId('heading');
  readonly #stage = byId('stage');
  readonly #shadow: ShadowRoot;
  #chart = '';
  #picture = '';
  #highlighted = '';
  /** Name of the picture that the user chose; null shows the first one. */
  #chosen: string | null = null;
  #zoom = 1;

  constructor(model: Model, data: PageData) {
    this.#model = model;
    this.#data = data;
    // The pictures contain styles, which must not affect the page.
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
    const actorState = selected === null ? undefined : this.#model.actorStates.get(selected);
    const actor = actorState?.actor ?? null;
    const chart = actor?.chart ?? '';
    const data = this.#data.charts[chart];
    const step = actorState === undefined ? undefined : this.#model.lastStepOf(actorState.actor.id);
    this.#showHeading(actorState, step, data);
    if (data === undefined) {
      this.#chart = '';
      this.#picture = '';
      this.#highlighted = '';
      this.#tabs.replaceChildren();
      this.#shadow.replaceChildren();
      return;
    }
    if (chart !== this.#chart) {
      this.#chart = chart;
      this.#chosen = null;
      this.#picture = '';
    }
    const picture = data.pictures.find(({ name }) => name === this.#chosen) ?? data.pictures[0];
    if (picture !== undefined && picture.name !== this.#picture) this.#draw(data, picture);
    if (actorState !== undefined) this.#highlight(actorState, step);
  }

  /** Shows the text above the picture: state, duration, reason, and the path to the state. */
  #showHeading(
    actorState: ActorState | undefined,
    step: Entry | undefined,
    data: ChartData | undefined,
  ): void {
    const parts: HTMLElement[] = [];
    if (actorState === undefined) {
      const selected = this.#model.selected !== null;
      parts.push(el('p', 'muted', selected ? 'This actor is not running at this time.' : 'Select an actor.'));
    } else {
      const { actor, last, since } = actorState;
      const row = el('div', 'state-row');
      row.append(el('h2', '', actor.name));
      for (const id of last.active) row.append(el('span', 'state-pill', shortId(id)));
      if (last.active.length === 0) row.append(el('span', 'state-pill task', 'running'));
      const elapsed = duration(Math.max(0, this.#model.time - since));
      row.append(el('span', 'muted', `for ${elapsed}, since ${clock(since)}`), el('span', 'spacer'));
      if (actor.chart !== null) row.append(el('code', 'muted', `chart ${actor.chart} ${data?.hash ?? ''}`));
      parts.push(row);
      const reason = el('p', 'reason-row');
      if (last.reason !== null) {
        reason.append(el('span', 'reason', last.reason), ` ${this.#data.reasons[last.reason] ?? ''} `);
      }
      const descriptions = last.active.map((id) => data?.states[id] ?? '').filter((text) => text !== '');
      reason.append(el('span', 'muted', descriptions.join(' ')));
      parts.push(reason);
      if (step !== undefined && step.edges.length > 1) parts.push(pathRow(step, data));
    }
    this.#heading.replaceChildren(...parts);
  }

  #draw(data: ChartData, picture: PictureData): void {
    this.#picture = picture.name;
    this.#highlighted = '';
    const style = el('style', '', HIGHLIGHT_CSS);
    const parsed = new DOMParser().parseFromString(picture.svg, 'image/svg+xml').documentElement;
    this.#shadow.replaceChildren(style, document.importNode(parsed, true));
    this.#tabs.replaceChildren(
      ...(data.pictures.length < 2
        ? []
        : data.pictures.map(({ name, description }) => {
            const tab = el(
              'button',
              name === picture.name ? 'tab selected' : 'tab',
              tabName(name, this.#chart),
            );
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

  #highlight({ last }: ActorState, step: Entry | undefined): void {
    const key = `${this.#picture} ${last.active.join()} ${step?.seq ?? ''}`;
    if (key === this.#highlighted) return;
    this.#highlighted = key;
    const boxes = new Map<string, Element>();
    for (const box of this.#shadow.querySelectorAll('[data-state]')) {
      boxes.set(box.getAttribute('data-state') ?? '', box);
      box.classList.remove('active', 'leaf', 'left');
    }
    for (const id of last.active) {
      let leaf = true;
      for (let at = id; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
        const box = boxes.get(at);
        if (box === undefined) continue;
        box.classList.add('active');
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
    // Some transitions have no arrow of their own: their source state is marked instead.
    for (const edge of taken) boxes.get(edge.split(' ')[0] ?? '')?.classList.add('left');
    this.#markTabs(last.active);
    this.#scrollIntoView();
  }

  /** Scrolls to the active state with some margin, so that its arrow is visible, too. */
  #scrollIntoView(): void {
    const box = this.#shadow.querySelector('.active.leaf')?.getBoundingClientRect();
    if (box === undefined) return;
    const stage = this.#stage.getBoundingClientRect();
    const margin = { x: stage.width / 5, y: stage.height / 4 };
    const hidden =
      box.top < stage.top + margin.y ||
      box.bottom > stage.bottom - margin.y ||
      box.left < stage.left + margin.x ||
      box.right > stage.right - margin.x;
    if (!hidden) return;
    this.#stage.scrollBy(
      (box.left + box.right - stage.left - stage.right) / 2,
      (box.top + box.bottom - stage.top - stage.bottom) / 2,
    );
  }

  /** Marks the tabs of the pictures that contain an active state. */
  #markTabs(active: readonly string[]): void {
    const data = this.#data.charts[this.#chart];
    for (const [index, tab] of [...this.#tabs.children].entries()) {
      const svg = data?.pictures[index]?.svg ?? '';
      const contains = active.some((id) => svg.includes(`data-state="${id}"`));
      tab.classList.toggle('has-active', contains);
    }
  }

  #fit(): void {
    const svg = this.#shadow.querySelector('svg');
    if (svg === null) return;
    const { width, height } = svg.viewBox.baseVal;
    const { clientWidth, clientHeight } = this.#stage;
    // Below 85 % a wide picture is hard to read, so it scrolls instead.
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

/** The path of a step with several edges, in order. */
function pathRow({ edges }: Entry, data: ChartData | undefined): HTMLElement {
  const row = el('p', 'path-row');
  row.append(el('span', 'muted', 'by '));
  for (const [index, edge] of edges.entries()) {
    const text = data?.edges[edge] ?? edge;
    const step = el('span', 'path-step', text);
    step.title = text;
    row.append(...(index === 0 ? [] : [el('span', 'muted', ' › ')]), step);
  }
  return row;
}

/** The id of a state without the name of its chart. */
export const shortId = (id: string): string => (id.includes('.') ? id.slice(id.indexOf('.') + 1) : id);

function tabName(name: string, chart: string): string {
  if (name === chart) return 'overview';
  const short = name.slice(chart.length + 1);
  return short === 'outside' ? 'outer states' : short;
}
