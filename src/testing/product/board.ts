/** One situation of charts that run together, executed step by step without actors, so that a search can branch. */
import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import type { Position } from '../pure-machine.js';
import {
  type ActionCall,
  answerRequest,
  type Board,
  type Op,
  type Request,
  settleCharts,
  type View,
  type Wiring,
} from '../wiring.js';
import { ChartRunner, type RunnerMove } from './chart-runner.js';

/** The charts that may run, and how they answer each other. */
export class Charts {
  readonly wiring: Wiring;
  readonly #runners: ReadonlyMap<string, ChartRunner>;

  constructor(
    machines: Readonly<Record<string, AnyStateMachine>>,
    wiring: Wiring,
    setTime: (ms: number) => void,
  ) {
    this.wiring = wiring;
    this.#runners = new Map(
      Object.entries(machines).map(([name, machine]) => [name, new ChartRunner(machine, setTime)]),
    );
  }

  runner(name: string): ChartRunner {
    const found = this.#runners.get(name);
    if (found === undefined) throw new Error(`There is no chart ${name}.`);
    return found;
  }
}

/** Where all charts are. It does not change. */
export interface Situation {
  /** Simulated time, ms. */
  readonly now: number;
  readonly positions: ReadonlyMap<string, Position>;
  readonly notes: ReadonlyMap<string, string>;
}

export const NOTHING_RUNS: Situation = { now: 0, positions: new Map(), notes: new Map() };

/** What one chart did in a step. */
export interface ChartStep {
  readonly chart: string;
  readonly event: string;
  readonly move: RunnerMove;
}

/** What an act from outside may do: with a situation of a search, or with running actors. */
export interface Performer extends View {
  send(chart: string, event: EventObject): void;
  answer(request: Request, output: unknown): void;
  /** Without what follows from it; `settle` does that. */
  perform(op: Op): void;
  settle(): void;
  /** The next delay of any chart ends. */
  elapse(): void;
  pass(ms: number): void;
}

const BEGUN = 'begun ';

/** A situation that changes: one act, and all that follows from it without anything from outside. */
export class ProductBoard implements Board, Performer {
  readonly steps: ChartStep[] = [];
  readonly #charts: Charts;
  readonly #positions: Map<string, Position>;
  readonly #notes: Map<string, string>;
  #now: number;
  #calls: (ActionCall & { readonly chart: string; readonly action: string })[] = [];
  #abandoned: Request[] = [];

  constructor(charts: Charts, { now, positions, notes }: Situation) {
    this.#charts = charts;
    this.#now = now;
    this.#positions = new Map(positions);
    this.#notes = new Map(notes);
  }

  get situation(): Situation {
    return { now: this.#now, positions: this.#positions, notes: this.#notes };
  }

  // --- what happens from outside

  /** Lets the charts answer each other. */
  settle(): void {
    settleCharts(this, this.#charts.wiring);
  }

  answer(request: Request, output: unknown): void {
    answerRequest(this, this.#charts.wiring, request, output);
    this.settle();
  }

  send(chart: string, event: EventObject): void {
    this.perform({ kind: 'send', chart, event });
    this.settle();
  }

  /** The next delay of any chart ends. */
  elapse(): void {
    const next = nextDelay(this.situation);
    if (next === undefined) throw new Error('No delay is running.');
    const position = this.#positions.get(next.chart);
    if (position === undefined) return;
    this.#now = Math.max(next.due, this.#now);
    const event = position.timers.map((timer) => timer.event.type)[0] ?? '';
    this.#moved(next.chart, { type: event }, this.#charts.runner(next.chart).elapse(position));
    this.settle();
  }

  /** Time passes, shorter than the next delay. */
  pass(ms: number): void {
    this.#now += ms;
  }

  // --- Board

  snapshot(chart: string): AnyMachineSnapshot | undefined {
    return this.#positions.get(chart)?.snapshot;
  }

  requests(): readonly Request[] {
    return [...this.#positions].flatMap(([chart, position]) => requestsOf(chart, position));
  }

  note(name: string): string | undefined {
    return this.#notes.get(name);
  }

  setNote(name: string, value: string | undefined): void {
    if (value === undefined) this.#notes.delete(name);
    else this.#notes.set(name, value);
  }

  takeCalls() {
    const calls = this.#calls;
    this.#calls = [];
    return calls;
  }

  takeAbandoned(): readonly Request[] {
    const gone = this.#abandoned;
    this.#abandoned = [];
    return gone;
  }

  isBegun({ chart, id }: Request): boolean {
    return this.#notes.has(`${BEGUN}${chart}.${id}`);
  }

  markBegun({ chart, id }: Request): void {
    this.#notes.set(`${BEGUN}${chart}.${id}`, '');
  }

  perform(op: Op): void {
    if (op.kind === 'note') this.setNote(op.name, op.value);
    else if (op.kind === 'stop') this.#stop(op.chart);
    else if (op.kind === 'start') {
      this.#stop(op.chart);
      this.#moved(
        op.chart,
        { type: 'xstate.init' },
        this.#charts.runner(op.chart).start(this.#now, op.input),
      );
    } else this.#take(op.chart, op.event);
  }

  end({ chart, id }: Request, output: unknown): void {
    this.#notes.delete(`${BEGUN}${chart}.${id}`);
    this.#take(chart, { type: `xstate.done.actor.${id}`, output, actorId: id } as EventObject);
  }

  #stop(chart: string): void {
    const position = this.#positions.get(chart);
    if (position === undefined) return;
    for (const request of requestsOf(chart, position)) this.#abandon(request);
    this.#positions.delete(chart);
  }

  #abandon(request: Request): void {
    if (!this.isBegun(request)) return;
    this.#notes.delete(`${BEGUN}${request.chart}.${request.id}`);
    this.#abandoned.push(request);
  }

  #take(chart: string, event: EventObject): void {
    const position = this.#positions.get(chart);
    if (position === undefined || position.snapshot.status !== 'active') return;
    this.#moved(chart, event, this.#charts.runner(chart).take({ ...position, now: this.#now }, event));
  }

  #moved(chart: string, event: EventObject, move: RunnerMove): void {
    const before = this.#positions.get(chart);
    const requests = before === undefined ? [] : requestsOf(chart, before);
    this.#positions.set(chart, move.position);
    if (move.position.snapshot.status === 'error') throw move.position.snapshot.error;
    this.steps.push({ chart, event: event.type, move });
    const started = new Set(move.effects.flatMap(({ kind, name }) => (kind === 'start' ? [name] : [])));
    const open = new Set(requestsOf(chart, move.position).map(({ id }) => id));
    for (const request of requests)
      if (!open.has(request.id) || started.has(request.id)) this.#abandon(request);
    const { context } = move.position.snapshot;
    for (const { kind, name } of move.effects)
      if (kind === 'action') this.#calls.push({ chart, action: name, context, event });
  }
}

/** The actors of a chart that have not ended. */
export function requestsOf(chart: string, { snapshot }: Position): Request[] {
  if (snapshot.status !== 'active') return [];
  return snapshot._nodes.flatMap((node) =>
    node.invoke.flatMap(({ id, src }): Request[] => {
      const ref = (snapshot.children as Readonly<Record<string, AnyActorRef | undefined>>)[id];
      if (ref === undefined) return [];
      const { options } = ref as unknown as { readonly options?: { readonly input?: unknown } };
      return [{ chart, id, src: typeof src === 'string' ? src : id, input: options?.input }];
    }),
  );
}

/** The chart whose delay ends next. */
export function nextDelay({
  positions,
}: Situation): { readonly chart: string; readonly due: number } | undefined {
  let next: { readonly chart: string; readonly due: number } | undefined;
  for (const [chart, { timers, snapshot }] of positions) {
    const [first] = timers;
    if (first === undefined || snapshot.status !== 'active') continue;
    if (next === undefined || first.due < next.due) next = { chart, due: first.due };
  }
  return next;
}
