import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type ExecutableActionsFrom,
  initialTransition,
  transition,
} from 'xstate';
import type { TransitionWatch } from '../observe/watcher.js';

/** An action of a transition. */
interface Action {
  readonly type: string;
  readonly params: unknown;
}

interface Step {
  readonly next: SharedState;
  readonly actions: readonly Action[];
}

/** One state of a chart, shared by all runs that are in it. */
export interface SharedState {
  /** For example `paused.initialized`. */
  readonly name: string;
  readonly done: boolean;
  readonly tags: ReadonlySet<string>;
  readonly snapshot: AnyMachineSnapshot;
  readonly steps: Map<string, Step>;
}

/**
 * A chart that thousands of connections run at once. XState computes each state and each step the first time it is
 * needed; then all runs share it. An actor per connection would cost 4 KB and 20 µs, a shared state costs a pointer.
 * Only for machines whose context never changes, whose guards do not read the event, and whose first state does nothing.
 */
export class SharedChart {
  readonly machine: AnyStateMachine;
  readonly #states = new Map<string, SharedState>();
  readonly initial: SharedState;

  constructor(machine: AnyStateMachine, input: unknown) {
    this.machine = machine;
    const [snapshot] = initialTransition(machine, input);
    this.initial = this.#shared(snapshot);
  }

  step(from: SharedState, eventType: string): Step {
    const known = from.steps.get(eventType);
    if (known !== undefined) return known;
    const [snapshot, executable] = transition(this.machine, from.snapshot, { type: eventType });
    const step = { next: this.#shared(snapshot), actions: executable.map(actionOf) };
    from.steps.set(eventType, step);
    return step;
  }

  #shared(snapshot: AnyMachineSnapshot): SharedState {
    const name = nameOf(snapshot.value);
    let state = this.#states.get(name);
    if (state === undefined) {
      state = { name, done: snapshot.status !== 'active', tags: snapshot.tags, snapshot, steps: new Map() };
      this.#states.set(name, state);
    }
    return state;
  }
}

function nameOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries(value ?? {})
    .map(([key, inner]) => `${key}.${nameOf(inner)}`)
    .join(',');
}

const actionOf = ({ type, params }: ExecutableActionsFrom<AnyStateMachine>): Action => ({ type, params });

const RAISE = 'xstate.raise';
const CANCEL = 'xstate.cancel';

/** XState compiles `after` to this action: an event that the machine sends to itself later. */
interface Raise {
  readonly event: { readonly type: string };
  readonly id: string;
  readonly delay: number;
}

interface RunningTimer {
  readonly id: string;
  readonly timer: NodeJS.Timeout;
  next: RunningTimer | undefined;
}

/**
 * One run of a shared chart. Its timers do not keep the process alive. A base class, not a part: there are thousands of
 * runs, and one object each costs less than two.
 */
export abstract class SharedRun<EventType extends string> {
  readonly #chart: SharedChart;
  readonly #watch: TransitionWatch | undefined;
  #at: SharedState;
  /** The delays that run: a list, because there are few, and a map costs five times as much. */
  #timers: RunningTimer | undefined;

  /** @param watch Observes each step. */
  constructor(chart: SharedChart, watch: TransitionWatch | undefined) {
    this.#chart = chart;
    this.#watch = watch;
    this.#at = chart.initial;
  }

  /** Performs an action of the chart, by name. */
  protected abstract perform(action: string, params: unknown): void;

  /** The state in the chart. */
  protected get at(): SharedState {
    return this.#at;
  }

  /** Sends an event to the chart. */
  protected take(type: EventType): void {
    this.#take(type);
  }

  #take(type: string): void {
    if (this.#at.done) return;
    const { next, actions } = this.#chart.step(this.#at, type);
    this.#watch?.(type, this.#at.snapshot, next.snapshot, actions);
    // The state and its delays change before the other actions run, because an action may send the next event, and that may
    // leave the state: its delay must run by then to be stopped.
    this.#at = next;
    for (const { type, params } of actions) {
      if (type === RAISE) this.#startTimer(params as Raise);
      else if (type === CANCEL) this.#stopTimer((params as { readonly sendId: string }).sendId);
    }
    for (const { type, params } of actions) if (type !== RAISE && type !== CANCEL) this.perform(type, params);
  }

  #startTimer({ id, delay, event }: Raise): void {
    const timer = setTimeout(() => {
      this.#stopTimer(id);
      this.#take(event.type);
    }, delay);
    timer.unref();
    this.#timers = { id, timer, next: this.#timers };
  }

  #stopTimer(id: string): void {
    let before: RunningTimer | undefined;
    for (let one = this.#timers; one !== undefined; before = one, one = one.next) {
      if (one.id !== id) continue;
      clearTimeout(one.timer);
      if (before === undefined) this.#timers = one.next;
      else before.next = one.next;
      return;
    }
  }
}
