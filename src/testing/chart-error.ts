/**
 * A guard, an action, a delay or the context of a chart threw an error, or its transitions without an event have no end. The
 * message names chart, state and event; `cause` is the error.
 */
export class ChartError extends Error {
  override readonly name = 'ChartError';

  constructor(what: string, cause: unknown) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`${what}: ${reason.split('\n').join(' ')}`, { cause });
  }
}
