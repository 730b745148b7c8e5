/** Executes a statechart step by step without starting actors. Guards and assignments are those of the chart. */
import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  createActor,
  type EventObject,
  fromTransition,
  type InspectionEvent,
} from 'xstate';
import { edgeIds, nameOf } from '../visualize/chart.js';

/** A running delay: the event at its end, and when it ends. */
interface Timer {
  readonly id: string;
  /** Simulated time, ms. */
  readonly due: number;
  readonly event: EventObject;
}

/** The situation of a chart: its snapshot, the simulated time, and the running delays, the next one first. */
export interface Position {
  readonly snapshot: AnyMachineSnapshot;
  readonly now: number;
  readonly timers: readonly Timer[];
}

/** The result of a guard, by its name. */
export interface Verdict {
  readonly guard: string;
  readonly held: boolean;
}

export interface Move {
  readonly position: Position;
  /** Ids of the edges taken, in order, as in `walk`. */
  readonly edges: readonly string[];
  readonly verdicts: readonly Verdict[];
  /** Names of the actions of the host, in order. */
  readonly effects: readonly string[];
}

const IDLE = fromTransition((state: undefined) => state, undefined);

type Effect = { readonly type: string; readonly params: unknown };

export class PureMachine {
  readonly #machine: AnyStateMachine;
  readonly #edges: ReadonlyMap<AnyTransitionDefinition, string>;
  readonly #input: unknown;
  readonly #setTime: (ms: number) => void;
  readonly #verdicts: Verdict[] = [];

  /** `setTime` receives the simulated time (ms since the start) before each step, for guards that read a clock. */
  constructor(machine: AnyStateMachine, input: unknown, setTime: (ms: number) => void = () => {}) {
    const { guards } = machine.implementations;
    this.#machine = machine.provide({
      guards: Object.fromEntries(
        Object.entries(guards).map(([name, guard]) => [name, this.#watchedGuard(name, guard)]),
      ),
    } as never);
    this.#edges = edgeIds(this.#machine);
    for (const transition of this.#edges.keys()) this.#watchInline(transition);
    this.#input = input;
    this.#setTime = setTime;
  }

  start(): Move {
    this.#setTime(0);
    return this.#step({ now: 0, timers: [] }, (machine, scope) =>
      machine.getInitialSnapshot(scope, this.#input),
    );
  }

  take(from: Position, event: EventObject): Move {
    this.#setTime(from.now);
    return this.#react(from, event);
  }

  /** Ends the next delay, and all others that end at the same time. */
  elapse(from: Position): Move {
    const [first] = from.timers;
    if (first === undefined) throw new Error('no delay is running');
    const now = Math.max(first.due, from.now);
    this.#setTime(now);
    const due = from.timers.filter((timer) => timer.due <= now);
    return due.reduce<Move>(
      (move, timer) => {
        const { timers } = move.position;
        if (!timers.includes(timer)) return move;
        const others = timers.filter((other) => other !== timer);
        const next = this.#react({ ...move.position, timers: others }, timer.event);
        return {
          position: next.position,
          edges: [...move.edges, ...next.edges],
          verdicts: [...move.verdicts, ...next.verdicts],
          effects: [...move.effects, ...next.effects],
        };
      },
      { position: { ...from, now }, edges: [], verdicts: [], effects: [] },
    );
  }

  #react({ snapshot, now, timers }: Position, event: EventObject): Move {
    return this.#step({ now, timers }, (machine, scope) => machine.transition(snapshot, event, scope));
  }

  #step(
    { now, timers }: { now: number; timers: readonly Timer[] },
    run: (machine: AnyStateMachine, scope: Scope) => AnyMachineSnapshot,
  ): Move {
    this.#verdicts.length = 0;
    const edges: string[] = [];
    const effects: Effect[] = [];
    // Each step has its own actor system, so that branches of the search do not share actors. The actor has a parent, so
    // that a chart can send events to it.
    const parent = createActor(IDLE, { inspect: (event) => this.#inspect(event, edges) });
    const self = createActor(IDLE, { parent });
    const scope = {
      self,
      system: parent.system,
      id: '',
      sessionId: '',
      logger: () => {},
      defer: () => {},
      stopChild: () => {},
      emit: () => {},
      actionExecutor: (action: Effect) => effects.push(action),
    } as unknown as Scope;
    const snapshot = run(this.#machine, scope);
    return {
      position: { snapshot, now, timers: timersAfter(timers, effects, now) },
      edges,
      verdicts: [...this.#verdicts],
      effects: effects.map(({ type }) => type).filter((type) => !type.startsWith('xstate.')),
    };
  }

  #inspect(event: InspectionEvent, edges: string[]): void {
    if (event.type !== '@xstate.microstep') return;
    for (const transition of event._transitions) {
      const id = this.#edges.get(transition);
      if (id !== undefined) edges.push(id);
    }
  }

  /** Guards that are written in place, also those made by `and`, `or`, `not` and `stateIn`, which XState evaluates itself. */
  #watchInline(transition: AnyTransitionDefinition): void {
    const { guard } = transition as { guard?: unknown };
    if (typeof guard !== 'function') return;
    const name = nameOf(guard);
    const watched: unknown =
      'check' in guard ? this.#watchedCheck(name, guard) : this.#watchedGuard(name, guard);
    Object.assign(transition, { guard: watched });
  }

  #watchedCheck(name: string, guard: { readonly check?: unknown }): unknown {
    const { check } = guard;
    if (typeof check !== 'function') return guard;
    return Object.assign(() => false, guard, {
      check: (snapshot: unknown, args: unknown): boolean => {
        const held: unknown = check(snapshot, args, guard);
        this.#verdicts.push({ guard: name, held: held === true });
        return held === true;
      },
    });
  }

  #watchedGuard(name: string, guard: unknown): unknown {
    if (typeof guard !== 'function') return guard;
    return (args: unknown, params: unknown): boolean => {
      const held: unknown = guard(args, params);
      this.#verdicts.push({ guard: nameOf({ type: name, params }), held: held === true });
      return held === true;
    };
  }
}

type Scope = Parameters<AnyStateMachine['transition']>[2];

function timersAfter(before: readonly Timer[], effects: readonly Effect[], now: number): Timer[] {
  let timers = [...before];
  for (const { type, params } of effects) {
    if (typeof params !== 'object' || params === null) continue;
    if (type === 'xstate.cancel' && 'sendId' in params) {
      timers = timers.filter(({ id }) => id !== params.sendId);
    } else if (
      type === 'xstate.raise' &&
      'delay' in params &&
      typeof params.delay === 'number' &&
      'event' in params
    ) {
      const event = params.event as EventObject;
      const id = 'id' in params && typeof params.id === 'string' ? params.id : event.type;
      timers = [...timers.filter((timer) => timer.id !== id), { id, due: now + params.delay, event }];
    }
  }
  // Of two that are due at the same time, the one that was started first.
  return timers.sort((a, b) => a.due - b.due);
}
