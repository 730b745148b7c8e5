/** The timers of a simulated process, and `node:timers/promises`. */
import { promisify } from 'node:util';
import type { SimProcess } from '../world/process.js';
import type { Planned } from '../world/scheduler.js';

/** Node uses 1 ms for anything it cannot use. */
const LONGEST = 2 ** 31 - 1;
const delayOf = (ms: unknown): number => {
  const delay = Number(ms);
  return delay >= 1 && delay <= LONGEST ? Math.trunc(delay) : 1;
};

type Callback = (...values: unknown[]) => void;

export function createTimers(process: SimProcess) {
  const { machine } = process;

  class Timeout {
    readonly #run: () => void;
    readonly #delay: number;
    readonly #repeats: boolean;
    #planned: Planned | undefined;
    #due = 0;
    #referenced = true;

    constructor(run: () => void, delay: number, repeats: boolean) {
      this.#run = run;
      this.#delay = delay;
      this.#repeats = repeats;
      this.#plan();
    }

    get active(): boolean {
      return this.#planned !== undefined;
    }

    #plan(): void {
      if (this.#planned === undefined) process.timers += 1;
      this.#due = machine.monotonic() + this.#delay;
      this.#wait(this.#delay);
    }

    #wait(ms: number): void {
      this.#planned = process.after(ms, () => {
        // The monotonic clock stood still while the machine slept.
        const left = this.#due - machine.monotonic();
        if (left > 1e-6) {
          this.#wait(left);
          return;
        }
        this.#planned = undefined;
        process.timers -= 1;
        if (this.#repeats) this.#plan();
        this.#run();
      });
    }

    cancel(): void {
      if (this.#planned === undefined) return;
      this.#planned.cancelled = true;
      this.#planned = undefined;
      process.timers -= 1;
    }

    refresh(): this {
      this.cancel();
      this.#plan();
      return this;
    }

    ref(): this {
      this.#referenced = true;
      return this;
    }

    unref(): this {
      this.#referenced = false;
      return this;
    }

    hasRef(): boolean {
      return this.#referenced;
    }

    close(): this {
      this.cancel();
      return this;
    }

    [Symbol.dispose](): void {
      this.cancel();
    }
  }

  class Immediate {
    readonly #planned: Planned;

    constructor(run: () => void) {
      this.#planned = process.after(0, run);
    }

    cancel(): void {
      this.#planned.cancelled = true;
    }

    ref(): this {
      return this;
    }

    unref(): this {
      return this;
    }

    hasRef(): boolean {
      return true;
    }
  }

  const setTimeout = (run: Callback, ms?: number, ...values: unknown[]) =>
    new Timeout(() => run(...values), delayOf(ms), false);
  const setInterval = (run: Callback, ms?: number, ...values: unknown[]) =>
    new Timeout(() => run(...values), delayOf(ms), true);
  const setImmediate = (run: Callback, ...values: unknown[]) => new Immediate(() => run(...values));
  const clear = (timer: unknown): void => {
    if (timer instanceof Timeout || timer instanceof Immediate) timer.cancel();
  };

  interface WaitOptions {
    readonly signal?: AbortSignal;
  }

  function sleep<T>(ms?: number, value?: T, { signal }: WaitOptions = {}): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const aborted = (): void => {
        timer.cancel();
        reject(
          Object.assign(new Error('The operation was aborted', { cause: signal?.reason }), {
            name: 'AbortError',
            code: 'ABORT_ERR',
          }),
        );
      };
      const timer = new Timeout(
        () => {
          signal?.removeEventListener('abort', aborted);
          resolve(value);
        },
        delayOf(ms),
        false,
      );
      if (signal?.aborted === true) aborted();
      else signal?.addEventListener('abort', aborted, { once: true });
    });
  }

  const promises = {
    setTimeout: sleep,
    setImmediate: <T>(value?: T) => new Promise((resolve) => setImmediate(() => resolve(value))),
    async *setInterval(ms?: number, value?: unknown) {
      for (;;) {
        await sleep(ms);
        yield value;
      }
    },
    scheduler: { wait: sleep, yield: () => sleep(1) },
  };
  Object.defineProperty(setTimeout, promisify.custom, { value: sleep });
  Object.defineProperty(setImmediate, promisify.custom, { value: promises.setImmediate });

  return {
    globals: {
      setTimeout,
      setInterval,
      setImmediate,
      clearTimeout: clear,
      clearInterval: clear,
      clearImmediate: clear,
    },
    promises,
  };
}
