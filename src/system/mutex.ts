/**
 * Runs tasks one at a time, in the order of their requests. Connecting and pairing share one, so that they never
 * refresh or enroll at the same time. RC-47
 */
export class Mutex {
  #tail: Promise<void> = Promise.resolve();

  /**
   * Runs `task` while no other task of this mutex runs. Rejects with the reason of `signal`, without a call of `task`,
   * when the signal is aborted before the turn of the task.
   */
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
