/**
 * Allows at most `limit` log lines per window and counts the rest, so that a flood cannot fill the log. WSA-19
 */
export class RateLimit {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #onSuppressed: (count: number) => void;
  #windowEnd = Number.NEGATIVE_INFINITY;
  #used = 0;
  #suppressed = 0;
  #timer: NodeJS.Timeout | undefined;

  /** `onSuppressed` gets the number of refused lines at the end of a window; its own line counts for the next window. */
  constructor(limit: number, windowMs: number, onSuppressed: (count: number) => void) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#onSuppressed = onSuppressed;
  }

  /** Whether one more line may be written now. */
  take(now = performance.now()): boolean {
    if (now >= this.#windowEnd && this.#timer === undefined) {
      this.#windowEnd = now + this.#windowMs;
      this.#used = 0;
    }
    if (this.#used < this.#limit) {
      this.#used += 1;
      return true;
    }
    this.#suppressed += 1;
    this.#timer ??= setTimeout(() => this.flush(), Math.max(this.#windowEnd - now, 1)).unref();
    return false;
  }

  /** Reports the refused lines now. Call it at the end too, so that no count is lost. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#suppressed === 0) return;
    const suppressed = this.#suppressed;
    this.#suppressed = 0;
    this.#windowEnd = performance.now() + this.#windowMs;
    this.#used = 1;
    this.#onSuppressed(suppressed);
  }
}
