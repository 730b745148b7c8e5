/**
 * A simulated process. All that it owns (timers, sockets, open files, children) ends with it: after `kill` none of its
 * code runs again, as after kill -9.
 */
import { EventEmitter } from 'node:events';
import type { Machine } from './machine.js';
import type { Random } from './random.js';
import type { Planned, Scheduler } from './scheduler.js';

export type End = { readonly code: number | null; readonly signal: string | null };

export class SimProcess {
  readonly name: string;
  readonly pid: number;
  readonly machine: Machine;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly env: Record<string, string>;
  /** Monotonic ms when it began. */
  readonly startedAt: number;
  /** Emits `end` once. */
  readonly events = new EventEmitter<{ end: [End] }>();
  /** Everything that it wrote to stdout and stderr. */
  readonly output: string[] = [];
  umask = 0o022;
  /** Timers that have not fired, and that nothing has cleared. */
  timers = 0;
  #ended: End | undefined;
  #stalledUntil = 0;
  readonly #owned = new Set<() => void>();

  constructor(
    deps: { readonly scheduler: Scheduler; readonly machine: Machine },
    name: string,
    pid: number,
    random: Random,
    env: Record<string, string>,
  ) {
    this.scheduler = deps.scheduler;
    this.machine = deps.machine;
    this.name = name;
    this.pid = pid;
    this.random = random;
    this.env = env;
    this.startedAt = deps.machine.monotonic();
    this.events.setMaxListeners(0);
  }

  get alive(): boolean {
    return this.#ended === undefined;
  }

  /** Runs `run` in this process after `ms`: later while it is stopped or its machine sleeps, never after its end. */
  after(ms: number, run: () => void): Planned {
    return this.scheduler.after(ms, () => this.#runWhenAwake(run));
  }

  #runWhenAwake(run: () => void): void {
    if (!this.alive) return;
    const wait = Math.max(this.machine.asleepFor, this.#stalledUntil - this.scheduler.now);
    if (wait > 0) this.scheduler.after(wait, () => this.#runWhenAwake(run));
    else run();
  }

  /** Nothing of it runs for `ms`, as after SIGSTOP or in a long collection of garbage. */
  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.scheduler.now + ms);
  }

  /** Calls `release` when the process ends. Returns a function that forgets it. */
  own(release: () => void): () => void {
    this.#owned.add(release);
    return () => this.#owned.delete(release);
  }

  /** What it still owns. */
  get owned(): number {
    return this.#owned.size;
  }

  end(end: End): void {
    if (this.#ended !== undefined) return;
    this.#ended = end;
    for (const release of [...this.#owned]) release();
    this.#owned.clear();
    this.events.emit('end', end);
  }
}
