const MOST = 1 << 20;

/** Durations of one run, ms. Past a million of them the first ones are overwritten. */
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

  /** The values below which the given parts (0 to 1) of all lie. */
  quantiles(...parts) {
    const sorted = this.#values.slice(0, Math.min(this.#count, MOST)).sort();
    return parts.map((part) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  }
}
