/**
 * Gives memory back after a wave of clients. V8 collects when a program allocates: one that has become quiet keeps what
 * the wave has left, often for minutes, and most of it is nothing but room for new objects.
 */

/** Clients that make a wave: so many more, or fewer, than there were. Those that come and go one by one make none. */
const WAVE = 256;
const LOOK_EVERY = 1_000;
/** Part of the time that the program may have been busy since the last look; else it has better things to do. */
const QUIET = 0.2;

export interface IdleMemoryOptions {
  /** How many clients there are. */
  readonly live: () => number;
  readonly onFault: (error: unknown) => void;
  /** Default: one full collection. */
  readonly collect?: () => Promise<void>;
  /** Part of the time that the program was busy since it was last asked, 0 to 1. Default: of the event loop. */
  readonly busy?: () => number;
}

/** A collection throws compiled code away, too, so it is made after a wave only. */
export class IdleMemory {
  readonly #live: () => number;
  readonly #onFault: (error: unknown) => void;
  readonly #collect: () => Promise<void>;
  readonly #busy: () => number;
  /** Most and fewest clients since the last collection. */
  #most = 0;
  #fewest = 0;
  /** Clients that came or went, ever; and at the last look. */
  #moved = 0;
  #seen = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ live, onFault, collect = collectGarbage, busy = busySinceLast() }: IdleMemoryOptions) {
    this.#live = live;
    this.#onFault = onFault;
    this.#collect = collect;
    this.#busy = busy;
  }

  /** A client came or is gone. */
  note(): void {
    this.#moved += 1;
    const live = this.#live();
    this.#most = Math.max(this.#most, live);
    this.#fewest = Math.min(this.#fewest, live);
    const wave = this.#most - live >= WAVE || live - this.#fewest >= WAVE;
    if (!wave || this.#timer !== undefined) return;
    this.#seen = this.#moved;
    this.#busy();
    this.#timer = setInterval(() => this.#look(), LOOK_EVERY).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #look(): void {
    const busy = this.#busy() > QUIET;
    const more = this.#moved !== this.#seen;
    this.#seen = this.#moved;
    if (more || busy) return;
    this.close();
    this.#most = this.#live();
    this.#fewest = this.#most;
    this.#collect().catch(this.#onFault);
  }
}

function busySinceLast(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}

/** One full collection, some 50 ms. The inspector's is the only one that needs no flag of the process. */
async function collectGarbage(): Promise<void> {
  const { Session } = await import('node:inspector');
  const session = new Session();
  session.connect();
  try {
    await new Promise<void>((resolve, reject) => {
      session.post('HeapProfiler.collectGarbage', (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    session.disconnect();
  }
}
