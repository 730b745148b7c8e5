/** A simulated computer: its clocks and its disk. Processes run on it. */
import type { Disk } from './disk.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';

/** 2026-01-05 08:00 UTC, when each world begins. */
export const EPOCH = Date.UTC(2026, 0, 5, 8);

export class Machine {
  readonly name: string;
  readonly random: Random;
  readonly disk: Disk;
  /** Changes with the network that the machine is in. */
  address = '10.0.0.2';
  readonly #scheduler: Scheduler;
  /** The wall clock is ahead of the true time, ms. */
  #offset = 0;
  /** The time that the machine has slept, ms: its monotonic clock stops meanwhile. */
  #slept = 0;
  #asleepUntil = 0;
  /** What the monotonic clock shows while the machine sleeps. */
  #frozen = 0;

  constructor(name: string, scheduler: Scheduler, random: Random, disk: Disk) {
    this.name = name;
    this.#scheduler = scheduler;
    this.random = random;
    this.disk = disk;
  }

  /** Wall-clock ms, whole as in JavaScript. */
  wall(): number {
    return Math.floor(EPOCH + this.#scheduler.now + this.#offset);
  }

  /** Monotonic ms. */
  monotonic(): number {
    return this.asleepFor > 0 ? this.#frozen : this.#scheduler.now - this.#slept;
  }

  setClock(offset: number): void {
    this.#offset = offset;
  }

  get clockOffset(): number {
    return this.#offset;
  }

  /** Nothing runs for `ms`. Then everything that was due runs late. */
  sleep(ms: number): void {
    const until = this.#scheduler.now + ms;
    if (until <= this.#asleepUntil) return;
    if (this.asleepFor === 0) this.#frozen = this.monotonic();
    this.#slept += until - Math.max(this.#asleepUntil, this.#scheduler.now);
    this.#asleepUntil = until;
  }

  /** How long an event has to wait until the machine is awake, ms. */
  get asleepFor(): number {
    return Math.max(0, this.#asleepUntil - this.#scheduler.now);
  }
}
