/** Runs a recorded history through charts and compares what they decide. */
import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { statePath } from '../protocol/decision.js';
import { shortEffect } from '../recorder/effect-words.js';
import { factsOf, type RecordedParts } from '../recorder/facts.js';
import type {
  HistoryRecord,
  RecordedTime,
  StartRecord,
  StateRecord,
  StepRecord,
} from '../recorder/format.js';
import { type Move, type Position, PureMachine } from './pure-machine.js';

/** One step of a replay. */
export interface ReplayedStep {
  /** The id of the decision. */
  readonly id: string;
  /** Wall-clock ms. */
  readonly at: number;
  readonly chart: string;
  readonly event: string;
  /** Path of the state afterwards. */
  readonly state: string;
  /** The reason of a new decision; null: none. */
  readonly reason: string | null;
  /** What the chart did besides assignments. */
  readonly effects: readonly string[];
}

/** The first step at which the charts decide differently. */
export interface ReplayDifference {
  readonly id: string;
  /** Wall-clock ms. */
  readonly at: number;
  readonly chart: string;
  readonly event: string;
  readonly what: 'chart' | 'state' | 'status' | 'reason' | 'effects' | 'random numbers' | 'error';
  /** As recorded. */
  readonly expected: string;
  /** By the charts of this replay. */
  readonly actual: string;
}

/** The result of `replayHistory`. */
export interface Replay {
  readonly steps: readonly ReplayedStep[];
  /** Null: the charts decide as recorded. */
  readonly difference: ReplayDifference | null;
  /** Steps that could not be replayed, because the beginning of their chart is not in the recording. */
  readonly skipped: number;
}

/** Options of `replayHistory`. */
export interface ReplayOptions {
  /** Stop before the first step behind this id, or behind this wall-clock time in ms. Default: the end. */
  readonly until?: string | number;
  /** Only this chart. Default: all. */
  readonly chart?: string;
}

interface Running {
  readonly chart: string;
  readonly machine: PureMachine;
  position: Position;
}

/** The clock of the charts in a replay: each step has the time and the random numbers of its record. */
class RecordedEnv {
  at: RecordedTime = [0, 0];
  #random: readonly number[] = [];
  drawn = 0;

  begin(at: RecordedTime, random: readonly number[]): void {
    this.at = at;
    this.#random = random;
    this.drawn = 0;
  }

  readonly now = (): number => this.at[0];
  readonly monotonic = (): number => this.at[1];
  readonly random = (): number => {
    this.drawn += 1;
    return this.#random[this.drawn - 1] ?? 0.5;
  };
}

/**
 * Replays the records of one start of an engine: each chart gets the events of the recording, in order, with their time and
 * their random numbers. It stops at the first step whose state, reason or effects are other ones than recorded.
 *
 * @param machines charts, whatever their names: each is found by its id
 * @example replayHistory(charts, records).difference // null: they decide as recorded
 */
export function replayHistory(
  machines: Readonly<Record<string, unknown>>,
  records: readonly HistoryRecord[],
  options: ReplayOptions = {},
): Replay {
  const replay = new HistoryReplay(machines, options);
  for (const record of records) if (!replay.take(record)) break;
  return replay.result;
}

class HistoryReplay {
  readonly #machines: ReadonlyMap<string, AnyStateMachine>;
  readonly #options: ReplayOptions;
  readonly #env = new RecordedEnv();
  #parts: RecordedParts = { env: this.#env, timing: {} };
  /** By the number of the actor, which is unique in one start of an engine. */
  readonly #running = new Map<number, Running>();
  #boot = '';
  readonly #steps: ReplayedStep[] = [];
  #difference: ReplayDifference | null = null;
  #skipped = 0;

  constructor(machines: Readonly<Record<string, unknown>>, options: ReplayOptions) {
    this.#machines = new Map(
      Object.values(machines)
        .filter(isMachine)
        .map((one) => [one.id, one]),
    );
    this.#options = options;
  }

  get result(): Replay {
    // A step is recorded after those that it caused.
    const steps = [...this.#steps].sort((a, b) => (a.id < b.id ? -1 : 1));
    return { steps, difference: this.#difference, skipped: this.#skipped };
  }

  /** @returns false: the replay is over */
  take(record: HistoryRecord): boolean {
    switch (record.record) {
      case 'segment':
        if (record.boot !== this.#boot) this.#running.clear();
        this.#boot = record.boot;
        this.#parts = { env: this.#env, timing: record.timing };
        return true;
      case 'gap':
        // What happened meanwhile is not known; the states follow.
        this.#running.clear();
        return true;
      case 'repeat':
        return true;
      case 'state':
        this.#restore(record);
        return true;
      case 'start':
        return (
          this.#isAfterEnd(record) || this.#guarded(record, record.chart, 'start', () => this.#start(record))
        );
      case 'step': {
        const running = this.#running.get(record.actor);
        if (running === undefined) {
          this.#skipped += 1;
          return true;
        }
        const { type } = record.event;
        return (
          this.#isAfterEnd(record) ||
          this.#guarded(record, running.chart, type, () => this.#step(running, record))
        );
      }
      case 'verdict': {
        const { id, at, chart, facts, outcome, reason } = record;
        if (this.#isAfterEnd(record) || !this.#isWanted(chart)) return true;
        return this.#guarded({ id, at }, chart, 'upgrade', () => {
          const machine = this.#machines.get(chart);
          if (machine === undefined) return { what: 'chart', expected: chart, actual: 'no such chart' };
          const { output } = new PureMachine(machine, factsOf(facts, this.#parts)).begin().position.snapshot;
          const found: object = typeof output === 'object' && output !== null ? output : {};
          const words = (one: object) =>
            `${'outcome' in one ? String(one.outcome) : ''} (${'reason' in one ? String(one.reason) : ''})`;
          this.#add({ id, at }, chart, 'upgrade', { state: outcome, reason, effects: [] });
          const expected = words({ outcome, reason });
          const actual = words(found);
          return expected === actual ? undefined : { what: 'state', expected, actual };
        });
      }
    }
  }

  #isWanted(chart: string): boolean {
    return this.#options.chart === undefined || this.#options.chart === chart;
  }

  /** A step that is recorded later may have begun before: it is left out, and the replay continues. */
  #isAfterEnd({ id, at }: { readonly id: string; readonly at: RecordedTime }): boolean {
    const { until } = this.#options;
    return until !== undefined && (typeof until === 'number' ? at[0] > until : id > until);
  }

  #restore({ actor, chart, value, context, children }: StateRecord): void {
    const machine = this.#machines.get(chart);
    if (this.#running.has(actor) || machine === undefined || !this.#isWanted(chart)) return;
    const pure = new PureMachine(machine, undefined);
    const position = pure.restore(value, factsOf(context, this.#parts), children);
    this.#running.set(actor, { chart, machine: pure, position });
  }

  #start(record: StartRecord): Found | undefined {
    const { actor, chart } = record;
    if (!this.#isWanted(chart)) return undefined;
    const machine = this.#machines.get(chart);
    if (machine === undefined) return { what: 'chart', expected: chart, actual: 'no such chart' };
    this.#env.begin(record.at, record.random ?? []);
    const pure = new PureMachine(machine, factsOf(record.input, this.#parts));
    const move = pure.begin();
    this.#running.set(actor, { chart, machine: pure, position: move.position });
    return this.#compare(record, chart, 'start', undefined, move);
  }

  #step(running: Running, record: StepRecord): Found | undefined {
    const { chart, machine, position } = running;
    this.#env.begin(record.at, record.random ?? []);
    const event = factsOf(record.event, this.#parts) as StepRecord['event'];
    const move = machine.react(position, event);
    running.position = move.position;
    if (record.status !== undefined) this.#running.delete(record.actor);
    const found = this.#compare(record, chart, event.type, position.snapshot, move);
    const draws = record.random?.length ?? 0;
    if (found !== undefined || this.#env.drawn === draws) return found;
    return { what: 'random numbers', expected: String(draws), actual: String(this.#env.drawn) };
  }

  #compare(
    record: StartRecord | StepRecord,
    chart: string,
    event: string,
    before: AnyMachineSnapshot | undefined,
    { position: { snapshot }, effects }: Move,
  ): Found | undefined {
    const words = effects.map(shortEffect);
    const state = statePath(snapshot.value);
    const reason = newReason(before, snapshot) ?? null;
    this.#add(record, chart, event, { state, reason, effects: words });
    const pairs: readonly (readonly [ReplayDifference['what'], string, string])[] = [
      ['state', statePath('value' in record ? record.value : before?.value), state],
      ['status', record.status ?? 'active', snapshot.status],
      ['reason', record.reason ?? 'no new decision', reason ?? 'no new decision'],
      ['effects', effectText(record.effects ?? []), effectText(words)],
    ];
    // A chart without an actor does nothing when it begins, and what an end stops is not recorded.
    const withoutEffects = event === 'xstate.stop' || (record.record === 'start' && isShared(chart));
    const found = pairs.find(
      ([what, expected, actual]) => expected !== actual && !(what === 'effects' && withoutEffects),
    );
    return found === undefined ? undefined : { what: found[0], expected: found[1], actual: found[2] };
  }

  #add(
    { id, at }: { readonly id: string; readonly at: RecordedTime },
    chart: string,
    event: string,
    result: Pick<ReplayedStep, 'state' | 'reason' | 'effects'>,
  ): void {
    this.#steps.push({ id, at: at[0], chart, event, ...result });
  }

  #guarded(
    { id, at }: { readonly id: string; readonly at: RecordedTime },
    chart: string,
    event: string,
    work: () => Found | undefined,
  ): boolean {
    let found: Found | undefined;
    try {
      found = work();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      found = { what: 'error', expected: 'no error', actual: message };
    }
    if (found === undefined) return true;
    this.#difference = { id, at: at[0], chart, event, ...found };
    return false;
  }
}

type Found = Pick<ReplayDifference, 'what' | 'expected' | 'actual'>;

const effectText = (effects: readonly string[]): string =>
  effects.length === 0 ? 'none' : effects.join(', ');

/** Charts that thousands of connections share; they have no actor of their own. */
const isShared = (chart: string): boolean => chart === 'clientSession' || chart === 'listenerConnection';

function newReason(before: AnyMachineSnapshot | undefined, after: AnyMachineSnapshot): string | undefined {
  const decision = decisionOf(after);
  if (decision === undefined || (before !== undefined && decision === decisionOf(before))) return undefined;
  return String(decision.reason);
}

function decisionOf({ context }: AnyMachineSnapshot): { readonly reason: unknown } | undefined {
  const { decision }: { decision?: unknown } = typeof context === 'object' ? (context ?? {}) : {};
  return typeof decision === 'object' && decision !== null && 'reason' in decision ? decision : undefined;
}

function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && 'root' in value && 'states' in value && 'id' in value;
}
