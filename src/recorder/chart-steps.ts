import type { AnyActorRef, AnyMachineSnapshot, AnyStateMachine, InspectionEvent } from 'xstate';
import { bootOf, decisionId, during, markDecision } from '../observe/decision-ids.js';
import type {
  Attachment,
  EngineWatcher,
  LinkOptions,
  TransitionWatch,
  WatchedEffect,
} from '../observe/watcher.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import { effectOf } from '../testing/effects.js';
import { shortEffect } from './effect-words.js';
import type { RecordedTime } from './format.js';

/** A chart that runs. */
export interface FollowedChart {
  readonly number: number;
  readonly chart: string;
  readonly name: string;
  /** Number of the actor that started it. */
  readonly parent: number | undefined;
  readonly input: unknown;
  /** After its last step. */
  snapshot: AnyMachineSnapshot | undefined;
}

/** One step of a chart: an event, and what it led to. */
export interface ChartStep {
  readonly id: string;
  readonly chart: FollowedChart;
  readonly at: RecordedTime;
  readonly random: readonly number[];
  readonly event: { readonly type: string };
  /** Undefined: this is its start. */
  readonly before: AnyMachineSnapshot | undefined;
  readonly after: AnyMachineSnapshot;
  readonly effects: readonly string[];
}

/** The chart `websocketAuth` decided about an upgrade. */
export interface UpgradeStep {
  readonly id: string;
  readonly at: RecordedTime;
  readonly verdict: Verdict;
  readonly facts: UpgradeFacts;
}

/** Gets each step when it is over: those that it caused come first. It must not throw. */
export interface StepSink {
  step(step: ChartStep): void;
  upgrade(step: UpgradeStep): void;
}

interface Frame {
  /** The actor. */
  readonly owner: object;
  readonly chart: FollowedChart;
  readonly id: string;
  readonly at: RecordedTime;
  readonly random: number[];
  readonly effects: string[];
}

/** Steps that are kept until somebody records them. A start takes about ten. */
const MAX_EARLY = 200;
/** Charts that run as actors and are kept for the state lines; more are not followed. */
const MAX_LIVE = 2_000;
const ONE_OF_MANY: ReadonlySet<string> = new Set(['virtualClient', 'clientSession', 'listenerConnection']);
export const isOneOfMany = (chart: string): boolean => ONE_OF_MANY.has(chart);

/**
 * Follows the charts of an engine: gives each step an id, and its chart one time for the whole step, so that the step can be
 * repeated later. Passes everything on to the watcher of the program.
 */
export class ChartSteps implements EngineWatcher {
  /** The clock and the randomness of the engine. Within a step of a chart the time stands still. */
  readonly env: Env;
  readonly boot: string;
  /** Errors in here. They are counted and never thrown into the engine. */
  internalErrors = 0;
  readonly #real: Env;
  readonly #next: EngineWatcher | undefined;
  readonly #charts = new WeakMap<object, FollowedChart>();
  readonly #live = new Set<FollowedChart>();
  /** Events that wait in the mailbox of an actor that is in a step. */
  readonly #waiting = new Map<ActorParts, number>();
  #sink: StepSink | undefined;
  /** The first steps of the start: the home is not open yet, and nobody can record them. Undefined: somebody has them. */
  #early: ChartStep[] | undefined = [];
  #frames: Frame[] = [];
  #scheduled = false;
  #steps = 0;
  #actors = 0;

  constructor(real: Env, next?: EngineWatcher) {
    this.#real = real;
    this.#next = next;
    this.boot = bootOf(real.now());
    this.env = {
      now: () => this.#frames.at(-1)?.at[0] ?? real.now(),
      monotonic: () => this.#frames.at(-1)?.at[1] ?? real.monotonic(),
      random: () => {
        const value = real.random();
        this.#frames.at(-1)?.random.push(value);
        return value;
      },
    };
  }

  get sink(): StepSink | undefined {
    return this.#sink;
  }

  /** Gets the steps from the first one on. With `undefined`, nobody gets them. */
  set sink(sink: StepSink | undefined) {
    this.#sink = sink;
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const step of early) sink?.step(step);
  }

  /** The id of the step that is taken now; undefined: none. */
  get currentId(): string | undefined {
    return this.#frames.at(-1)?.id;
  }

  /** The charts that run, without those of connections. */
  get live(): readonly FollowedChart[] {
    return [...this.#live];
  }

  now(): RecordedTime {
    return [this.#real.now(), Math.floor(this.#real.monotonic() * 1_000) / 1_000];
  }

  // --- EngineWatcher

  get newLink(): ((options?: LinkOptions) => Secret) | undefined {
    const next = this.#next;
    return next?.newLink === undefined ? undefined : next.newLink.bind(next);
  }

  get attach(): ((port?: number) => Promise<Attachment>) | undefined {
    return this.#next?.attach?.bind(this.#next);
  }

  actor(actor: AnyActorRef): void {
    this.#guarded(() => {
      this.#follow(actor);
      actor.system.inspect((event) => this.#guarded(() => this.#inspect(event)));
    });
    this.#next?.actor(actor);
  }

  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch {
    const next = this.#next?.run(id, machine, initial);
    if (this.sink === undefined) return next ?? (() => {});
    this.#actors += 1;
    const chart: FollowedChart = {
      ...{ number: this.#actors, chart: machine.id, name: id, parent: undefined },
      // Its context never changes, and is what it began with.
      ...{ input: initial.context, snapshot: undefined },
    };
    this.#guarded(() => this.#report(this.#nextId(), chart, { type: 'xstate.init' }, undefined, initial, []));
    return (eventType, before, after, effects) => {
      const id = this.#nextId();
      this.#guarded(() => this.#report(id, chart, { type: eventType }, before, after, effects));
      if (next !== undefined) during(id, () => next(eventType, before, after, effects));
    };
  }

  verdict(verdict: Verdict, facts: UpgradeFacts): void {
    const id = this.#nextId();
    this.#guarded(() => this.sink?.upgrade({ id, at: this.now(), verdict, facts }));
    during(id, () => this.#next?.verdict(verdict, facts));
  }

  // --- actors

  #follow(actor: AnyActorRef): void {
    if (this.#charts.has(actor)) return;
    const { logic, options, _parent: parent } = actor as AnyActorRef & ActorParts;
    if (!isMachine(logic)) return;
    this.#actors += 1;
    const chart: FollowedChart = {
      ...{ number: this.#actors, chart: logic.id, name: actor.id },
      parent: parent === undefined ? undefined : this.#charts.get(parent)?.number,
      ...{ input: options?.input, snapshot: undefined },
    };
    this.#charts.set(actor, chart);
    if (!isOneOfMany(logic.id) && this.#live.size < MAX_LIVE) this.#live.add(chart);
  }

  #inspect(event: InspectionEvent): void {
    switch (event.type) {
      case '@xstate.actor':
        this.#follow(event.actorRef as AnyActorRef);
        return;
      case '@xstate.event':
        this.#received(event.actorRef as AnyActorRef, event.event.type);
        return;
      case '@xstate.microstep': {
        const frame = this.#frames.at(-1);
        if (frame?.owner === event.actorRef) mark(event.snapshot, frame.id);
        return;
      }
      case '@xstate.action': {
        const { actorRef, action } = event;
        const frame = this.#frames.findLast(({ owner }) => owner === actorRef);
        frame?.effects.push(shortEffect(effectOf(action, actorRef as AnyActorRef)));
        return;
      }
      case '@xstate.snapshot':
        this.#ended(event.actorRef as ActorParts, event.event, event.snapshot as AnyMachineSnapshot);
    }
  }

  #received(actor: AnyActorRef & ActorParts, type: string): void {
    const chart = this.#charts.get(actor);
    if (chart === undefined || actor._processingStatus === STOPPED) return;
    if (type === 'xstate.init') {
      const { id } = this.#begin(actor, chart);
      mark(actor.getSnapshot(), id);
    } else if (actor._processingStatus === NOT_STARTED || this.#isIn(actor)) {
      this.#waiting.set(actor, (this.#waiting.get(actor) ?? 0) + 1);
    } else this.#begin(actor, chart);
  }

  #begin(owner: object, chart: FollowedChart): Frame {
    const frame: Frame = { owner, chart, id: this.#nextId(), at: this.now(), random: [], effects: [] };
    this.#frames.push(frame);
    if (!this.#scheduled) {
      this.#scheduled = true;
      // All steps of a turn are over at its end: the time never stands still for longer, whatever XState reports.
      queueMicrotask(() => {
        this.#scheduled = false;
        this.#frames = [];
        for (const actor of this.#waiting.keys()) {
          if (actor._processingStatus !== NOT_STARTED) this.#waiting.delete(actor);
        }
      });
    }
    return frame;
  }

  #isIn(actor: object): boolean {
    return this.#frames.some(({ owner }) => owner === actor);
  }

  #ended(actor: ActorParts, event: { readonly type: string }, after: AnyMachineSnapshot): void {
    const chart = this.#charts.get(actor);
    if (chart === undefined) return;
    const index = this.#frames.findLastIndex(({ owner }) => owner === actor);
    const frame = this.#frames[index];
    const before = chart.snapshot;
    chart.snapshot = after;
    if (after.status !== 'active') {
      this.#live.delete(chart);
      this.#charts.delete(actor);
    }
    if (frame !== undefined) this.#frames.splice(index);
    // XState announces no event for the end of an actor that its parent stops.
    else if (event.type !== 'xstate.stop') this.internalErrors += 1;
    const { id, at, random, effects } = frame ?? {
      ...{ id: this.#nextId(), at: this.now(), random: [], effects: [] },
    };
    const step = { ...{ id, chart, at, random, effects }, event, before, after };
    if (this.#early !== undefined && this.#early.length < MAX_EARLY) this.#early.push(step);
    this.#sink?.step(step);
    const waiting = this.#waiting.get(actor) ?? 0;
    if (waiting === 0 || after.status !== 'active') return;
    this.#waiting.set(actor, waiting - 1);
    this.#begin(actor, chart);
  }

  #report(
    id: string,
    chart: FollowedChart,
    event: { readonly type: string },
    before: AnyMachineSnapshot | undefined,
    after: AnyMachineSnapshot,
    actions: readonly WatchedEffect[],
  ): void {
    if (this.sink === undefined) return;
    // A chart without an actor sends nothing: there is no actor to compare with.
    const effects = actions.map((action) => shortEffect(effectOf(action, NOBODY)));
    this.sink.step({
      ...{ id, chart, at: this.now(), random: [], effects },
      ...{ event, before, after },
    });
  }

  #nextId(): string {
    this.#steps += 1;
    return decisionId(this.boot, this.#steps);
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.internalErrors += 1;
    }
  }
}

/** Members of XState actors beyond its public interface. */
interface ActorParts {
  readonly logic?: unknown;
  readonly options?: { readonly input?: unknown };
  readonly _parent?: AnyActorRef | undefined;
  readonly _processingStatus?: number;
}

/** Values of `_processingStatus`. */
const NOT_STARTED = 0;
const STOPPED = 2;
const NOBODY = {} as AnyActorRef;

function isMachine(logic: unknown): logic is AnyStateMachine {
  return typeof logic === 'object' && logic !== null && 'root' in logic && 'states' in logic;
}

/** What the step made: its snapshot, decision and failure. */
function mark(snapshot: unknown, id: string): void {
  markDecision(snapshot, id);
  if (typeof snapshot !== 'object' || snapshot === null || !('context' in snapshot)) return;
  const { context } = snapshot;
  if (typeof context !== 'object' || context === null) return;
  if ('decision' in context) markDecision(context.decision, id);
  if ('lastFailure' in context) markDecision(context.lastFailure, id);
}
