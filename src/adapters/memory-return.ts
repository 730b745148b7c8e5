/**
 * Gives memory back after a wave of clients. V8 collects when a program allocates: one that has become quiet keeps what
 * the wave has left, often for minutes, and most of it is nothing but room for new objects.
 */

/** Clients that came or went, and make a wave. */
const WAVE = 256;
const LOOK_EVERY = 1_000;
/** Part of the time that the program may have been busy since the last look; else it has better things to do. */
const QUIET = 0.2;

export interface MemoryReturnOptions {
  readonly onFault: (error: unknown) => void;
  /** Default: one full collection. */
  readonly collect?: () => Promise<void>;
  /** Part of the time that the program was busy since it was last asked, 0 to 1. Default: of the event loop. */
  readonly busy?: () => number;
}

export class MemoryReturn {
  readonly #onFault: (error: unknown) => void;
  readonly #collect: () => Promise<void>;
  readonly #busy: () => number;
  /** Clients that came or went since the last collection, and as many as there were at the last look. */
  #moved = 0;
  #seen = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ onFault, collect = collectGarbage, busy = busySinceLast() }: MemoryReturnOptions) {
    this.#onFault = onFault;
    this.#collect = collect;
    this.#busy = busy;
  }

  /** A client came, is gone, or was turned away. */
  note(): void {
    this.#moved += 1;
    if (this.#moved < WAVE || this.#timer !== undefined) return;
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
    this.#moved = 0;
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
