/** Shared by the tests of the statecharts: a clock that moves from timer to timer, scripted actors, and edge coverage. */
import { type AnyStateMachine, fromPromise, type InspectionEvent, SimulatedClock } from 'xstate';
import { edgeIds, toChart } from '../../src/visualize/chart.js';

/** Lets resolved promises take effect. */
export const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

/** Simulated time. Advancing it stops at each timer, so that a timer that is set there fires at its own time. */
export class TestClock extends SimulatedClock {
  readonly #due = new Map<number, number>();

  override setTimeout(fn: (...args: unknown[]) => void, timeout: number): number {
    const id = super.setTimeout(() => {
      this.#due.delete(id);
      fn();
    }, timeout);
    this.#due.set(id, this.now() + timeout);
    return id;
  }

  override clearTimeout(id: number): void {
    this.#due.delete(id);
    super.clearTimeout(id);
  }

  get timers(): number {
    return this.#due.size;
  }

  /** Time until the next timer, ms; null when there is none. */
  get nextIn(): number | null {
    return this.#due.size === 0 ? null : Math.max(Math.min(...this.#due.values()) - this.now(), 0);
  }

  async advance(ms: number): Promise<void> {
    const end = this.now() + ms;
    for (;;) {
      const next = Math.min(...this.#due.values());
      if (next > end) break;
      this.set(Math.max(next, this.now()));
      await settle();
    }
    this.set(end);
    await settle();
  }
}

interface Call {
  readonly src: string;
  readonly input: unknown;
  state: 'open' | 'answered' | 'aborted';
  readonly resolve: (outcome: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Scripted actors: each call waits until the test responds to it or its state is left. */
export class Desk<Outcomes extends object> {
  readonly #calls: Call[] = [];

  /** The actor logic to provide for `src`. */
  actor<Src extends keyof Outcomes & string, Input>(src: Src) {
    return fromPromise<Outcomes[Src], Input>(
      ({ input, signal }) =>
        new Promise((resolve, reject) => {
          const call: Call = {
            src,
            input,
            state: 'open',
            // `answer` accepts only outcomes of this source.
            resolve: resolve as (outcome: unknown) => void,
            reject,
          };
          signal.addEventListener('abort', () => {
            if (call.state === 'open') call.state = 'aborted';
          });
          this.#calls.push(call);
        }),
    );
  }

  /** Sources of the calls without a response. */
  get open(): string[] {
    return this.#calls.filter(({ state }) => state === 'open').map(({ src }) => src);
  }

  get aborted(): string[] {
    return this.#calls.filter(({ state }) => state === 'aborted').map(({ src }) => src);
  }

  count(src: keyof Outcomes & string): number {
    return this.#calls.filter((call) => call.src === src).length;
  }

  /** Input of the newest call of this source. */
  lastInput(src: keyof Outcomes & string): unknown {
    return this.#calls.findLast((call) => call.src === src)?.input;
  }

  async answer<Src extends keyof Outcomes & string>(src: Src, outcome: Outcomes[Src]): Promise<void> {
    this.#take(src).resolve(outcome);
    await settle();
  }

  async fail(src: keyof Outcomes & string, error: unknown): Promise<void> {
    this.#take(src).reject(error);
    await settle();
  }

  #take(src: string): Call {
    const call = this.#calls.find((one) => one.src === src && one.state === 'open');
    if (call === undefined)
      throw new Error(`${src} was not asked; open: ${this.open.join(', ') || 'nothing'}`);
    call.state = 'answered';
    return call;
  }
}

/** Records which transitions of a chart the observed actors have taken. */
export class EdgeCover {
  readonly #all: readonly string[];
  readonly #taken = new Set<string>();

  constructor(machine: AnyStateMachine) {
    this.#all = toChart(machine).edges.map(({ id }) => id);
  }

  /** An `inspect` observer for actors of this machine, which may be a provided copy of the chart. */
  watch(machine: AnyStateMachine): (event: InspectionEvent) => void {
    const ids = edgeIds(machine);
    return (event) => {
      if (event.type !== '@xstate.microstep') return;
      for (const transition of event._transitions) {
        const id = ids.get(transition);
        if (id !== undefined) this.#taken.add(id);
      }
    };
  }

  get size(): number {
    return this.#all.length;
  }

  get untaken(): string[] {
    return this.#all.filter((id) => !this.#taken.has(id));
  }
}

/** Every name in the `setup()` of a chart that none of its states, edges or invokes uses. */
export function unusedNames(machine: AnyStateMachine): string[] {
  const { states, edges } = toChart(machine);
  const bare = (name: string) => name.replace(/\(.*/, '');
  const used = new Set(
    [
      ...states.flatMap(({ entry, exit, invokes }) => [...entry, ...exit, ...invokes.map(({ src }) => src)]),
      ...edges.flatMap(({ actions, guard, trigger }) => [
        ...actions,
        guard ?? '',
        trigger.kind === 'after' ? trigger.delay : '',
      ]),
    ].map(bare),
  );
  const { actors, actions, guards, delays } = machine.implementations;
  return [actors, actions, guards, delays].flatMap((names) =>
    Object.keys(names).filter((name) => !used.has(name)),
  );
}
