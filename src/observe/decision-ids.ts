/**
 * The id of each step that a chart takes, such as `1cf5m2x-0003k`: the start of the engine, then a number that grows. Text
 * order is the order of the steps. What a step makes carries its id: history, audit, status, log and inspector.
 */

const ids = new WeakMap<object, string>();

/** The id of the step that made this snapshot, decision or failure; undefined: no step that was followed. */
export const decisionIdOf = (made: object | null | undefined): string | undefined =>
  made == null ? undefined : ids.get(made);

/** Something belongs to the step that made it first. */
export function markDecision(made: unknown, id: string): void {
  if (typeof made === 'object' && made !== null && !ids.has(made)) ids.set(made, id);
}

let running: string | undefined;

/** The id of a step in a chart that runs without an actor, while `work` observes the step. */
export function during<T>(id: string, work: () => T): T {
  running = id;
  try {
    return work();
  } finally {
    running = undefined;
  }
}

/** See `during`; undefined outside. */
export const runningDecisionId = (): string | undefined => running;

/** Tenths of seconds since 1970 in base 36: seven characters until the year 2218. */
export const bootOf = (wallMs: number): string =>
  Math.floor(wallMs / 100)
    .toString(36)
    .padStart(7, '0');

/** The id of the `step`-th step since `boot`. */
export const decisionId = (boot: string, step: number): string =>
  `${boot}-${step.toString(36).padStart(5, '0')}`;

/** Whether a text has the form of an id. */
export const isDecisionId = (text: string): boolean => /^[0-9a-z]{7,8}-[0-9a-z]{5,8}$/.test(text);
