import { type AnyMachineSnapshot, type AnyStateMachine, initialTransition, transition } from 'xstate';
import type { TransitionWatch } from '../observe/watcher.js';

/** An action that a transition asks for. */
interface Effect {
  readonly type: string;
  readonly params: unknown;
}

interface Step {
  readonly next: SharedState;
  readonly effects: readonly Effect[];
}

/** One state of a chart, shared by everything that is in it. */
export interface SharedState {
  /** As `paused.initialized`. */
  readonly name: string;
  readonly done: boolean;
  readonly snapshot: AnyMachineSnapshot;
  readonly steps: Map<string, Step>;
}

/**
 * A chart without data of its own, run for thousands of connections at once: each state and each step is worked
 * out by XState the first time anybody takes it, and then shared. A running actor for each would cost 4 KB and
 * 20 µs; this costs a pointer. Only for machines whose context never changes and whose guards read no event.
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
    const [snapshot, actions] = transition(this.machine, from.snapshot, { type: eventType });
    const effects = actions.map((action) => ({ type: action.type, params: action.params }));
    const step = { next: this.#shared(snapshot), effects };
    from.steps.set(eventType, step);
    return step;
  }

  #shared(snapshot: AnyMachineSnapshot): SharedState {
    const name = nameOf(snapshot.value);
    let state = this.#states.get(name);
    if (state === undefined) {
      state = { name, done: snapshot.status !== 'active', snapshot, steps: new Map() };
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

/** What `after` compiles to: an event that XState sends to itself later. */
interface Raise {
  readonly event: { readonly type: string };
  readonly id: string;
  readonly delay: number;
}

/** One thing's way through a shared chart. Its timers end with it. */
export class SharedRun<Event extends { readonly type: string }> {
  readonly #chart: SharedChart;
  readonly #act: (effect: string, params: unknown) => void;
  readonly #watch: TransitionWatch | undefined;
  #state: SharedState;
  #timers: Map<string, NodeJS.Timeout> | undefined;

  /** `act` does the chart's own actions, by name; `watch` only looks on. */
  constructor(chart: SharedChart, act: (effect: string, params: unknown) => void, watch?: TransitionWatch) {
    this.#chart = chart;
    this.#act = act;
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
    const { next, effects } = this.#chart.step(this.#state, eventType);
    this.#watch?.(eventType, this.#state.snapshot, next.snapshot, effects);
    // First the state, then the deeds: an action may send the next event.
    this.#state = next;
    for (const effect of effects) this.#do(effect);
  }

  #do({ type, params }: Effect): void {
    if (type === 'xstate.raise') this.#arm(params as Raise);
    else if (type === 'xstate.cancel') this.#disarm((params as { readonly sendId: string }).sendId);
    else this.#act(type, params);
  }

  #arm({ id, delay, event }: Raise): void {
    this.#timers ??= new Map();
    const timer = setTimeout(() => {
      this.#timers?.delete(id);
      this.#take(event.type);
    }, delay);
    timer.unref();
    this.#timers.set(id, timer);
  }

  #disarm(id: string): void {
    clearTimeout(this.#timers?.get(id));
    this.#timers?.delete(id);
  }
}
