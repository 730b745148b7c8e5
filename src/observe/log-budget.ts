interface LogBudgetOptions {
  /** What may be logged within one window, bytes. */
  readonly bytes: number;
  /** ms */
  readonly window: number;
  /** The budget is used up: lines are left out from now on, until the window ends. */
  readonly onUsedUp: () => void;
  /** So many lines were left out since the last report. */
  readonly onLeftOut: (count: number) => void;
}

/**
 * Lets a source log a number of bytes per window and counts the lines beyond it, so that a program that logs without end
 * cannot fill a disk. RC-73
 */
export class LogBudget {
  readonly #options: LogBudgetOptions;
  #left = 0;
  #windowEnd = Number.NEGATIVE_INFINITY;
  #leftOut = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: LogBudgetOptions) {
    this.#options = options;
  }

  /** Whether a line of so many bytes may be logged now; otherwise it is counted. */
  take(bytes: number, now = performance.now()): boolean {
    if (now >= this.#windowEnd) {
      this.flush();
      this.#windowEnd = now + this.#options.window;
      this.#left = this.#options.bytes;
    }
    if (this.#leftOut === 0 && bytes <= this.#left) {
      this.#left -= bytes;
      return true;
    }
    this.#left = 0;
    this.#leftOut += 1;
    if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.flush(), this.#windowEnd - now).unref();
      this.#options.onUsedUp();
    }
    return false;
  }

  /** Reports the lines left out so far. Call it at the end too, so that no count is lost. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = this.#leftOut;
    this.#leftOut = 0;
    if (count > 0) this.#options.onLeftOut(count);
  }
}
