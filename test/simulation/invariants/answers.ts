import type { Site } from '../site.js';
import { Violation } from '../world/violation.js';
import type { Invariant } from './invariant.js';

/** Longer than all that can delay an answer on an open connection in a world without new faults, ms. */
const LONGEST = 150_000;

/** A request on an open connection gets an answer or an error, or its connection ends. */
export class Answers implements Invariant {
  readonly name = 'each request gets an answer or an error';
  readonly #site: Site;
  #next = 0;

  constructor(site: Site) {
    this.#site = site;
  }

  check(): void {
    if (this.#site.host.asleepFor > 0) return;
    const now = this.#site.host.monotonic();
    if (now < this.#next) return;
    this.#next = now + 1_000;
    for (const { name, conversation } of this.#site.clients) {
      const oldest = conversation?.oldest;
      if (oldest === undefined || now - oldest.sentAt < LONGEST) continue;
      throw new Violation(
        this.name,
        `${name} has waited ${Math.round((now - oldest.sentAt) / 1_000)} s for ${oldest.value}`,
      );
    }
  }
}
