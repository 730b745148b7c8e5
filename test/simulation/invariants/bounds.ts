import type { Site } from '../site.js';
import { Violation } from '../world/violation.js';
import type { Invariant } from './invariant.js';

/** More than any engine of this world needs at once. */
const MOST = { timers: 120, resources: 80, waiting: 140 } as const;
/** A lock of the account is held for one operation. Longest time of all its requests and writes, ms. */
const LOCK_LIMIT = 120_000;

/** What the engine holds has a bound, and locks are released. After its end nothing is left. */
export class Bounds implements Invariant {
  readonly name = 'what the engine holds has a bound';
  readonly #site: Site;
  #lockedSince: number | undefined;

  constructor(site: Site) {
    this.#site = site;
    site.engine.onStopped = (process) => {
      const locks = site.world.locksOf(process);
      if (process.timers + process.owned + locks > 0) {
        const left = `${process.timers} timers, ${process.owned} sockets and watchers, ${locks} locks`;
        site.world.scheduler.fail(new Violation(this.name, `after its stop the engine still has ${left}`));
      }
    };
  }

  check(): void {
    const { engine, host, world } = this.#site;
    const { process } = engine;
    if (process === undefined) {
      this.#lockedSince = undefined;
      return;
    }
    // Those of a controller may wait at the backend.
    const waiting = this.#site.local.conversation?.waitingForInitialize ?? 0;
    if (waiting > MOST.waiting) this.#fail(`${waiting} requests wait behind initialize`);
    if (process.timers > MOST.timers) this.#fail(`${process.timers} timers are pending`);
    if (process.owned > MOST.resources) this.#fail(`${process.owned} sockets, watchers and locks are open`);
    // Its home lock is one; any other belongs to an operation.
    const locks = world.locksOf(process);
    if (locks <= 1) this.#lockedSince = undefined;
    else this.#lockedSince ??= host.monotonic();
    if (
      this.#lockedSince !== undefined &&
      host.asleepFor === 0 &&
      host.monotonic() - this.#lockedSince > LOCK_LIMIT
    ) {
      this.#fail(`a lock is held for more than ${LOCK_LIMIT / 1_000} s`);
    }
  }

  #fail(message: string): void {
    throw new Violation(this.name, message);
  }
}
