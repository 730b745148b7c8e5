import type { ServerMessage } from '../wire.js';
import { ChartView } from './chart-view.js';
import { byId, clock, throttled } from './dom.js';
import type { Facts } from './facts.js';
import { ListView } from './list-view.js';
import { Model } from './model.js';
import { TreeView } from './tree-view.js';

/** Frames of the tree a second, while much happens. */
const TREE_EVERY = 150;
const SPEEDS = [1, 4, 16, 64];
/** Longest pause of a replay, ms: nobody wants to sit out a night. */
const LONGEST_PAUSE = 2_000;

// The link works once: it need not stay in sight.
history.replaceState(null, '', '/');

const facts = JSON.parse(byId('facts').textContent ?? '{}') as Facts;
const model = new Model();
const chart = new ChartView(model, facts);
const list = new ListView(model, facts, (seq) => {
  const entry = model.timeline.get(seq);
  if (entry !== undefined && model.selected !== entry.actor) model.selected = shownActorOf(entry.actor, seq);
  goTo(seq);
});
const tree = new TreeView(model, (actor) => {
  model.selected = actor;
  showAll();
});
const scrub = byId<HTMLInputElement>('scrub');
const pauseButton = byId('pause');

/** A task has no chart: whoever started it does. */
function shownActorOf(actor: number, seq: number): number {
  const standing = model.timeline.standingAt(seq).get(actor);
  if (standing === undefined || standing.actor.kind !== 'task') return actor;
  return standing.actor.parent ?? actor;
}

function showHead(): void {
  const { connection, timeline, about, moment } = model;
  const status = byId('status');
  status.className = moment !== null && connection === 'live' ? 'paused' : connection;
  status.textContent = {
    connecting: 'connecting …',
    live: moment === null ? 'live' : 'looking back',
    replay: `replay of ${about?.file ?? ''}`,
    lost: model.trouble,
  }[connection];
  byId('version').textContent = about === undefined ? '' : `rc-engine ${about.engine}`;
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
  byId('note').textContent = model.notShown > 0 ? `${model.notShown} actors are not shown: too many.` : '';
}

const showTree = throttled(() => tree.update(), TREE_EVERY);
const showList = throttled(() => list.update(), 50);
const showChart = throttled(() => chart.update());
const showHeadSoon = throttled(showHead, 50);

function showAll(): void {
  showTree();
  showList();
  showChart();
  showHeadSoon();
}

/** Null: to the present. */
function goTo(seq: number | null): void {
  const { first, next } = model.timeline;
  model.moment = seq === null || next === first ? null : Math.min(next - 1, Math.max(first, seq));
  showAll();
  requestAnimationFrame(() => list.reveal());
}

/** To the next entry that is listed, or the one before. */
function step(by: 1 | -1): void {
  stopPlaying();
  const at = model.moment ?? model.timeline.next - 1;
  const found = by > 0 ? list.passing.find((seq) => seq > at) : list.passing.findLast((seq) => seq < at);
  if (found !== undefined) goTo(found);
}

// --- replaying

let player: ReturnType<typeof setTimeout> | undefined;
let speed = 1;

function play(): void {
  const { timeline } = model;
  if (model.moment === null || model.moment >= timeline.next - 1) model.moment = timeline.first;
  const next = () => {
    const now = timeline.get(model.moment ?? 0);
    const then = timeline.get((model.moment ?? 0) + 1);
    if (now === undefined || then === undefined) {
      stopPlaying();
      showAll();
      return;
    }
    player = setTimeout(
      () => {
        goTo(then.seq);
        next();
      },
      Math.min(LONGEST_PAUSE, Math.max(0, then.time - now.time)) / speed,
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
  const socket = new WebSocket(`ws://${location.host}/timeline`);
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as ServerMessage;
    model.receive(message);
    if (message.type === 'hello') document.body.dataset.mode = message.mode;
    if (message.type === 'caughtUp') begin();
    showAll();
  });
  socket.addEventListener('close', ({ code, reason }) => {
    if (model.connection === 'replay' && model.caughtUp) return;
    model.connection = 'lost';
    model.trouble =
      reason !== ''
        ? reason
        : code === 1006 && model.about === undefined
          ? 'refused: use the link again'
          : 'the engine is gone';
    if (model.moment === null && model.timeline.next > model.timeline.first)
      model.moment = model.timeline.next - 1;
    showAll();
  });
}

/** At first the chart that matters most is shown; a replay begins at its beginning. */
function begin(): void {
  const all = [...model.standings.values()];
  model.selected ??= (all.find(({ actor }) => actor.chart === 'remoteControl') ?? all[0])?.actor.id ?? null;
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
  showHeadSoon();
}, 500);
addEventListener('resize', showAll);
connect();
