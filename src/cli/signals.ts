const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Resolves at the first SIGINT or SIGTERM. */
export function untilStopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of STOP_SIGNALS) process.once(signal, () => resolve());
  });
}

/** Stops the engine in good order at the first signal, and the process at once at the second. RC-46 */
export class StopSignals {
  received = false;
  /** Called at the first signal. */
  onFirst: () => void = () => {};

  constructor() {
    const onSignal = (signal: NodeJS.Signals) => {
      if (this.received) {
        // Ends by the signal: process.exit would wait for threads, such as one that waits for a database.
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
        return;
      }
      this.received = true;
      this.onFirst();
    };
    for (const signal of STOP_SIGNALS) process.on(signal, onSignal);
    // By default Node opens its debugger on a port, which any local program could use.
    process.on('SIGUSR1', () => {});
  }
}
