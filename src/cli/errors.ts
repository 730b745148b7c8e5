import { EngineError } from '../protocol/errors.js';
import { closestMatch } from '../system/suggest.js';

/** Exit codes of the process. Scripts and service units depend on them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  authRequired: 3,
  alreadyRunning: 4,
  notRunning: 5,
  /** Connected, but the app server fails: clients are not served. */
  appServerDown: 6,
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

/**
 * An error in the command line, the environment or an input file.
 * @param message What is wrong and where. @param nextStep The one thing to do next.
 */
export function usageError(message: string, nextStep: string, cause?: unknown): EngineError {
  return new EngineError('usage', message, { remediation: nextStep, cause });
}

/** Proposes the known name that is closest to a mistyped one, or lists all of them. */
export function suggest(name: string, known: readonly string[]): string {
  const near = closestMatch(name, known);
  return near === undefined ? `Choose one of: ${known.join(', ')}.` : `Did you mean ${near}?`;
}

/** Returns `name` when it is known. @throws EngineError `usage` that proposes a known one. */
export function oneOf<T extends string>(kind: string, name: string, known: readonly T[]): T {
  const found = known.find((one) => one === name);
  if (found === undefined) throw usageError(`Unknown ${kind} ${JSON.stringify(name)}.`, suggest(name, known));
  return found;
}
