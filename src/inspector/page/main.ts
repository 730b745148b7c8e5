import type { ServerMessage } from '../wire.js';
import { clock } from '../words.js';
import { ChartView } from './chart-view.js';
import { CompareView } from './compare-view.js';
import { byId, throttled } from './dom.js';
import { listenForKeys } from './keys.js';
import { ListView } from './list-view.js';
import { Model, type PageData } from './model.js';
import { SequenceView } from './sequence-view.js';
import { openTimeline } from './session.js';
import { TreeView } from './tree-view.js';

/** Least time between two updates of the tree, ms. */
const TREE_INTERVAL = 150;
const SPEEDS = [1, 4, 16, 64];
const PANES = ['actors', 'chart', 'timeline'] as const;
/** Longest pause between two entries of a replay, ms. */
const MAX_REPLAY_PAUSE = 2_000;

const data = JSON.parse(byId('data').textContent ?? '{}') as PageData;
const model = new Model();
const chart = new ChartView(model, data);
const list = new ListView(model, data, selectEntry);
const tree = new TreeView(model, (actor) => {
  model.selected = actor;
  showPane('chart');
  showAll();
});
const sequence = new SequenceView(
  model,
  () => list.matching,
  (seq) => selectEntry(seq),
);
const compare = new CompareView(model);
const scrub = byId<HTMLInputElement>('scrub');
const pauseButton = byId('pause');

/** Shows the moment of an entry, and the chart that it is about. */
function selectEntry(seq: number): void {
  const entry = model.timeline.get(seq);
  if (entry !== undefined && model.selected !== entry.actor) model.selected = chartActorOf(entry.actor, seq);
  goTo(seq);
}

/** The actor whose chart is shown. A task has no chart, so its parent is shown instead. */
function chartActorOf(actor: number, seq: number): number {
  const found = model.actorOf(actor) ?? model.timeline.actorStatesAt(seq).get(actor)?.actor;
  return found?.kind === 'task' ? (found.parent ?? actor) : actor;
}

function showHeader(): void {
  const { connection, timeline, hello, moment } = model;
  const status = byId('status');
  status.className = moment !== null && connection === 'live' ? 'paused' : connection;
  status.textContent = {
    connecting: 'connecting …',
    live: moment === null ? 'live' : 'viewing the past',
    replay: `replay of ${hello?.file ?? ''}`,
    lost: model.problem,
  }[connection];
  byId('version').textContent = hello === undefined ? '' : `rc-engine ${hello.engine}`;
  scrub.min = String(timeline.first);
  scrub.max = String(Math.max(timeline.first, timeline.next - 1));
  scrub.value = String(moment ?? timeline.next - 1);
  const entry = model.entry;
  byId('moment').textContent =
    entry === undefined ? '' : clock(moment === null && connection === 'live' ? Date.now() : entry.time);
  pauseButton.textContent =
    connection === 'replay'
      ? player === undefined
        ? 'Play'
        : 'Pause'
      : moment === null
        ? 'Pause'
        : 'Go live';
  const notes: string[] = [];
  if (hello?.attachedAt !== undefined) notes.push(`attached at ${clock(hello.attachedAt).slice(0, 8)}`);
  if (model.notShown > 0) notes.push(`${model.notShown} actors are not shown: there are too many.`);
  byId('note').textContent = notes.join(' · ');
}

const showTree = throttled(() => tree.update(), TREE_INTERVAL);
const showList = throttled(() => {
  list.update();
  sequence.update();
}, 50);
const showChart = throttled(() => chart.update());
const updateHeader = throttled(showHeader, 50);

function showAll(): void {
  showTree();
  showList();
  showChart();
  updateHeader();
}

/** Shows the moment of an entry; null shows the present. */
function goTo(seq: number | null): void {
  const { first, next } = model.timeline;
  model.moment = seq === null || next === first ? null : Math.min(next - 1, Math.max(first, seq));
  showAll();
  requestAnimationFrame(() => list.reveal());
}

/** Moves to a next or previous listed entry. */
function step(direction: 1 | -1, by = 1): void {
  stopPlaying();
  const current = model.moment ?? model.timeline.next - 1;
  const way =
    direction > 0
      ? list.matching.filter((seq) => seq > current)
      : list.matching.filter((seq) => seq < current).reverse();
  const found = way[Math.min(by, way.length) - 1];
  if (found !== undefined) selectEntry(found);
}

// --- replay

let player: ReturnType<typeof setTimeout> | undefined;
let speed = 1;

function play(): void {
  const { timeline } = model;
  if (model.moment === null || model.moment >= timeline.next - 1) model.moment = timeline.first;
  const next = () => {
    const now = timeline.get(model.moment ?? 0);
    const following = timeline.get((model.moment ?? 0) + 1);
    if (now === undefined || following === undefined) {
      stopPlaying();
      showAll();
      return;
    }
    player = setTimeout(
      () => {
        goTo(following.seq);
        next();
      },
      Math.min(MAX_REPLAY_PAUSE, Math.max(0, following.time - now.time)) / speed,
    );
  };
  next();
  showAll();
}

function stopPlaying(): void {
  clearTimeout(player);
  player = undefined;
}

// --- controls

scrub.addEventListener('input', () => {
  stopPlaying();
  goTo(Number(scrub.value));
});
pauseButton.addEventListener('click', togglePause);
byId('back').addEventListener('click', () => step(-1));
byId('forward').addEventListener('click', () => step(1));
byId('speed').addEventListener('click', () => {
  speed = SPEEDS[(SPEEDS.indexOf(speed) + 1) % SPEEDS.length] ?? 1;
  byId('speed').textContent = `×${speed}`;
});
byId('save').addEventListener('click', save);
for (const id of ['filter', 'only-selected', 'show-tasks', 'show-ignored']) {
  byId(id).addEventListener('input', showAll);
}
byId('show-compare').addEventListener('click', () => compare.open());
byId('show-help').addEventListener('click', openHelp);
byId('view-chart').addEventListener('click', () => showView('chart'));
byId('view-sequence').addEventListener('click', () => showView('sequence'));
for (const pane of PANES) byId(`pane-${pane}`).addEventListener('click', () => showPane(pane));

/** The panes of a narrow screen, which shows one of them. */
function showPane(pane: (typeof PANES)[number]): void {
  const changed = document.body.dataset.pane !== pane;
  document.body.dataset.pane = pane;
  for (const other of PANES) byId(`pane-${other}`).setAttribute('aria-pressed', String(other === pane));
  showAll();
  requestAnimationFrame(() => {
    list.reveal();
    // A chart that was visible already keeps its zoom and its position.
    if (changed && pane === 'chart') chart.resized();
  });
}

function showView(view: 'chart' | 'sequence'): void {
  document.body.dataset.view = view;
  for (const other of ['chart', 'sequence'] as const) {
    byId(`view-${other}`).setAttribute('aria-pressed', String(other === view));
  }
  byId('stage').hidden = view !== 'chart';
  byId('sequence').hidden = view !== 'sequence';
  if (view === 'sequence') chart.closeDetails();
  showAll();
}

function openHelp(): void {
  byId<HTMLDialogElement>('help').showModal();
}

function leave(): void {
  const filter = byId<HTMLInputElement>('filter');
  if (chart.details.isOpen) chart.closeDetails();
  else if (document.activeElement === filter) {
    if (filter.value === '') filter.blur();
    filter.value = '';
    filter.dispatchEvent(new Event('input'));
  } else if (model.moment !== null && model.connection === 'live') goTo(null);
}

function focusOn(id: string, pane: (typeof PANES)[number]): void {
  showPane(pane);
  if (id === 'stage') showView('chart');
  if (id === 'sequence') showView('sequence');
  byId(id).focus();
}

listenForKeys([
  { keys: [' '], shown: 'Space', does: 'pause, go live; in a replay play and pause', run: togglePause },
  { keys: ['ArrowLeft', 'ArrowUp', 'k'], shown: '← ↑', does: 'previous step', run: () => step(-1) },
  { keys: ['ArrowRight', 'ArrowDown', 'j'], shown: '→ ↓', does: 'next step', run: () => step(1) },
  { keys: ['PageUp'], shown: 'Page ↑', does: 'ten steps back', run: () => step(-1, 10) },
  { keys: ['PageDown'], shown: 'Page ↓', does: 'ten steps on', run: () => step(1, 10) },
  { keys: ['Home'], shown: 'Home', does: 'first step', run: () => step(-1, Number.POSITIVE_INFINITY) },
  { keys: ['End'], shown: 'End', does: 'last step', run: () => step(1, Number.POSITIVE_INFINITY) },
  { keys: ['/'], shown: '/', does: 'filter the timeline', run: () => focusOn('filter', 'timeline') },
  {
    keys: ['a'],
    shown: 'a',
    does: 'search the actors',
    run: () => focusOn('tree-search', 'actors'),
  },
  {
    keys: ['g'],
    shown: 'g',
    does: 'the chart',
    run: () => focusOn('stage', 'chart'),
  },
  {
    keys: ['s'],
    shown: 's',
    does: 'the sequence of steps between actors',
    run: () => focusOn('sequence', 'chart'),
  },
  { keys: ['+', '='], shown: '+', does: 'zoom in', run: () => chart.canvas.zoomBy(1.25) },
  { keys: ['-'], shown: '−', does: 'zoom out', run: () => chart.canvas.zoomBy(0.8) },
  { keys: ['0'], shown: '0', does: 'fit the chart to the window', run: () => chart.canvas.fit() },
  { keys: ['c'], shown: 'c', does: 'compare saved timelines', run: () => compare.open() },
  { keys: ['?'], shown: '?', does: 'this help', run: openHelp },
  { keys: ['Escape'], shown: 'Esc', does: 'close a description, clear the filter, go live', run: leave },
]);

function togglePause(): void {
  if (model.connection === 'replay') {
    if (player === undefined) play();
    else stopPlaying();
    showAll();
  } else goTo(model.moment === null ? model.timeline.next - 1 : null);
}

function save(): void {
  const blob = new Blob([JSON.stringify(model.save())], { type: 'application/json' });
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = `rc-engine-timeline-${new Date().toISOString().slice(0, 19).replaceAll(':', '')}.json`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// --- the socket

function connect(): void {
  const socket = openTimeline();
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    model.receive(message);
    if (message.type === 'hello') document.body.dataset.mode = message.mode;
    if (message.type === 'caughtUp') selectInitialActor();
    showAll();
  });
  socket.addEventListener('close', ({ code, reason }) => {
    if (model.connection === 'replay' && model.caughtUp) return;
    model.connection = 'lost';
    model.problem =
      reason !== ''
        ? reason
        : code === 1006 && model.hello === undefined
          ? 'refused: open the link that rc-engine printed'
          : 'disconnected: the engine is not running';
    if (model.moment === null && model.timeline.next > model.timeline.first)
      model.moment = model.timeline.next - 1;
    showAll();
  });
}

/** Selects the chart of remote control, or else the first actor. A replay opens at its last entry. */
function selectInitialActor(): void {
  const running = [...model.actorStates.values()];
  model.selected ??=
    (
      running.find(({ actor }) => actor.chart === 'remoteControl') ??
      running.find(({ actor }) => actor.chart !== null && data.charts[actor.chart] !== undefined)
    )?.actor.id ?? null;
  if (model.connection !== 'replay') return;
  if (model.selected === null) {
    const { timeline } = model;
    const born = timeline.slice(timeline.first, timeline.next).flatMap((entry) => entry.born ?? []);
    model.selected = (born.find(({ chart: name }) => name === 'remoteControl') ?? born[0])?.id ?? null;
  }
  goTo(model.timeline.next - 1);
}

showPane('chart');
showView('chart');
setInterval(() => {
  if (model.moment !== null || model.connection !== 'live') return;
  showChart();
  updateHeader();
}, 500);
addEventListener('resize', showAll);
connect();
