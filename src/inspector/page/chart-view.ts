import type { ActorState, Entry } from '../timeline.js';
import { shortId } from '../words.js';
import { Canvas } from './canvas.js';
import { Details } from './details.js';
import { byId, el } from './dom.js';
import { showHeading } from './heading.js';
import { bestPicture, boxOf, lightsOf, partsOf } from './lights.js';
import type { ChartData, Model, PageData, PictureData } from './model.js';

const HIGHLIGHT_CSS = `
.active>.box,.active>.group{stroke:var(--active)!important;stroke-width:2.4!important}
.active>.box{fill:var(--active-fill)!important}
.active.leaf>.box{filter:drop-shadow(0 0 5px var(--active))}
.taken>.arrow{stroke:var(--taken)!important;stroke-width:2.8!important;stroke-dasharray:7 5;animation:run .5s linear infinite}
.left>.box,.left>.group{stroke:var(--taken)!important;stroke-width:2!important;stroke-dasharray:3 3}
.working>.box,.working>.group{stroke:var(--taken)!important;stroke-width:2!important;stroke-dasharray:1 3}
.ignored>.box,.ignored>.group{stroke:var(--muted)!important;stroke-width:2.4!important;stroke-dasharray:3 3}
.described>.box,.described>.group{stroke:var(--link)!important;stroke-width:2.6!important}
.state{cursor:pointer;outline:none}
.state:focus-visible>.box,.state:focus-visible>.group{stroke:var(--link)!important;stroke-width:3.5!important}
@keyframes run{to{stroke-dashoffset:-12}}
@media (prefers-reduced-motion:reduce){.taken>.arrow{animation:none}}
.edge{cursor:help}
svg{display:block}
`;
const CLASSES = ['active', 'leaf', 'left', 'working', 'ignored', 'described'] as const;

/** The chart of the selected actor, with its active states and its last transition highlighted. */
export class ChartView {
  readonly details: Details;
  readonly canvas = new Canvas();
  readonly #model: Model;
  readonly #data: PageData;
  readonly #tabs = byId('pictures');
  readonly #shadow: ShadowRoot;
  #chart = '';
  #picture = '';
  #highlighted = '';
  /** Name of the picture that the user chose; null: the one that shows the step. */
  #chosen: string | null = null;

  constructor(model: Model, data: PageData) {
    this.#model = model;
    this.#data = data;
    this.details = new Details(data);
    // The pictures contain styles, which must not affect the page.
    this.#shadow = byId('chart').attachShadow({ mode: 'open' });
    const describe = (event: Event): boolean => {
      const box = event.target instanceof Element ? event.target.closest<SVGElement>('[data-state]') : null;
      const chart = this.#data.charts[this.#chart];
      const id = box?.dataset.state;
      if (box === null || id === undefined || chart?.states[id] === undefined) return false;
      this.details.show(chart, id, new Set(this.#step()?.edges ?? []), box);
      this.#markDescribed();
      return true;
    };
    this.#shadow.addEventListener('click', describe);
    this.#shadow.addEventListener('keydown', (event) => {
      if (!(event instanceof KeyboardEvent) || (event.key !== 'Enter' && event.key !== ' ')) return;
      if (!describe(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    byId('details').addEventListener('click', () => this.#markDescribed());
  }

  update(): void {
    const actorState = this.#shownActor();
    const chart = actorState?.actor.chart ?? '';
    const data = this.#data.charts[chart];
    const step = this.#step();
    showHeading(this.#model, this.#data, actorState, step, data);
    this.details.follow(data);
    if (data === undefined || actorState === undefined) {
      this.#clear();
      return;
    }
    if (chart !== this.#chart) {
      this.#chart = chart;
      this.#chosen = null;
      this.#picture = '';
    }
    const { active } = actorState.last;
    const chosen = data.pictures.find(({ name }) => name === this.#chosen);
    const picture =
      chosen ?? bestPicture(data, this.#picture, step, active, step && this.#model.actorOf(step.actor));
    if (picture !== undefined && picture.name !== this.#picture) this.#draw(data, picture);
    if (picture !== undefined) this.#highlight(data, picture, actorState, step);
  }

  #shownActor(): ActorState | undefined {
    const { selected } = this.#model;
    return selected === null ? undefined : this.#model.stateOf(selected);
  }

  /** The entry of the shown moment when it is about this chart; else the last transition of the chart. */
  #step(): Entry | undefined {
    const { selected, moment, entry } = this.#model;
    if (selected === null) return undefined;
    if (moment !== null && entry !== undefined && entry.kind !== 'started') {
      if (entry.actor === selected) return entry;
      const actor = this.#model.actorOf(entry.actor);
      if (actor?.kind === 'task' && actor.parent === selected) return entry;
    }
    if (
      moment !== null &&
      entry?.kind === 'started' &&
      this.#model.actorOf(entry.actor)?.parent === selected
    ) {
      if (this.#model.actorOf(entry.actor)?.kind === 'task') return entry;
    }
    return this.#model.lastStepOf(selected);
  }

  #clear(): void {
    this.#chart = '';
    this.#picture = '';
    this.#highlighted = '';
    this.#tabs.replaceChildren();
    this.#shadow.replaceChildren();
    this.canvas.show(undefined);
  }

  #draw(data: ChartData, picture: PictureData): void {
    this.#picture = picture.name;
    this.#highlighted = '';
    const style = el('style', '', HIGHLIGHT_CSS);
    const parsed = new DOMParser().parseFromString(picture.svg, 'image/svg+xml').documentElement;
    const svg = document.importNode(parsed, true);
    svg.setAttribute('role', 'group');
    for (const box of svg.querySelectorAll('[data-state]')) {
      const id = box.getAttribute('data-state') ?? '';
      if (data.states[id] === undefined) continue;
      box.setAttribute('tabindex', '0');
      box.setAttribute('role', 'button');
      box.setAttribute('aria-label', `state ${shortId(id)}`);
    }
    this.#shadow.replaceChildren(style, svg);
    this.#drawTabs(data, picture);
    this.canvas.show(svg instanceof SVGSVGElement ? svg : undefined);
  }

  #drawTabs(data: ChartData, shown: PictureData): void {
    const pin = (name: string | null) => {
      this.#chosen = name;
      this.#drawTabs(data, shown);
      this.update();
    };
    const follow = el('button', this.#chosen === null ? 'tab selected' : 'tab', 'follow');
    follow.title = 'Always the picture that shows the last step';
    follow.setAttribute('aria-pressed', String(this.#chosen === null));
    follow.addEventListener('click', () => pin(null));
    const tabs = data.pictures.map(({ name, description }) => {
      const tab = el('button', name === shown.name ? 'tab shown' : 'tab', tabName(name, this.#chart));
      tab.title = description;
      tab.setAttribute('aria-pressed', String(name === shown.name));
      tab.addEventListener('click', () => pin(name));
      return tab;
    });
    this.#tabs.replaceChildren(...(data.pictures.length < 2 ? [] : [follow, ...tabs]));
  }

  #highlight(data: ChartData, picture: PictureData, { last }: ActorState, step: Entry | undefined): void {
    const key = `${this.#picture} ${last.active.join()} ${step?.seq ?? ''}`;
    if (key === this.#highlighted) return;
    this.#highlighted = key;
    const boxes = new Map<string, Element>();
    for (const box of this.#shadow.querySelectorAll('[data-state]')) {
      boxes.set(box.getAttribute('data-state') ?? '', box);
      box.classList.remove(...CLASSES);
    }
    const parts = partsOf(picture);
    const actor = step === undefined ? undefined : this.#model.actorOf(step.actor);
    const lights = lightsOf(step, actor, last.active, data, parts);
    for (const leaf of lights.active) {
      boxes.get(leaf)?.classList.add('leaf', ...(lights.ignored ? ['ignored'] : []));
      for (let at: string | undefined = leaf; at !== undefined; at = parentIn(at, parts)) {
        boxes.get(at)?.classList.add('active');
      }
    }
    for (const id of lights.left) boxes.get(id)?.classList.add('left');
    for (const id of lights.working) boxes.get(id)?.classList.add('working');
    const taken = new Set(lights.taken);
    for (const arrow of this.#shadow.querySelectorAll('[data-edges]')) {
      const edges = (arrow.getAttribute('data-edges') ?? '').split('|');
      arrow.classList.toggle(
        'taken',
        edges.some((edge) => taken.has(edge)),
      );
    }
    this.#markDescribed();
    this.#markTabs(data, last.active);
    this.canvas.reveal(this.#shadow.querySelector('.active.leaf'));
  }

  #markDescribed(): void {
    const { shown } = this.details;
    for (const box of this.#shadow.querySelectorAll('[data-state]')) {
      box.classList.toggle('described', shown !== undefined && box.getAttribute('data-state') === shown);
    }
  }

  /** The area has another size. */
  resized(): void {
    this.canvas.fit();
    this.canvas.reveal(this.#shadow.querySelector('.active.leaf'));
  }

  closeDetails(): void {
    this.details.close();
    this.#markDescribed();
  }

  /** Marks the tabs of the pictures that contain an active state. */
  #markTabs(data: ChartData, active: readonly string[]): void {
    for (const [index, tab] of [...this.#tabs.children].slice(1).entries()) {
      const picture = data.pictures[index];
      const { states } = picture === undefined ? { states: new Set<string>() } : partsOf(picture);
      tab.classList.toggle(
        'has-active',
        active.some((id) => states.has(id)),
      );
    }
  }
}

const parentIn = (id: string, parts: Parameters<typeof boxOf>[1]): string | undefined =>
  id.includes('.') ? boxOf(id.slice(0, id.lastIndexOf('.')), parts) : undefined;

function tabName(name: string, chart: string): string {
  if (name === chart) return 'overview';
  const short = name.slice(chart.length + 1);
  return short === 'outside' ? 'outer states' : short;
}
