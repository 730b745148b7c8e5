/**
 * Compares the clock of this machine with the `Date` of responses. A wrong clock makes tokens expire at the wrong time, and
 * nothing else says why. RC-135
 */
import type { Env } from '../protocol/timing.js';

/** A smaller difference does no harm: a token is renewed minutes before its end. ms */
export const CLOCK_TOLERANCE = 60_000;
/** `Date` has whole seconds. */
const RESOLUTION = 1_000;

/** What the local clock showed more than that of the server, at least and at most, ms. */
interface Bounds {
  readonly least: number;
  readonly most: number;
  /** Wall clock minus monotonic clock at that moment. */
  readonly base: number;
}

type Clock = Pick<Env, 'now' | 'monotonic'>;

export class ClockWatch {
  readonly #clock: Clock;
  readonly #onChange: (difference: number) => void;
  #bounds: Bounds | undefined;
  #wrong = false;

  /** @param onChange the clock is wrong now, or right again */
  constructor(clock: Clock, onChange: (difference: number) => void = () => {}) {
    this.#clock = clock;
    this.#onChange = onChange;
  }

  /** A request is sent now; the result is called with the headers of its response, which may be on its way for long. */
  begin(): (header: (name: string) => string | undefined) => void {
    const sentAt = this.#clock.monotonic();
    return (header) => this.#observe(header, sentAt);
  }

  #observe(header: (name: string) => string | undefined, sentAt: number): void {
    const date = Date.parse(header('date') ?? '');
    // A cache says how old its response is.
    const age = Number(header('age') ?? 0) * 1_000;
    if (Number.isNaN(date) || Number.isNaN(age) || age < 0) return;
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const server = date + age;
    const least = wall - (monotonic - sentAt) - (server + RESOLUTION);
    this.#bounds = { least, most: wall - server, base: wall - monotonic };
    const difference = this.difference ?? 0;
    const wrong = isClockWrong(difference);
    if (wrong !== this.#wrong) this.#onChange(difference);
    this.#wrong = wrong;
  }

  /** Sleep looks like a change of the clock: only the next response tells them apart. */
  forget(): void {
    this.#bounds = undefined;
  }

  /**
   * How far the clock of this machine is ahead of the server, ms, negative: behind; 0: no difference can be seen. It follows
   * a clock that is set meanwhile. Null: not known.
   */
  get difference(): number | null {
    if (this.#bounds === undefined) return null;
    const { least, most, base } = this.#bounds;
    const shift = this.#clock.now() - this.#clock.monotonic() - base;
    if (least + shift > 0) return Math.round(least + shift);
    return most + shift < 0 ? Math.round(most + shift) : 0;
  }
}

export const isClockWrong = (difference: number): boolean => Math.abs(difference) > CLOCK_TOLERANCE;
