/** Lets at most so many through in each window and counts the rest, so that a flood cannot fill the log. WSA-19 */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #onRest: (count: number) => void;
  #windowEnd = 0;
  #used = 0;
  #rest = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onRest` is told at the end of a window how many did not get through; telling counts as one of the next. */
  constructor(limit: number, windowMs: number, onRest: (count: number) => void) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#onRest = onRest;
  }

  take(now = Date.now()): boolean {
    if (now >= this.#windowEnd && this.#timer === undefined) {
      this.#windowEnd = now + this.#windowMs;
      this.#used = 0;
    }
    if (this.#used < this.#limit) {
      this.#used += 1;
      return true;
    }
    this.#rest += 1;
    this.#timer ??= setTimeout(() => this.flush(), Math.max(this.#windowEnd - now, 1)).unref();
    return false;
  }

  /** Tells of the rest now; call it at the end too, so that no count is lost. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#rest === 0) return;
    const rest = this.#rest;
    this.#rest = 0;
    this.#windowEnd = Date.now() + this.#windowMs;
    this.#used = 1;
    this.#onRest(rest);
  }
}
