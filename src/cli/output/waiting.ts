/**
 * One line at the end of a terminal while a command waits for longer than a second: what it waits for, and for how long. It
 * makes room for everything else that is written. None with --json, and none without a terminal. RC-134
 */
import { keepBelow, stderr, type Text, text } from './terminal.js';

/** In ms. */
const SHOWN_AFTER = 1_000;
const INTERVAL = 1_000;
const ERASE_LINE = '\r\u001b[2K';

interface Waiting {
  what: string;
  since: number;
  timer: NodeJS.Timeout | undefined;
  /** The line is on the screen, or was until something else made it leave for a moment. */
  shown: boolean;
}

let waiting: Waiting | undefined;

/** From now on the command waits. @param what such as `Stopping the engine` */
export function startWaiting(what: string): void {
  if (!stderr.overwrites) return;
  const one: Waiting = { what, since: performance.now(), timer: undefined, shown: false };
  waiting = one;
  one.timer = setTimeout(() => {
    one.shown = true;
    keepBelow({ erase: () => ERASE_LINE, draw: () => String(lineOf(one)) });
    redraw(one);
    one.timer = setInterval(() => redraw(one), INTERVAL).unref();
  }, SHOWN_AFTER).unref();
}

/** The command waits for something else, from now on. */
export function nowWaitingFor(what: string): void {
  if (waiting === undefined) return;
  waiting.what = what;
  waiting.since = performance.now();
  if (waiting.shown) redraw(waiting);
}

/** The command waits no longer: it is done, it asks something, or it shows itself what it does. */
export function endWaiting(): void {
  if (waiting === undefined) return;
  clearTimeout(waiting.timer);
  if (waiting.shown) {
    keepBelow(undefined);
    stderr.writeSequence(ERASE_LINE);
  }
  waiting = undefined;
}

/** Without the line while a person answers. */
export async function withoutWaiting<T>(task: () => Promise<T>): Promise<T> {
  const what = waiting?.what;
  endWaiting();
  try {
    return await task();
  } finally {
    if (what !== undefined) startWaiting(what);
  }
}

const lineOf = ({ what, since }: Waiting): Text =>
  text`${`${what} … ${Math.floor((performance.now() - since) / 1000)} s`}`.cut(
    Math.max(stderr.columns || 80, 20) - 1,
  );

/** Erases and draws it, as with everything that is written. */
const redraw = (one: Waiting): void => {
  if (waiting === one) stderr.writeSequence('');
};
