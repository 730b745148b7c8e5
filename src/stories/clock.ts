import { SimulatedClock } from 'xstate';

/** Simulated time that moves from timer to timer, so that a timer that starts on the way fires at its own time. */
export class StageClock extends SimulatedClock {
  readonly #due = new Map<number, number>();

  override setTimeout(fire: (...args: unknown[]) => void, ms: number): number {
    const id = super.setTimeout(() => {
      this.#due.delete(id);
      fire();
    }, ms);
    this.#due.set(id, this.now() + ms);
    return id;
  }

  override clearTimeout(id: number): void {
    this.#due.delete(id);
    super.clearTimeout(id);
  }

  /** Time until the next timer, ms; null when none runs. */
  get nextIn(): number | null {
    return this.#due.size === 0 ? null : Math.max(Math.min(...this.#due.values()) - this.now(), 0);
  }

  /** Fires the timers that end within this time, each at its own time. */
  pass(ms: number): void {
    const end = this.now() + ms;
    for (let next = this.nextIn; next !== null && this.now() + next <= end; next = this.nextIn) {
      this.set(this.now() + next);
    }
    this.set(end);
  }
}
