/** Executes a statechart step by step without starting actors. Guards and assignments are those of the chart. */
import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyTransitionDefinition,
  createActor,
  type EventObject,
  fromTransition,
  type InspectionEvent,
} from 'xstate';
import { evaluateGuard } from 'xstate/guards';
import { edgeIds, nameOf } from '../visualize/chart.js';
import { type Effect, type ExecutedAction, effectOf } from './effects.js';
import type { Left } from './shallow-history.js';
import { type Timer, timersAfter } from './timers.js';

/** The situation of a chart: its snapshot, the simulated time, and the running delays, the next one first. */
export interface Position {
  readonly snapshot: AnyMachineSnapshot;
  readonly now: number;
  readonly timers: readonly Timer[];
  /** What states with a shallow history were left from; the search alone knows it. */
  readonly left?: Left;
  /** Ids of actors that have ended while the state that invokes them is active; the search alone knows them. */
  readonly ended?: readonly string[];
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
  /** What the chart does besides assignments, in order. */
  readonly effects: readonly Effect[];
  /** Pairs of edges of one state and event whose guards both hold, as `EDGE before EDGE`: the order decides. */
  readonly rivals: readonly string[];
}

/** More events of a chart to itself, one after the other, than any chart needs. */
const MAX_OWN_EVENTS = 1000;

/** More transitions in one step than any chart takes. */
export const MAX_MICROSTEPS = 5000;

/** Names the transitions that follow each other without end. */
export function loopWords(edges: readonly string[]): string {
  const last = edges.slice(-50);
  const from = last.slice(0, -1).lastIndexOf(last.at(-1) ?? '');
  const loop = from < 0 ? last.slice(-3) : last.slice(from + 1);
  return `Infinite loop: the transitions ${loop.join(', ')} follow each other without end`;
}

const IDLE = fromTransition((state: undefined) => state, undefined);

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
    return this.#settle(
      this.#step({ now: 0, timers: [] }, (machine, scope) => machine.getInitialSnapshot(scope, this.#input)),
    );
  }

  /** The start as an actor takes it: events to itself follow as steps of their own. */
  begin(): Move {
    return this.#step({ now: 0, timers: [] }, (machine, scope) =>
      machine.getInitialSnapshot(scope, this.#input),
    );
  }

  /** One step as an actor takes it, without the events to itself. */
  react({ snapshot, now, timers }: Position, event: EventObject): Move {
    return this.#step({ now, timers }, (machine, scope) => machine.transition(snapshot, event, scope));
  }

  /** A situation that is known from outside. @param children ids of the actors that it has started */
  restore(value: unknown, context: unknown, children: readonly string[]): Position {
    const snapshot = this.#machine.resolveState({ value, context } as never);
    const refs = children.map((id) => [id, createActor(IDLE, { id })]);
    return { snapshot: Object.assign(snapshot, { children: Object.fromEntries(refs) }), now: 0, timers: [] };
  }

  take(from: Position, event: EventObject): Move {
    this.#setTime(from.now);
    const rivals = this.#rivals(from.snapshot, event);
    const move = this.#react(from, event);
    return {
      ...move,
      rivals: rivals.filter(([first]) => move.edges.includes(first)).map((pair) => pair.join(' before ')),
    };
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
        return joined(move, next);
      },
      { position: { ...from, now }, edges: [], verdicts: [], effects: [], rivals: [] },
    );
  }

  #react({ snapshot, now, timers }: Position, event: EventObject): Move {
    return this.#settle(
      this.#step({ now, timers }, (machine, scope) => machine.transition(snapshot, event, scope)),
    );
  }

  /** The events that the step sent to the chart itself, and the first snapshots of actors that it observes. */
  #settle(first: Step): Move {
    let move: Move = first;
    const waiting = [...first.own];
    for (let count = 0; count < MAX_OWN_EVENTS; count += 1) {
      const event = waiting.shift();
      if (event === undefined || move.position.snapshot.status !== 'active') return move;
      const { snapshot, now, timers } = move.position;
      const next = this.#step({ now, timers }, (machine, scope) =>
        machine.transition(snapshot, event, scope),
      );
      waiting.push(...next.own);
      move = joined(move, next);
    }
    throw new Error(`It sends itself more than ${MAX_OWN_EVENTS} events in one step.`);
  }

  #step(
    { now, timers }: { now: number; timers: readonly Timer[] },
    run: (machine: AnyStateMachine, scope: Scope) => AnyMachineSnapshot,
  ): Step {
    this.#verdicts.length = 0;
    const edges: string[] = [];
    const executed: ExecutedAction[] = [];
    // Each step has its own actor system, so that branches of the search do not share actors. The actor has a parent, so
    // that a chart can send events to it.
    const parent = createActor(IDLE, { inspect: (event) => this.#inspect(event, edges) });
    const self = createActor(IDLE, { parent, id: this.#machine.id });
    const scope = {
      self,
      system: parent.system,
      id: '',
      sessionId: '',
      logger: () => {},
      defer: () => {},
      stopChild: () => {},
      emit: () => {},
      actionExecutor: (action: ExecutedAction) => executed.push(action),
    } as unknown as Scope;
    const snapshot = run(this.#machine, scope);
    return {
      position: { snapshot, now, timers: timersAfter(timers, executed, now, self) },
      edges,
      verdicts: [...this.#verdicts],
      effects: executed.map((action) => effectOf(action, self)),
      rivals: [],
      own: ownEvents(executed, self),
    };
  }

  #rivals(snapshot: AnyMachineSnapshot, event: EventObject): [string, string][] {
    return snapshot._nodes.flatMap((node) => {
      const candidates = node.transitions.get(event.type) ?? [];
      if (candidates.length < 2) return [];
      const [first, ...others] = candidates.filter(({ guard }) => holds(guard, snapshot, event));
      const name = (transition: AnyTransitionDefinition) => this.#edges.get(transition) ?? '';
      return first === undefined ? [] : others.map((other): [string, string] => [name(first), name(other)]);
    });
  }

  #inspect(event: InspectionEvent, edges: string[]): void {
    if (event.type !== '@xstate.microstep') return;
    for (const transition of event._transitions) {
      const id = this.#edges.get(transition);
      if (id !== undefined) edges.push(id);
    }
    // XState has no limit unless the machine sets one.
    if (edges.length > MAX_MICROSTEPS) throw new Error(loopWords(edges));
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
        this.#watchParts(name, guard, held === true, snapshot, args);
        return held === true;
      },
    });
  }

  /** Where one part alone decides: the only one of `or` that holds, the only one of `and` that does not. */
  #watchParts(name: string, guard: object, held: boolean, snapshot: unknown, args: unknown): void {
    const parts: readonly unknown[] = 'guards' in guard && Array.isArray(guard.guards) ? guard.guards : [];
    if (parts.length < 2) return;
    const { context, event } = args as { context: unknown; event: EventObject };
    const at = { ...(snapshot as AnyMachineSnapshot), context } as AnyMachineSnapshot;
    const deciding = parts.filter((part) => holds(part, at, event) === held);
    if (deciding.length === 1)
      this.#verdicts.push({ guard: `${name} by ${nameOf(deciding[0])} alone`, held });
  }

  #watchedGuard(name: string, guard: unknown): unknown {
    if (typeof guard !== 'function') return guard;
    // A guard made by `and`, `or`, `not` or `stateIn` may have a name of its own.
    if ('check' in guard) return this.#watchedCheck(name, guard);
    return (args: unknown, params: unknown): boolean => {
      const held: unknown = guard(args, params);
      this.#verdicts.push({ guard: nameOf({ type: name, params }), held: held === true });
      return held === true;
    };
  }
}

type Scope = Parameters<AnyStateMachine['transition']>[2];

interface Step extends Move {
  /** Events that the chart receives from itself or from new actors before anything else. */
  readonly own: readonly EventObject[];
}

/** A guard that may rely on those before it can throw: then it does not hold. */
function holds(guard: unknown, snapshot: AnyMachineSnapshot, event: EventObject): boolean {
  if (guard === undefined) return true;
  try {
    return evaluateGuard(guard as never, snapshot.context, event, snapshot);
  } catch {
    return false;
  }
}

function joined(first: Move, next: Move): Move {
  return {
    position: next.position,
    edges: [...first.edges, ...next.edges],
    verdicts: [...first.verdicts, ...next.verdicts],
    effects: [...first.effects, ...next.effects],
    rivals: [...first.rivals, ...next.rivals],
  };
}

function ownEvents(executed: readonly ExecutedAction[], self: AnyActorRef): EventObject[] {
  return executed.flatMap((action): EventObject[] => {
    const { params } = action;
    if (typeof params !== 'object' || params === null) return [];
    if (action.type === 'xstate.spawnChild') return firstSnapshot(params);
    const effect = effectOf(action, self);
    const isOwn = effect.kind === 'send' && effect.name === 'self' && effect.delay === undefined;
    return isOwn && effect.event !== undefined ? [effect.event] : [];
  });
}

/** A chart with `onSnapshot` receives the first snapshot of the actor when it starts. */
function firstSnapshot(params: object): EventObject[] {
  const ref =
    'actorRef' in params ? (params.actorRef as AnyActorRef & { _syncSnapshot?: boolean }) : undefined;
  if (ref?._syncSnapshot !== true) return [];
  const snapshot: unknown = ref.getSnapshot();
  const isActive =
    typeof snapshot === 'object' && snapshot !== null && 'status' in snapshot && snapshot.status === 'active';
  return isActive ? [{ type: `xstate.snapshot.${ref.id}`, snapshot } as EventObject] : [];
}
