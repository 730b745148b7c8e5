import type { Site } from '../site.js';
import { Violation } from '../world/violation.js';
import type { Invariant } from './invariant.js';
import type { WireRequest } from './wire.js';

/** Requests and upgrades within a minute. The backoff allows far fewer. */
const MOST_IN_MINUTE = 40;
/** A client asks for each pairing code; those that asked while the machine slept are all answered afterwards. */
const ON_BEHALF_OF_A_CLIENT = /\/pair$/;
const MINUTE = 60_000;

/** The engine does not flood the backend, whatever the backend does, and waits as long as it asks. */
export class Pace implements Invariant {
  readonly name = 'the engine does not flood the backend';
  readonly #site: Site;
  #recent: number[] = [];
  /** Until when the backend asks to wait, by path and process. */
  readonly #waits = new Map<string, { readonly until: number; readonly pid: number }>();

  constructor(site: Site) {
    this.#site = site;
  }

  check(): void {}

  onRequest({ path }: WireRequest): void {
    const now = this.#site.host.monotonic();
    if (ON_BEHALF_OF_A_CLIENT.test(path)) return;
    this.#recent = [...this.#recent.filter((at) => now - at < MINUTE), now];
    if (this.#recent.length > MOST_IN_MINUTE) this.#fail(`${this.#recent.length} requests within a minute`);
    const wait = this.#waits.get(path);
    if (wait === undefined || wait.pid !== this.#site.engine.process?.pid) return;
    // The times of both sides have whole seconds.
    if (now < wait.until - 1_500 && this.#site.host.clockOffset === 0) {
      this.#fail(`${path} is requested ${Math.round(wait.until - now)} ms before the end of a Retry-After`);
    }
  }

  onResponse({ path }: WireRequest, status: number, headers: Readonly<Record<string, string>>): void {
    const pid = this.#site.engine.process?.pid;
    const seconds = Number(headers['retry-after']);
    if (pid === undefined || !/\/(?:enroll|refresh|server)$/.test(path)) return;
    if (status < 400 || !(seconds > 0) || this.#site.host.clockOffset !== 0) this.#waits.delete(path);
    else this.#waits.set(path, { until: this.#site.host.monotonic() + seconds * 1_000, pid });
  }

  #fail(message: string): void {
    this.#site.world.scheduler.fail(new Violation(this.name, message));
  }
}
