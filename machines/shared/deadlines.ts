/**
 * How long the charts wait for an answer from outside. An adapter has limits of its own and reports them as an outcome;
 * these ones end the wait when an adapter does not answer at all.
 */
import type { Timing } from '../../src/protocol/timing.js';

/** What an answer may need beyond the limits of its adapter, ms. */
const MARGIN = 5_000;

/** The time for this many requests in a row, each at its own limit. */
export const requestsTake = ({ requestTimeout }: Pick<Timing, 'requestTimeout'>, requests: number): number =>
  requests * requestTimeout + MARGIN;
