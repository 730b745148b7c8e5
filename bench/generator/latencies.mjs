const MOST = 1 << 20;

/** The durations of one run, ms. Above a million the first ones are overwritten. */
export class Latencies {
  #values = new Float64Array(MOST);
  #count = 0;

  add(ms) {
    this.#values[this.#count % MOST] = ms;
    this.#count += 1;
  }

  get count() {
    return this.#count;
  }

  clear() {
    this.#count = 0;
  }

  /** The quantiles of the given fractions (0 to 1). */
  quantiles(...parts) {
    const sorted = this.#values.slice(0, Math.min(this.#count, MOST)).sort();
    return parts.map((part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  }
}
