/** A node accepts a bounded number of connections in a second, so that engines that all come back at once do not stop it. */
export class Admission {
  readonly #rate: number;
  readonly #now: () => number;
  readonly #random: () => number;
  #tokens: number;
  #at: number;
  /** Refused since connections were last accepted without a refusal: they come back. */
  #backlog = 0;

  /**
   * @param rate connections in a second, and at once
   * @param now monotonic clock, ms
   */
  constructor(rate: number, now: () => number, random: () => number = Math.random) {
    this.#rate = rate;
    this.#now = now;
    this.#random = random;
    this.#tokens = rate;
    this.#at = now();
  }

  /** Undefined: accepted. Else the seconds after which the peer should try again, spread over the time that the others need. */
  admit(): number | undefined {
    const now = this.#now();
    this.#tokens = Math.min(this.#rate, this.#tokens + ((now - this.#at) * this.#rate) / 1_000);
    this.#at = now;
    if (this.#tokens >= this.#rate) this.#backlog = 0;
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      this.#backlog = Math.max(this.#backlog - 1, 0);
      return undefined;
    }
    this.#backlog += 1;
    return 1 + Math.floor(this.#random() * Math.ceil(this.#backlog / this.#rate));
  }
}
