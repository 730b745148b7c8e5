import { EngineError } from '../protocol/errors.js';

/** Exit codes of the process. Scripts and service units depend on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  authRequired: 3,
  alreadyRunning: 4,
  notRunning: 5,
  internal: 70,
  /** Cancelled with Ctrl-C: 128 and the number of SIGINT, as shells report it. */
  cancelled: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof EngineError)) return EXIT.internal;
  switch (error.code) {
    case 'usage':
    case 'configInvalid':
    case 'targetRefused':
      return EXIT.usage;
    case 'authRequired':
      return EXIT.authRequired;
    case 'alreadyRunning':
      return EXIT.alreadyRunning;
    case 'notRunning':
      return EXIT.notRunning;
    case 'internal':
      return EXIT.internal;
    default:
      return EXIT.failed;
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
