interface Timeout {
  readonly due: number;
  readonly fire: () => void;
}

/** Simulated time for an actor: ms since the start, moved by hand. */
export class PathClock {
  readonly #setTime: (ms: number) => void;
  readonly #timeouts = new Map<number, Timeout>();
  #lastId = 0;
  #now = 0;

  /** `setTime` is told the time before anything fires: for a chart whose guards look at a clock. */
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

  /** Fires what is due by then and was set before, in order; what that takes back does not fire. */
  pass(ms: number): void {
    this.#now += ms;
    this.#setTime(this.#now);
    const due = [...this.#timeouts].filter(([, timeout]) => timeout.due <= this.#now);
    for (const [id, { fire }] of due.sort(([, a], [, b]) => a.due - b.due)) {
      if (this.#timeouts.delete(id)) fire();
    }
  }
}
