/**
 * A lock for one thing at a time, first come first served. Connecting and pairing share one, so that the two
 * never refresh or enroll at the same moment. RC-47
 */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /** Runs `task` alone. A task whose signal is aborted before its turn is not started. */
  async runExclusive<T>(signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const before = this.#tail;
    let release: () => void = () => {};
    this.#tail = new Promise((resolve) => {
      release = resolve;
    });
    try {
      await before;
      signal.throwIfAborted();
      return await task();
    } finally {
      release();
    }
  }
}
