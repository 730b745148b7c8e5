interface Timeout {
  readonly due: number;
  readonly fire: () => void;
}

/** Simulated time for an actor, in ms since the start. It moves only by `pass`. */
export class PathClock {
  readonly #setTime: (ms: number) => void;
  readonly #timeouts = new Map<number, Timeout>();
  #lastId = 0;
  #now = 0;

  /** `setTime` receives the time before timers fire, for a chart whose guards read a clock. */
  constructor(setTime: (ms: number) => void) {
    this.#setTime = setTime;
  }

  setTimeout(fire: () => void, ms: number): number {
    this.#lastId += 1;
    this.#timeouts.set(this.#lastId, { due: this.#now + ms, fire });
    return this.#lastId;
  }

  clearTimeout(id: number): void {
    this.#timeouts.delete(id);
  }

  /** Fires the timers that are due, in order. A timer that another one clears does not fire. */
  pass(ms: number): void {
    this.#now += ms;
    this.#setTime(this.#now);
    const due = [...this.#timeouts].filter(([, timeout]) => timeout.due <= this.#now);
    for (const [id, { fire }] of due.sort(([, a], [, b]) => a.due - b.due)) {
      if (this.#timeouts.delete(id)) fire();
    }
  }
}
