/** The moments of a story as rows of a picture: who says what to whom, and where each chart moves. */
import { ACTIONS, PARTIES, type Party, TASKS } from './cast.js';
import type { AnyMoment, Moved } from './moments.js';
import type { Act, Played } from './story.js';

/** A party, or `chart:NAME`. */
export type Lane = Party | `chart:${string}`;

interface At {
  /** Since the start of the story, ms. */
  readonly at: number;
}

export interface ArrowRow extends At {
  readonly kind: 'arrow';
  readonly from: Lane;
  readonly to: Lane;
  readonly words: string;
  /** It answers a question. */
  readonly isAnswer: boolean;
}

export interface StateRow extends At {
  readonly kind: 'state';
  readonly lane: Lane;
  /** The states that are new, without the name of the chart. */
  readonly states: readonly string[];
  /** Null: it is the same as before. */
  readonly reason: string | null;
  /** It is a chart inside the chart. */
  readonly isInner: boolean;
}

export interface PauseRow extends At {
  readonly kind: 'pause';
  readonly lane: Lane;
  readonly words: string;
}

export type Row = ArrowRow | StateRow | PauseRow;

/** From left to right. */
const ORDER: readonly Lane[] = [
  ...(['engine', 'person', 'client', 'browser', 'listener'] as const),
  ...(['chart:websocketAuth', 'chart:listenerConnection', 'accountFile'] as const),
  ...([
    'chart:accountTokens',
    'issuer',
    'chart:account',
    'chart:authRecovery',
    'chart:remoteControl',
    'store',
  ] as const),
  ...(['chart:appServer', 'appServer', 'backend', 'controllers'] as const),
];

export const laneName = (lane: Lane): string =>
  lane.startsWith('chart:') ? lane.slice('chart:'.length) : PARTIES[lane as Party];

const ofChart = (chart: string): Lane => `chart:${chart}`;

export function rowsOf({ stage, acts, from }: Played): Row[] {
  const begun = stage.moments[from]?.at ?? 0;
  const actAt = new Map(acts.map(({ act, from: index }) => [index, act]));
  const last = new Map<string, Moved>();
  const moved = new Map<string, number>();
  const rows: Row[] = [];
  for (const [index, moment] of stage.moments.entries()) {
    const act = actAt.get(index);
    // A chart that starts once more has no state before.
    const before = act?.kind === 'start' ? undefined : last.get(placeOf(moment));
    if (moment.kind === 'moved') {
      last.set(placeOf(moment), moment);
      moved.set(moment.chart, (moved.get(moment.chart) ?? 0) + 1);
    }
    if (index < from) continue;
    const at = moment.at - begun;
    // What a chart does in its first state, for example to close clients when none are connected, is left out.
    if (moment.kind === 'acted' && moved.get(moment.chart) === 1) continue;
    for (const row of rowOf(moment, act, before)) rows.push({ ...row, at } as Row);
  }
  return rows;
}

/** The lanes of the rows, from left to right. */
export function lanesOf(rows: readonly Row[]): Lane[] {
  const used = new Set<Lane>(rows.flatMap((row) => (row.kind === 'arrow' ? [row.from, row.to] : [row.lane])));
  return [...ORDER.filter((lane) => used.has(lane)), ...[...used].filter((lane) => !ORDER.includes(lane))];
}

type Bare = Omit<ArrowRow, 'at'> | Omit<StateRow, 'at'> | Omit<PauseRow, 'at'>;

function rowOf(moment: AnyMoment, act: Act | undefined, before: Moved | undefined): Bare[] {
  const lane = ofChart(moment.chart);
  switch (moment.kind) {
    case 'asked': {
      const { to, words } = taskOf(moment.chart, moment.src);
      return words === '' ? [] : [arrow(lane, to, words)];
    }
    case 'answered': {
      const { to, words: question } = taskOf(moment.chart, moment.src);
      if (question === '') return [];
      const words = act?.kind === 'answer' ? act.words : (moment.outcome ?? 'done');
      return [{ ...arrow(to, lane, words), isAnswer: true }];
    }
    case 'received':
      return receivedRows(moment, lane, act);
    case 'commanded':
      return [arrow(lane, taskOf(moment.chart, moment.src).to, moment.event.toLowerCase())];
    case 'acted': {
      const task = ACTIONS[`${moment.chart}.${moment.action}`];
      if (task === undefined) return [];
      return [arrow(lane, laneOf(task.party), [task.words, ...moment.params].join(' '))];
    }
    case 'waited':
      return [{ kind: 'pause', lane, words: `${seconds(moment.ms)} later: ${moment.delay}` }];
    case 'moved':
      return [
        ...(act?.kind === 'start' && act.from !== undefined ? [arrow(act.from, lane, act.words ?? '')] : []),
        stateRow(moment, lane, before),
      ];
  }
}

function receivedRows(
  { chart, event, from, by }: Extract<AnyMoment, { kind: 'received' }>,
  lane: Lane,
  act: Act | undefined,
): Bare[] {
  if (act?.kind === 'send') return [arrow(act.from, lane, act.words)];
  if (act?.kind === 'report' && from !== null) return [arrow(taskOf(chart, from.src).to, lane, act.words)];
  if (act?.kind === 'verdict') return [arrow('chart:websocketAuth', lane, event.toLowerCase())];
  // What one chart asks of another is an arrow already.
  if (by === null || event !== 'AUTH.CHANGED') return [];
  return [arrow(ofChart(by), lane, 'the account has changed')];
}

function stateRow({ definition, chart, states, reason }: Moved, lane: Lane, before: Moved | undefined): Bare {
  const known = new Set(before?.states);
  return {
    kind: 'state',
    lane,
    states: states
      .filter((id) => !known.has(id))
      .map((id) => `${definition === chart ? '' : `${definition}: `}${id.slice(definition.length + 1)}`),
    reason: reason === before?.reason ? null : reason,
    isInner: definition !== chart,
  };
}

const arrow = (from: Lane, to: Lane, words: string): Omit<ArrowRow, 'at'> => ({
  ...{ kind: 'arrow', from, to, words, isAnswer: false },
});

/** @throws Error for an actor that `TASKS` does not explain: a reader could not know what it stands for. */
function taskOf(chart: string, src: string): { readonly to: Lane; readonly words: string } {
  const task = TASKS[`${chart}.${src}`];
  if (task === undefined)
    throw new Error(`src/stories/cast.ts does not say what ${chart}.${src} stands for.`);
  return { to: laneOf(task.party), words: task.words };
}

const laneOf = (party: Party | { readonly chart: string }): Lane =>
  typeof party === 'string' ? party : ofChart(party.chart);

const placeOf = (moment: AnyMoment): string =>
  moment.kind === 'moved' ? `${moment.chart} ${moment.definition}` : '';

export const seconds = (ms: number): string => `${Number((ms / 1_000).toFixed(2))} s`;
