/**
 * The only source of time in the simulated world. One event runs at a time. Before the next one, all promises and
 * `nextTick` callbacks of the last one have run, so the order depends on the queue alone.
 */

/** Kept before anything of the world replaces it. */
const realImmediate = globalThis.setImmediate;

export interface Planned {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
  cancelled: boolean;
}

export class Scheduler {
  /** Milliseconds since the world began. */
  now = 0;
  /** Events that have run. */
  steps = 0;
  readonly #heap: Planned[] = [];
  #order = 0;
  #failure: { readonly error: unknown } | undefined;

  /** Runs `run` after `delay` ms. Events of the same moment run in the order in which they were planned. */
  after(delay: number, run: () => void): Planned {
    this.#order += 1;
    const planned = { at: this.now + Math.max(0, delay), order: this.#order, run, cancelled: false };
    this.#push(planned);
    return planned;
  }

  /** Ends `run` with this error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
  }

  /**
   * Runs events until `until` ms, or until `done` holds. `onStep` is called after each event, when all its promises have
   * settled. Rejects with the first error.
   */
  run(until: number, onStep: () => void, done: () => boolean = () => false): Promise<void> {
    return new Promise((resolve, reject) => {
      const step = (): void => {
        try {
          if (this.#failure !== undefined) throw this.#failure.error;
          onStep();
          if (done()) {
            resolve();
            return;
          }
          const next = this.#pop(until);
          if (next === undefined) {
            this.now = Math.max(this.now, until);
            resolve();
            return;
          }
          this.now = next.at;
          this.steps += 1;
          next.run();
        } catch (error) {
          reject(error);
          return;
        }
        realImmediate(step);
      };
      realImmediate(step);
    });
  }

  #pop(until: number): Planned | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > until) return undefined;
      const last = this.#heap.pop();
      if (last !== undefined && last !== first) this.#sink(last);
      if (!first.cancelled) return first;
    }
  }

  #push(planned: Planned): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(planned);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || before(parent, planned)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = planned;
  }

  /** Puts `planned` at the top and lets it sink to its place. */
  #sink(planned: Planned): void {
    const heap = this.#heap;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = heap[below];
      const other = heap[below + 1];
      if (child === undefined) break;
      if (other !== undefined && before(other, child)) {
        below += 1;
        child = other;
      }
      if (before(planned, child)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = planned;
  }
}

const before = (one: Planned, other: Planned): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order);
