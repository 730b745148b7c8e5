/**
 * Returns memory to the system after a wave of clients. V8 collects garbage when a program allocates: a program that
 * has become quiet keeps the heap of the wave, often for minutes, and most of it is free space for new objects.
 */

/** A wave: the number of clients grew or fell by this many. Clients that come and go one by one are no wave. */
const WAVE = 256;
const CHECK_EVERY = 1_000;
/** Share of the time since the last check that the event loop may have been busy; a collection would delay work. */
const QUIET = 0.2;

interface IdleMemoryOptions {
  /** The current number of clients. */
  readonly live: () => number;
  readonly onFault: (error: unknown) => void;
  /** Default: one full collection. */
  readonly collect?: () => Promise<void>;
  /** Share of the time since the last call that the program was busy, 0 to 1. Default: of the event loop. */
  readonly busy?: () => number;
}

/** A collection also discards compiled code, so it runs only after a wave. */
export class IdleMemory {
  readonly #live: () => number;
  readonly #onFault: (error: unknown) => void;
  readonly #collect: () => Promise<void>;
  readonly #busy: () => number;
  /** Highest and lowest number of clients since the last collection. */
  #most = 0;
  #fewest = 0;
  /** Connects and disconnects in total, and at the last check. */
  #moves = 0;
  #checkedMoves = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ live, onFault, collect = collectGarbage, busy = busySinceLast() }: IdleMemoryOptions) {
    this.#live = live;
    this.#onFault = onFault;
    this.#collect = collect;
    this.#busy = busy;
  }

  /** Call it when a client connects or disconnects. */
  note(): void {
    this.#moves += 1;
    const live = this.#live();
    this.#most = Math.max(this.#most, live);
    this.#fewest = Math.min(this.#fewest, live);
    const wave = this.#most - live >= WAVE || live - this.#fewest >= WAVE;
    if (!wave || this.#timer !== undefined) return;
    this.#checkedMoves = this.#moves;
    this.#busy();
    this.#timer = setInterval(() => this.#check(), CHECK_EVERY).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    const busy = this.#busy() > QUIET;
    const active = this.#moves !== this.#checkedMoves;
    this.#checkedMoves = this.#moves;
    if (active || busy) return;
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

/** One full collection, about 50 ms. Only the inspector offers it without a command-line flag of Node. */
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
