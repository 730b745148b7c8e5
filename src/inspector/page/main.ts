import type { ServerMessage } from '../wire.js';
import { ChartView } from './chart-view.js';
import { byId, clock, throttled } from './dom.js';
import { ListView } from './list-view.js';
import { Model, type PageData } from './model.js';
import { openTimeline } from './session.js';
import { TreeView } from './tree-view.js';

/** Least time between two updates of the tree, ms. */
const TREE_INTERVAL = 150;
const SPEEDS = [1, 4, 16, 64];
/** Longest pause between two entries of a replay, ms. */
const MAX_REPLAY_PAUSE = 2_000;

const data = JSON.parse(byId('data').textContent ?? '{}') as PageData;
const model = new Model();
const chart = new ChartView(model, data);
const list = new ListView(model, data, (seq) => {
  const entry = model.timeline.get(seq);
  if (entry !== undefined && model.selected !== entry.actor) model.selected = chartActorOf(entry.actor, seq);
  goTo(seq);
});
const tree = new TreeView(model, (actor) => {
  model.selected = actor;
  showAll();
});
const scrub = byId<HTMLInputElement>('scrub');
const pauseButton = byId('pause');

/** The actor whose chart is shown. A task has no chart, so its parent is shown instead. */
function chartActorOf(actor: number, seq: number): number {
  const actorState = model.timeline.actorStatesAt(seq).get(actor);
  if (actorState === undefined || actorState.actor.kind !== 'task') return actor;
  return actorState.actor.parent ?? actor;
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
const showList = throttled(() => list.update(), 50);
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

/** Moves to the next or the previous listed entry. */
function step(direction: 1 | -1): void {
  stopPlaying();
  const current = model.moment ?? model.timeline.next - 1;
  const found =
    direction > 0
      ? list.matching.find((seq) => seq > current)
      : list.matching.findLast((seq) => seq < current);
  if (found !== undefined) goTo(found);
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
document.addEventListener('keydown', (event) => {
  if (event.target instanceof HTMLInputElement && event.target.type !== 'range') return;
  if (event.key === ' ') togglePause();
  else if (event.key === 'ArrowLeft') step(-1);
  else if (event.key === 'ArrowRight') step(1);
  else return;
  event.preventDefault();
});

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
    (running.find(({ actor }) => actor.chart === 'remoteControl') ?? running[0])?.actor.id ?? null;
  if (model.connection !== 'replay') return;
  if (model.selected === null) {
    const { timeline } = model;
    const born = timeline.slice(timeline.first, timeline.next).flatMap((entry) => entry.born ?? []);
    model.selected = (born.find(({ chart: name }) => name === 'remoteControl') ?? born[0])?.id ?? null;
  }
  goTo(model.timeline.next - 1);
}

setInterval(() => {
  if (model.moment !== null || model.connection !== 'live') return;
  showChart();
  updateHeader();
}, 500);
addEventListener('resize', showAll);
connect();
