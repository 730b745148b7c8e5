/** What happened in the world, in order: time, actor, event. */
import { createHash } from 'node:crypto';

export interface TraceLine {
  /** Simulated ms since the world began. */
  readonly at: number;
  readonly actor: string;
  readonly event: string;
}

export class Trace {
  readonly lines: TraceLine[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(actor: string, event: string): void {
    this.lines.push({ at: this.#now(), actor, event });
  }

  get text(): string {
    return this.lines
      .map(({ at, actor, event }) => `${(at / 1_000).toFixed(6).padStart(12)}  ${actor.padEnd(12)} ${event}`)
      .join('\n');
  }

  /** Two traces with the same digest are the same. */
  get digest(): string {
    return createHash('sha256').update(this.text).digest('hex').slice(0, 16);
  }
}
