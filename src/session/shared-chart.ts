import { type AnyMachineSnapshot, type AnyStateMachine, initialTransition, transition } from 'xstate';
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
 * Only for machines whose context never changes and whose guards do not read the event.
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
    const actions = executable.map((action) => ({ type: action.type, params: action.params }));
    const step = { next: this.#shared(snapshot), actions };
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

/** XState compiles `after` to this action: an event that the machine sends to itself later. */
interface Raise {
  readonly event: { readonly type: string };
  readonly id: string;
  readonly delay: number;
}

/** One run of a shared chart. Its timers do not keep the process alive. */
export class SharedRun<Event extends { readonly type: string }> {
  readonly #chart: SharedChart;
  readonly #execute: (action: string, params: unknown) => void;
  readonly #watch: TransitionWatch | undefined;
  #state: SharedState;
  #timers: Map<string, NodeJS.Timeout> | undefined;

  /** @param execute Performs an action of the chart, by name. @param watch Observes each step. */
  constructor(
    chart: SharedChart,
    execute: (action: string, params: unknown) => void,
    watch?: TransitionWatch,
  ) {
    this.#chart = chart;
    this.#execute = execute;
    this.#watch = watch;
    this.#state = chart.initial;
  }

  get state(): string {
    return this.#state.name;
  }

  get done(): boolean {
    return this.#state.done;
  }

  send(event: Event): void {
    this.#take(event.type);
  }

  #take(eventType: string): void {
    if (this.#state.done) return;
    const { next, actions } = this.#chart.step(this.#state, eventType);
    this.#watch?.(eventType, this.#state.snapshot, next.snapshot, actions);
    // The state changes before the actions run, because an action may send the next event.
    this.#state = next;
    for (const action of actions) this.#perform(action);
  }

  #perform({ type, params }: Action): void {
    if (type === 'xstate.raise') this.#startTimer(params as Raise);
    else if (type === 'xstate.cancel') this.#stopTimer((params as { readonly sendId: string }).sendId);
    else this.#execute(type, params);
  }

  #startTimer({ id, delay, event }: Raise): void {
    this.#timers ??= new Map();
    const timer = setTimeout(() => {
      this.#timers?.delete(id);
      this.#take(event.type);
    }, delay);
    timer.unref();
    this.#timers.set(id, timer);
  }

  #stopTimer(id: string): void {
    clearTimeout(this.#timers?.get(id));
    this.#timers?.delete(id);
  }
}
