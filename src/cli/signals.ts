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

/** The longest that the handler of `onFatalExit` may delay the exit, in ms. */
const FATAL_EXIT_TIMEOUT = 2_000;

let fatalExitHandler: (() => Promise<void>) | undefined;

/** Sets what runs before an unexpected error ends the process, such as stopping the engine. */
export function onFatalExit(handler: () => Promise<void>): void {
  fatalExitHandler = handler;
}

/** Runs the handler once. Never rejects and never takes longer than the timeout. */
export function runFatalExitHandler(): Promise<void> {
  const handler = fatalExitHandler;
  fatalExitHandler = undefined;
  if (handler === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, FATAL_EXIT_TIMEOUT);
    handler().then(resolve, () => resolve());
  });
}
