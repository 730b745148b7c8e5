// Numbered messages of one direction of one stream: what was sent, and what arrived.

export class Direction {
  sent = 0;
  received = 0;
  doubled = 0;
  disordered = 0;
  /** When a message last arrived, on the monotonic clock. */
  at = performance.now();
  longestPause = 0;
  /** The longest pause since it was last set to 0, ms. */
  pause = 0;
  #missing = new Set();

  next() {
    this.sent += 1;
    return this.sent;
  }

  onNumber(k) {
    const now = performance.now();
    this.pause = Math.max(this.pause, now - this.at);
    this.longestPause = Math.max(this.longestPause, this.pause);
    this.at = now;
    if (k === this.received + 1) {
      this.received = k;
      return;
    }
    if (k > this.received) {
      for (let n = this.received + 1; n < k; n += 1) this.#missing.add(n);
      this.received = k;
      this.disordered += 1;
      return;
    }
    if (this.#missing.delete(k)) this.disordered += 1;
    else this.doubled += 1;
  }

  get lost() {
    return this.sent - this.received + this.#missing.size;
  }
}
