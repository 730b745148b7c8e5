import type { Effect } from '../testing/effects.js';

/** An effect in few words, without what it carries: `start dial`, `send link PROBE`, `after pause 512`. */
export function shortEffect({ kind, name, event, delay }: Effect): string {
  const timed = delay === undefined ? '' : ` ${Math.round(delay)}`;
  if (kind === 'raise' && delay !== undefined) return `after ${delayName(name)}${timed}`;
  if (kind === 'cancel') return `cancel ${delayName(name)}`;
  return `${kind} ${name}${event === undefined || kind === 'raise' ? '' : ` ${event.type}`}${timed}`;
}

/** The event of a delay, `xstate.after.pause.remoteControl.active…`, says in which state it runs; the state is known. */
const delayName = (name: string): string => /^xstate\.after\.([^.]+)\./.exec(name)?.[1] ?? name;
