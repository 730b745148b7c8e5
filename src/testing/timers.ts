/** The running delays of a chart: what `after`, delayed `raise` and delayed `sendTo` to itself have started. */
import type { AnyActorRef, EventObject } from 'xstate';
import { type ExecutedAction, effectOf } from './effects.js';

/** A running delay: the event at its end, and when it ends. */
export interface Timer {
  readonly id: string;
  /** Simulated time, ms. */
  readonly due: number;
  readonly event: EventObject;
}

/** The running delays after the actions of a step, the next one first. */
export function timersAfter(
  before: readonly Timer[],
  executed: readonly ExecutedAction[],
  now: number,
  self: AnyActorRef,
): Timer[] {
  let timers = [...before];
  for (const action of executed) {
    const { kind, name, event, delay } = effectOf(action, self);
    if (kind === 'cancel') {
      timers = timers.filter(({ id }) => id !== name);
    } else if (event !== undefined && delay !== undefined && (kind === 'raise' || name === 'self')) {
      const id = idOf(action) ?? unusedId(timers, event.type);
      timers = [...timers.filter((timer) => timer.id !== id), { id, due: now + delay, event }];
    }
  }
  // Of two that are due at the same time, the one that was started first.
  return timers.sort((a, b) => a.due - b.due);
}

function idOf({ params }: ExecutedAction): string | undefined {
  return typeof params === 'object' && params !== null && 'id' in params && typeof params.id === 'string'
    ? params.id
    : undefined;
}

/** XState gives each delay without an id one of its own: the next one does not replace it. */
function unusedId(timers: readonly Timer[], type: string): string {
  let id = type;
  for (let count = 2; timers.some((timer) => timer.id === id); count += 1) id = `${type} ${count}`;
  return id;
}
