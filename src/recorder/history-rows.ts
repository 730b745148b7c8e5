/** The history as rows for a person: one for each decision. */
import { statePath } from '../protocol/decision.js';
import { isReason, REASONS } from '../protocol/reasons.js';
import type { HistoryRecord, VerdictRecord } from './format.js';
import type { HistoryFile } from './read-history.js';

export interface HistoryRow {
  /** Undefined for what is no step of a chart. */
  readonly id?: string;
  /** The row is about several decisions: the id of the first one, and `id` is that of the last one. */
  readonly first?: string;
  /** Wall-clock ms. */
  readonly at: number;
  readonly chart: string;
  /** Path of the state afterwards. */
  readonly state: string;
  /** The state before; absent when it is the same or unknown. */
  readonly from?: string;
  readonly event: string;
  readonly reason?: string;
  /** What happened, in words. */
  readonly text: string;
  readonly effects: readonly string[];
  /** False: an input that led to no new decision. */
  readonly decided: boolean;
}

interface Known {
  readonly chart: string;
  value: unknown;
}

/** Makes rows of the records of one start of the engine, in the order of the files. */
export class RowMaker {
  readonly #actors = new Map<string, Known>();
  #boot = '';
  #seenBoots = new Set<string>();

  rows({ records }: Pick<HistoryFile, 'records'>): HistoryRow[] {
    return records.flatMap((record) => this.#rowsOf(record));
  }

  #rowsOf(record: HistoryRecord): HistoryRow[] {
    switch (record.record) {
      case 'segment': {
        this.#boot = record.boot;
        if (this.#seenBoots.has(record.boot)) return [];
        this.#seenBoots.add(record.boot);
        const text =
          record.segment === 1
            ? `rc-engine ${record.engine} started`
            : `rc-engine ${record.engine} runs; what was before is not in the history any more`;
        return [noteRow(record.at[0], 'engine', text)];
      }
      case 'state':
        this.#set(record.actor, record.chart, record.value);
        return [];
      case 'gap':
        return [noteRow(record.at[0], 'history', `${record.lost} lines were not written`)];
      case 'repeat': {
        const known = this.#get(record.actor);
        const text = `the last ${record.steps === 1 ? 'step' : `${record.steps} steps`} ${record.rounds} more times`;
        return [
          {
            ...noteRow(record.at[0], known?.chart ?? '', text),
            ...(record.id === undefined ? {} : { id: record.id }),
            ...(record.first === undefined ? {} : { first: record.first }),
            decided: false,
          },
        ];
      }
      case 'verdict':
        return [
          {
            ...{ id: record.id, at: record.at[0], chart: record.chart, state: record.outcome },
            ...(record.first === undefined ? {} : { first: record.first }),
            ...{ event: 'upgrade', reason: record.reason, text: verdictWords(record), effects: [] },
            decided: true,
          },
        ];
      case 'start':
        this.#set(record.actor, record.chart, record.value);
        return [this.#stepRow(record, record.chart, undefined, 'start')];
      case 'step': {
        const known = this.#get(record.actor);
        const before = known?.value;
        if (known !== undefined && 'value' in record) known.value = record.value;
        return [this.#stepRow(record, known?.chart ?? '?', before, record.event.type)];
      }
    }
  }

  #stepRow(
    record: Extract<HistoryRecord, { record: 'start' | 'step' }>,
    chart: string,
    before: unknown,
    event: string,
  ): HistoryRow {
    const state = statePath('value' in record ? record.value : before);
    const from = statePath(before);
    const { reason, detail, status } = record;
    const ended = status === undefined ? '' : status === 'done' ? 'ended' : `ended: ${status}`;
    return {
      ...{ id: record.id, at: record.at[0], chart, state, event: eventWords(event) },
      ...(from === '' || from === state ? {} : { from }),
      ...(reason === undefined ? {} : { reason }),
      text: detail ?? (reason === undefined ? ended : wordsOf(reason)),
      effects: record.effects ?? [],
      decided: reason !== undefined && !(event === 'start' && reason === 'starting'),
    };
  }

  #set(actor: number, chart: string, value: unknown): void {
    this.#actors.set(`${this.#boot} ${actor}`, { chart, value });
  }

  #get(actor: number): Known | undefined {
    return this.#actors.get(`${this.#boot} ${actor}`);
  }
}

const noteRow = (at: number, chart: string, text: string): HistoryRow => ({
  ...{ at, chart, state: '', event: '', text, effects: [], decided: true },
});

const verdictWords = ({ reason, times = 1 }: VerdictRecord): string =>
  times === 1 ? wordsOf(reason) : `${times} times: ${wordsOf(reason)}`;

const wordsOf = (reason: string): string => (isReason(reason) ? REASONS[reason].means : '');

/** `xstate.done.actor.dial` → `dial done` */
export function eventWords(type: string): string {
  const done = /^xstate\.(done|error)\.actor\.(.+)$/.exec(type);
  if (done !== null) return `${done[2] ?? ''} ${done[1] === 'done' ? 'done' : 'failed'}`;
  const after = /^xstate\.after\.([^.]+)\./.exec(type);
  if (after !== null) return `after ${after[1] ?? ''}`;
  return type.replace(/^xstate\./, '');
}

/** Whether the row shows the decision with this id. */
export const showsDecision = ({ id, first }: Pick<HistoryRow, 'id' | 'first'>, wanted: string): boolean =>
  id === wanted || (id !== undefined && first !== undefined && first <= wanted && wanted < id);

/**
 * The rows about the decision with this id: its own, or else those that count decisions from one before it to one after it.
 * These may be several, because ids are shared by all charts.
 */
export function rowsAbout(rows: readonly HistoryRow[], wanted: string): readonly HistoryRow[] {
  const own = rows.filter(({ id }) => id === wanted);
  return own.length > 0 ? own : rows.filter((row) => showsDecision(row, wanted));
}

/** Rows that repeat the one before them, as one row with a count. */
export function withoutRepeats(rows: readonly HistoryRow[]): { row: HistoryRow; count: number }[] {
  const found: { row: HistoryRow; count: number }[] = [];
  for (const row of rows) {
    const last = found.at(-1);
    if (last !== undefined && sameRow(last.row, row)) last.count += 1;
    else found.push({ row, count: 1 });
  }
  return found;
}

const sameRow = (a: HistoryRow, b: HistoryRow): boolean =>
  a.chart === b.chart && a.state === b.state && a.event === b.event && a.text === b.text;
