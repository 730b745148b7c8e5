/** ms */
const WINDOW = 60_000;
/** Remembered keys; the one whose last failure is oldest is removed first. */
const MAX_KEYS = 4_096;

/** Counts failed attempts per key, such as a peer, so the guesses of one peer do not keep another one out. RC-52 */
export class FailedAttempts {
  readonly #now: () => number;
  readonly #limit: number;
  readonly #failed = new Map<string, readonly number[]>();

  /** @param limit Failed attempts within a minute, above which the key has to wait. */
  constructor(now: () => number, limit: number) {
    this.#now = now;
    this.#limit = limit;
  }

  /** Seconds that the key has to wait; 0 when it may try now. */
  retryAfterSeconds(key: string): number {
    const recent = this.#recent(key);
    const [oldest] = recent;
    if (oldest === undefined || recent.length < this.#limit) return 0;
    return Math.ceil((oldest + WINDOW - this.#now()) / 1_000);
  }

  add(key: string): void {
    const recent = [...this.#recent(key), this.#now()].slice(-this.#limit);
    this.#failed.delete(key);
    this.#failed.set(key, recent);
    const [first] = this.#failed.keys();
    if (this.#failed.size > MAX_KEYS && first !== undefined) this.#failed.delete(first);
  }

  #recent(key: string): readonly number[] {
    const since = this.#now() - WINDOW;
    return (this.#failed.get(key) ?? []).filter((at) => at > since);
  }
}
