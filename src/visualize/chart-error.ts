/**
 * A chart cannot be read or tested: it is no machine of XState 5; a guard, an action, a delay or the context threw; or its
 * transitions without an event have no end. The message names chart, state and event, and what to do where that is known;
 * `cause` is the error below it.
 */
export class ChartError extends Error {
  override readonly name = 'ChartError';

  /** @param nextStep One sentence: what to do. */
  constructor(what: string, cause?: unknown, nextStep?: string) {
    const reason = cause === undefined ? '' : `: ${reasonOf(cause)}`;
    const step = nextStep === undefined ? '' : ` ${nextStep}`;
    super(`${what}${reason}${nextStep !== undefined && !/[.?!]$/.test(reason) ? '.' : ''}${step}`, { cause });
  }
}

const reasonOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split('\n').join(' ');
