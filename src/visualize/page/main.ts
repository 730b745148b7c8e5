/** The page of all charts: zoom, pan, links between pictures, search, scenarios and requirements. Plain DOM, no network. */
import type { PageChart, PageData } from '../page-types.js';
import { element, find, type Maybe } from './dom.js';
import { search } from './search.js';
import { Stage } from './stage.js';

const data = JSON.parse(find('#data').textContent ?? '') as PageData;
const figures = [...document.querySelectorAll<HTMLElement>('figure[data-picture]')];
const stage = new Stage(find('#stage'));
const details = find('#details');
let current = figures[0];
let scenario: Maybe<{ chart: PageChart; index: number; step: number }>;

const nameOf = (figure: Maybe<HTMLElement>): string => figure?.dataset.picture ?? '';
const chartOf = (figure: Maybe<HTMLElement>): Maybe<PageChart> =>
  data.charts.find(({ name }) => name === figure?.dataset.chart);
const boxes = (id: string): SVGElement[] =>
  [...(current?.querySelectorAll<SVGElement>('[data-state]') ?? [])].filter(
    (box) => box.dataset.state === id,
  );
const arrows = (ids: ReadonlySet<string>): SVGElement[] =>
  [...(current?.querySelectorAll<SVGElement>('[data-edges]') ?? [])].filter((arrow) =>
    (arrow.dataset.edges ?? '').split('|').some((id) => ids.has(id)),
  );

function open(name: string): void {
  const figure = figures.find((one) => nameOf(one) === name);
  if (figure === undefined) return;
  for (const one of figures) one.hidden = one !== figure;
  if (chartOf(current) !== chartOf(figure)) scenario = undefined;
  current = figure;
  find<HTMLSelectElement>('#picture').value = name;
  if (decodeURIComponent(location.hash.slice(1)) !== name)
    history.replaceState(null, '', `#${encodeURIComponent(name)}`);
  stage.show(figure);
  describeChart();
}

/** The picture that shows a state: its own one, or the most detailed one that has its box. */
function pictureOf(chart: PageChart, id: string): Maybe<HTMLElement> {
  const own = figures.filter((one) => one.dataset.chart === chart.name);
  const shows = (figure: HTMLElement) =>
    [...figure.querySelectorAll<SVGElement>('[data-state]')].some((box) => box.dataset.state === id);
  if (current !== undefined && own.includes(current) && shows(current)) return current;
  return own.findLast(shows) ?? own[0];
}

function light(marked: readonly SVGElement[]): void {
  for (const one of document.querySelectorAll('.lit')) one.classList.remove('lit');
  for (const one of marked) one.classList.add('lit');
  if (marked[0] !== undefined) stage.reveal(marked[0]);
}

function goToState(chart: PageChart, id: string): void {
  open(nameOf(pictureOf(chart, id)));
  light(boxes(id));
  describeState(chart, id);
}

function goToEdge(chart: PageChart, edge: PageChart['edges'][number]): void {
  open(nameOf(pictureOf(chart, edge.source)));
  const drawn = arrows(new Set([edge.id]));
  light(drawn.length > 0 ? drawn : boxes(edge.source));
  describe(chart, edge.text, edge.reasons);
}

/** Texts of the requirements that a description cites. */
function requirementsIn(text: string): HTMLElement[] {
  const cited = [...new Set(text.match(/\b[A-Z]+-\d+[a-z]?\b/g) ?? [])];
  return cited.flatMap((number) => {
    const words = data.requirements[number];
    return words === undefined
      ? []
      : [element('p', { class: 'requirement' }, element('b', {}, number), ` ${words}`)];
  });
}

function describe(chart: PageChart, text: string, reasons: readonly string[] = []): void {
  details.replaceChildren(
    element('p', { class: 'place' }, chart.name),
    element('p', {}, text),
    ...(reasons.length === 0 ? [] : [element('p', {}, `Reason: ${reasons.join(', ')}`)]),
    ...requirementsIn(text),
  );
}

function describeChart(): void {
  const chart = chartOf(current);
  if (chart === undefined) return;
  details.replaceChildren(
    element('h2', {}, nameOf(current)),
    element('p', {}, chart.description),
    scenarioList(chart),
  );
}

function describeState(chart: PageChart, id: string): void {
  const state = chart.states.find((one) => one.id === id);
  if (state === undefined) return;
  const inside = figures.find((one) => nameOf(one) === id && one !== current);
  const link = (label: string, act: () => void) => {
    const button = element('button', { type: 'button', class: 'link' }, label);
    button.addEventListener('click', act);
    return button;
  };
  const edges = (title: string, list: PageChart['edges']) =>
    list.length === 0
      ? []
      : [
          element('h3', {}, title),
          element(
            'ul',
            {},
            ...list.map((edge) =>
              element(
                'li',
                {},
                link(edge.text, () => goToEdge(chart, edge)),
              ),
            ),
          ),
        ];
  const children = data.charts.filter(({ name }) => name !== chart.name && state.invokes.includes(name));
  details.replaceChildren(
    element('h2', {}, id),
    element('p', {}, state.description),
    ...(inside === undefined ? [] : [link(`Open the picture of ${id}`, () => open(id))]),
    ...children.map(({ name }) => link(`Open the chart ${name}, which it runs`, () => open(name))),
    ...requirementsIn(state.description),
    ...edges(
      'Ways out',
      chart.edges.filter(({ source }) => source === id),
    ),
    ...edges(
      'Ways in',
      chart.edges.filter(({ targets }) => targets.includes(id)),
    ),
  );
}

function scenarioList(chart: PageChart): HTMLElement {
  if (chart.scenarios.length === 0) return element('p', {});
  const choice = element('select', { id: 'scenario', 'aria-label': 'Scenario' });
  choice.append(
    element('option', { value: '' }, 'Step through a scenario …'),
    ...chart.scenarios.map(({ title }, index) => element('option', { value: String(index) }, title)),
  );
  choice.addEventListener('change', () => {
    if (choice.value === '') return;
    scenario = { chart, index: Number(choice.value), step: 0 };
    showStep();
  });
  return element('p', {}, choice);
}

function showStep(): void {
  if (scenario === undefined) return;
  const { chart, index, step } = scenario;
  const steps = chart.scenarios[index]?.steps ?? [];
  const before = (steps[step - 1]?.states ?? []).flatMap(withOuter);
  const after = steps[step]?.states ?? [];
  const first = after[0];
  if (first !== undefined) open(nameOf(pictureOf(chart, first)));
  // A box that is folded in this picture stands for the states in it.
  const shown = after.flatMap((id) => withOuter(id).find((outer) => boxes(outer).length > 0) ?? []);
  const event = (steps[step]?.text ?? '').split(/ [(→]/)[0] ?? '';
  const taken = chart.edges.filter(
    ({ source, targets, text }) =>
      before.includes(source) &&
      text.includes(event) &&
      targets.some((target) => after.some((id) => withOuter(id).includes(target))),
  );
  light([...shown.flatMap(boxes), ...arrows(new Set(taken.map(({ id }) => id)))]);
  scenario = { chart, index, step };
  const move = (label: string, by: number, isOff: boolean) => {
    const button = element('button', { type: 'button', id: by > 0 ? 'next' : 'previous' }, label);
    button.disabled = isOff;
    button.addEventListener('click', () => moveBy(by));
    return button;
  };
  details.replaceChildren(
    element('h2', {}, chart.scenarios[index]?.title ?? ''),
    element('p', {}, move('← Previous', -1, step === 0), move('Next →', 1, step >= steps.length - 1)),
    element(
      'ol',
      { id: 'steps', start: '0' },
      ...steps.map(({ text }, at) => element('li', at === step ? { 'aria-current': 'step' } : {}, text)),
    ),
    scenarioList(chart),
  );
  details.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest' });
}

function moveBy(by: number): void {
  if (scenario === undefined) return;
  const last = (scenario.chart.scenarios[scenario.index]?.steps.length ?? 1) - 1;
  scenario = { ...scenario, step: Math.min(Math.max(scenario.step + by, 0), last) };
  showStep();
}

/** A state and the states around it, innermost first. */
function withOuter(id: string): string[] {
  const keys = id.split('.');
  return keys.map((_, index) => keys.slice(0, keys.length - index).join('.'));
}

/** Shows what is under the pointer, or has the focus. */
function point(target: EventTarget | null): void {
  const chart = chartOf(current);
  if (chart === undefined || !(target instanceof Element)) return;
  const id = target.closest<SVGElement>('[data-state]')?.dataset.state;
  const edge = target.closest<SVGElement>('[data-edges]')?.dataset.edges?.split('|')[0];
  const description =
    chart.states.find((state) => state.id === id)?.description ??
    chart.edges.find((one) => one.id === edge)?.text ??
    '';
  find('#hint').replaceChildren(
    ...(description === '' ? [] : [element('p', {}, description), ...requirementsIn(description)]),
  );
}

function select(target: EventTarget | null): void {
  const chart = chartOf(current);
  if (chart === undefined || !(target instanceof Element)) return;
  const id = target.closest<SVGElement>('[data-state]')?.dataset.state;
  const edge = chart.edges.find(
    (one) => one.id === target.closest<SVGElement>('[data-edges]')?.dataset.edges?.split('|')[0],
  );
  if (id !== undefined) goToState(chart, id);
  else if (edge !== undefined) goToEdge(chart, edge);
}

function searchFor(text: string): void {
  const list = find('#results');
  const results = search(data, text).map(({ label, chart, state, edge }) => {
    const button = element('button', { type: 'button' }, label);
    button.addEventListener('click', () => {
      list.replaceChildren();
      if (state !== undefined) goToState(chart, state);
      else if (edge !== undefined) goToEdge(chart, edge);
    });
    return element('li', {}, button);
  });
  list.replaceChildren(
    ...(text !== '' && results.length === 0 ? [element('li', {}, 'Nothing found.')] : results),
  );
}

const KEYS: Readonly<Record<string, () => void>> = {
  '+': () => stage.zoom(1.25),
  '-': () => stage.zoom(0.8),
  '0': () => stage.fit(),
  '/': () => find('#search').focus(),
  n: () => moveBy(1),
  p: () => moveBy(-1),
  ArrowLeft: () => stage.move(60, 0),
  ArrowRight: () => stage.move(-60, 0),
  ArrowUp: () => stage.move(0, 60),
  ArrowDown: () => stage.move(0, -60),
  Escape: () => {
    scenario = undefined;
    light([]);
    describeChart();
  },
};

document.body.classList.add('scripted');
for (const figure of figures) {
  for (const box of figure.querySelectorAll('[data-state]')) {
    box.setAttribute('tabindex', '0');
    box.setAttribute('role', 'button');
  }
}
const picture = find<HTMLSelectElement>('#picture');
picture.append(...figures.map((figure) => element('option', { value: nameOf(figure) }, nameOf(figure))));
picture.addEventListener('change', () => open(picture.value));
find('#in').addEventListener('click', () => stage.zoom(1.25));
find('#out').addEventListener('click', () => stage.zoom(0.8));
find('#fit').addEventListener('click', () => stage.fit());
const field = find<HTMLInputElement>('#search');
field.addEventListener('input', () => searchFor(field.value.trim()));
const view = find('#stage');
view.addEventListener('pointerover', ({ target }) => point(target));
view.addEventListener('focusin', ({ target }) => point(target));
view.addEventListener('click', ({ target }) => {
  if (!stage.wasDragged) select(target);
});
document.addEventListener('keydown', (event) => {
  const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement;
  if (event.key === 'Enter' && event.target instanceof SVGElement) select(event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || (typing && event.key !== 'Escape')) return;
  const act = KEYS[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
});
window.addEventListener('hashchange', () => open(decodeURIComponent(location.hash.slice(1))));
// To open a picture changes the address.
const wanted = decodeURIComponent(location.hash.slice(1));
open(nameOf(figures[0]));
open(wanted);
