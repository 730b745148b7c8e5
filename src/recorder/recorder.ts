import { join } from 'node:path';
import { SOURCE_HASHES } from '../../machines/shared/source-hashes.js';
import type { EngineLogger } from '../observe/logger.js';
import type { Timing } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import { errnoText } from '../system/errno.js';
import type { ChartStep, ChartSteps, FollowedChart, StepSink, UpgradeStep } from './chart-steps.js';
import { isOneOfMany } from './chart-steps.js';
import { EqualVerdicts } from './equal-verdicts.js';
import { FactWriter } from './facts.js';
import {
  type GapRecord,
  HISTORY_FORMAT,
  HISTORY_VERSION,
  type Lane,
  type Outcome,
  type RepeatRecord,
  type SegmentRecord,
  type StartRecord,
  type StateRecord,
  type StepRecord,
  type VerdictRecord,
} from './format.js';
import { Repetitions, type Written } from './repetitions.js';
import { SegmentWriter } from './segment-writer.js';

export interface RecorderOptions {
  readonly steps: ChartSteps;
  /** Directory of the files. */
  readonly directory: string;
  readonly installation: string;
  /** The delays of the engine. */
  readonly timing: Timing;
  /** Most bytes of all files together. */
  readonly maxBytes: number;
  /** Older files are deleted, ms. */
  readonly maxAge: number;
  readonly log: EngineLogger;
}

export interface RecorderTotals {
  readonly recorded: number;
  readonly dropped: number;
  /** The last write failed. */
  readonly failing: boolean;
}

const DIRECTORY = 'history';
export const historyDirectory = (home: string): string => join(home, DIRECTORY);

/** Part of the ring for the charts of connections. */
const CLIENTS_PART = 1 / 4;
/** Lines of connections that are recorded per second; a wave of clients must not fill the ring. */
const CLIENT_LINES = 200;
const SECOND = 1_000;

/**
 * The flight recorder: writes every input of the charts to a ring of files in the home. It never blocks the engine and never
 * makes it fail: what cannot be written is dropped and counted.
 */
export class FlightRecorder implements StepSink {
  readonly #options: RecorderOptions;
  readonly #facts: FactWriter;
  readonly #engine: SegmentWriter;
  readonly #clients: SegmentWriter;
  #recorded = 0;
  #limited = 0;
  #second = { from: 0, lines: 0, lost: 0 };
  readonly #verdicts = new EqualVerdicts((record) => this.#appendClient(record));
  readonly #repetitions = new WeakMap<FollowedChart, Repetitions>();

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#facts = new FactWriter(options.steps.env, options.timing);
    const { maxBytes } = options;
    this.#engine = this.#writer('engine', maxBytes * (1 - CLIENTS_PART));
    this.#clients = this.#writer('clients', maxBytes * CLIENTS_PART);
    options.steps.sink = this;
  }

  get totals(): RecorderTotals {
    return {
      recorded: this.#recorded,
      dropped: this.#engine.dropped + this.#clients.dropped + this.#limited + this.#second.lost,
      failing: this.#engine.failing || this.#clients.failing,
    };
  }

  step(step: ChartStep): void {
    const { chart } = step;
    const record = this.#recordOf(step);
    if (isOneOfMany(chart.chart)) {
      this.#appendClient(record);
      return;
    }
    let repetitions = this.#repetitions.get(chart);
    if (repetitions === undefined) {
      repetitions = new Repetitions();
      this.#repetitions.set(chart, repetitions);
    }
    const content = this.#facts.line({ ...record, id: '', at: 0 });
    this.#write(chart, repetitions.add(content, this.#facts.line(record), record.id));
    if (step.after.status !== 'active') this.#write(chart, repetitions.end());
  }

  upgrade({ id, at, verdict, facts }: UpgradeStep): void {
    const record: VerdictRecord = {
      ...{ record: 'verdict', id, at, chart: 'websocketAuth', facts: this.#facts.facts(facts) },
      ...{ outcome: verdict.outcome, reason: verdict.reason },
    };
    this.#verdicts.add(record);
  }

  async close(): Promise<void> {
    const { steps } = this.#options;
    for (const chart of steps.live) {
      const repetitions = this.#repetitions.get(chart);
      if (repetitions !== undefined) this.#write(chart, repetitions.end());
    }
    steps.sink = undefined;
    this.#verdicts.flush();
    this.#reportLimited();
    await Promise.all([this.#engine.close(), this.#clients.close()]);
  }

  #write(chart: FollowedChart, { repetition, lines }: Written): void {
    if (repetition !== undefined) {
      const record: RepeatRecord = {
        ...{ record: 'repeat', actor: chart.number, ...repetition },
        at: this.#options.steps.now(),
      };
      this.#append(this.#engine, record);
    }
    this.#recorded += lines.length;
    for (const line of lines) this.#engine.append(line);
  }

  #append(writer: SegmentWriter, record: object): void {
    this.#recorded += 1;
    writer.append(this.#facts.line(record));
  }

  #appendClient(record: object): void {
    const [, now] = this.#options.steps.now();
    if (now - this.#second.from >= SECOND) {
      this.#reportLimited();
      this.#second = { from: now, lines: 0, lost: 0 };
    }
    this.#second.lines += 1;
    if (this.#second.lines <= CLIENT_LINES) this.#append(this.#clients, record);
    else this.#second.lost += 1;
  }

  /** The history says how many lines it does not have. */
  #reportLimited(): void {
    const { lost } = this.#second;
    this.#second.lost = 0;
    if (lost === 0) return;
    this.#limited += lost;
    this.#append(this.#clients, { record: 'gap', lost, at: this.#options.steps.now() } satisfies GapRecord);
  }

  #recordOf({ id, chart, at, random, event, before, after, effects }: ChartStep): StartRecord | StepRecord {
    const step = {
      ...{ id, actor: chart.number, at },
      ...(random.length === 0 ? {} : { random }),
      ...outcomeOf(before, after, effects),
    };
    if (before !== undefined) {
      // What an event carries; without its type it is no event.
      const facts = this.#facts.facts(event);
      return { record: 'step', ...step, event: { ...(facts as object), type: event.type } };
    }
    return {
      ...{ record: 'start', ...step, chart: chart.chart, name: chart.name },
      ...(chart.parent === undefined ? {} : { parent: chart.parent }),
      input: this.#facts.facts(chart.input),
    };
  }

  #writer(lane: Lane, limit: number): SegmentWriter {
    const { steps, directory, maxAge, log } = this.#options;
    return new SegmentWriter({
      ...{ directory, lane, boot: steps.boot, limit, maxAge },
      head: (segment) => this.#facts.line(this.#head(lane, segment)),
      states: () =>
        lane === 'clients'
          ? []
          : steps.live.flatMap((chart) => this.#stateOf(chart)).map((record) => this.#facts.line(record)),
      gap: (lost) => this.#facts.line({ record: 'gap', lost, at: steps.now() } satisfies GapRecord),
      onFailure: (error) =>
        log.warn(
          { directory, error: errnoText(error) },
          'the history cannot be written; the engine runs without it: see rc-engine doctor',
        ),
      now: () => steps.now()[0],
      monotonic: () => steps.now()[1],
    });
  }

  #head(lane: Lane, segment: number): SegmentRecord {
    const { steps, installation } = this.#options;
    return {
      ...{ record: 'segment', format: HISTORY_FORMAT, version: HISTORY_VERSION, engine: VERSION },
      ...{ charts: SOURCE_HASHES, installation, boot: steps.boot, lane, segment, at: steps.now() },
      timing: this.#facts.facts(this.#options.timing),
    };
  }

  #stateOf({ number, chart, name, parent, snapshot }: FollowedChart): StateRecord[] {
    if (snapshot === undefined) return [];
    return [
      {
        ...{ record: 'state', actor: number, chart, name },
        ...(parent === undefined ? {} : { parent }),
        value: snapshot.value,
        context: this.#facts.facts(snapshot.context),
        children: Object.keys(snapshot.children),
      },
    ];
  }
}

/** The chart's part of a step that a replay compares. */
function outcomeOf(
  before: ChartStep['before'],
  after: ChartStep['after'],
  effects: readonly string[],
): Outcome {
  const decision = decisionOf(after);
  const isNew =
    decision !== undefined && decision !== (before === undefined ? undefined : decisionOf(before));
  return {
    ...(before !== undefined && sameValue(before.value, after.value) ? {} : { value: after.value }),
    ...(after.status === 'active' ? {} : { status: after.status }),
    ...(isNew ? { reason: String(decision.reason) } : {}),
    ...(isNew && typeof decision.detail === 'string' ? { detail: decision.detail } : {}),
    ...(effects.length === 0 ? {} : { effects }),
  };
}

const sameValue = (a: unknown, b: unknown): boolean => a === b || JSON.stringify(a) === JSON.stringify(b);

function decisionOf({ context }: ChartStep['after']): { reason: unknown; detail?: unknown } | undefined {
  const { decision }: { decision?: unknown } = typeof context === 'object' ? (context ?? {}) : {};
  return typeof decision === 'object' && decision !== null && 'reason' in decision ? decision : undefined;
}
