/** Failed attempts within the window; above it, further attempts are refused for a while. */
const MAX_FAILED = 10;
/** ms */
const WINDOW = 60_000;
/** Remembered peers; the one whose last failure is oldest is removed first. */
const MAX_PEERS = 4_096;

/** Counts wrong pairing codes per peer, so the guesses of one peer do not keep another one out. RC-52 */
export class FailedAttempts {
  readonly #now: () => number;
  readonly #failed = new Map<string, readonly number[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Seconds that the peer has to wait; 0 when it may try now. */
  retryAfterSeconds(peer: string): number {
    const recent = this.#recent(peer);
    const [oldest] = recent;
    if (oldest === undefined || recent.length < MAX_FAILED) return 0;
    return Math.ceil((oldest + WINDOW - this.#now()) / 1_000);
  }

  add(peer: string): void {
    const recent = [...this.#recent(peer), this.#now()];
    this.#failed.delete(peer);
    this.#failed.set(peer, recent);
    const [first] = this.#failed.keys();
    if (this.#failed.size > MAX_PEERS && first !== undefined) this.#failed.delete(first);
  }

  #recent(peer: string): readonly number[] {
    const since = this.#now() - WINDOW;
    return (this.#failed.get(peer) ?? []).filter((at) => at > since);
  }
}
