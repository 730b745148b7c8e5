import { hangupIgnoredAtStart } from './hangup.js';

/** SIGHUP ends a program as SIGTERM does: its terminal has gone. RC-104 */
const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

let hangupIgnored = false;

/** Ignores SIGHUP where it was ignored at the start, because Node does not. Call it first. */
export function keepHangupIgnored(): void {
  hangupIgnored = hangupIgnoredAtStart();
  if (hangupIgnored) process.on('SIGHUP', () => {});
}

/** The signals that stop this program. */
export const stopSignals = (): readonly NodeJS.Signals[] =>
  hangupIgnored ? STOP_SIGNALS.filter((signal) => signal !== 'SIGHUP') : STOP_SIGNALS;

/** Resolves at the first signal that stops a program. */
export function untilStopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of stopSignals()) process.once(signal, () => resolve());
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
        // A terminal that goes away sends it more than once: from the shell and from the kernel.
        if (signal === 'SIGHUP') return;
        removeFilesAtOnce();
        // Ends by the signal: process.exit would wait for threads, such as one that waits for a database.
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
        return;
      }
      this.received = true;
      this.onFirst();
    };
    for (const signal of stopSignals()) process.on(signal, onSignal);
    if (isNpmStart(process.env)) onParentGone(() => onSignal('SIGTERM'));
    // By default Node opens its debugger on a port, which any local program could use.
    process.on('SIGUSR1', () => {});
  }
}

/** `npm start` of this package: npm runs it below a shell, and a SIGTERM to npm ends that shell only. */
const isNpmStart = ({ npm_package_name: name, npm_lifecycle_event: event }: NodeJS.ProcessEnv): boolean =>
  name === 'rc-engine' && event === 'start';

/** In ms. */
const PARENT_POLL = 500;

function onParentGone(then: () => void): void {
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    then();
  }, PARENT_POLL);
  timer.unref();
}

/** The longest that the handler of `onFatalExit` may delay the exit, in ms. */
const FATAL_EXIT_TIMEOUT = 2_000;

let fatalExitHandler: (() => Promise<void>) | undefined;

/** Sets what runs before an unexpected error ends the process, such as stopping the engine. */
export function onFatalExit(handler: () => Promise<void>): void {
  fatalExitHandler = handler;
}

/** Runs the handler once. Never rejects and never takes longer than the timeout. */
export async function runFatalExitHandler(): Promise<void> {
  const handler = fatalExitHandler;
  fatalExitHandler = undefined;
  if (handler !== undefined) {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, FATAL_EXIT_TIMEOUT);
      handler().then(resolve, () => resolve());
    });
  }
  removeFilesAtOnce();
}

const removers = new Set<() => void>();

/**
 * Sets what removes files, synchronously, when the process ends before it could do so in good order: at a second signal or
 * an unexpected error. Call the result once they are removed.
 */
export function onSuddenEnd(remove: () => void): () => void {
  removers.add(remove);
  return () => removers.delete(remove);
}

function removeFilesAtOnce(): void {
  for (const remove of removers) {
    removers.delete(remove);
    try {
      remove();
    } catch {
      // The process ends; what is left is replaced by the next start.
    }
  }
}
