/** The words for steps and states, the same in the list, the sequence and the comparison. */
import { type Actor, ATTACHED_EVENT, type Entry, type EntryFailure } from './timeline.js';

/** The id of a state without the name of its chart. */
export const shortId = (id: string): string => (id.includes('.') ? id.slice(id.indexOf('.') + 1) : id);

export function eventText(
  { event, kind, status }: Pick<Entry, 'event' | 'kind' | 'status'>,
  actor: Pick<Actor, 'kind'> | undefined,
): string {
  if (kind === 'started') return event === ATTACHED_EVENT ? 'already running' : 'started';
  if (kind === 'ended' && actor?.kind === 'task') return status ?? 'ended';
  const [, source, name] = /^xstate\.(done\.actor|error\.actor|after|done\.state)\.(.+)$/.exec(event) ?? [];
  if (source === 'done.actor') return `${name} done`;
  if (source === 'error.actor') return `${name} failed`;
  if (source === 'after') return `after ${name?.split('.')[0]}`;
  if (source === 'done.state') return 'done';
  return event === 'xstate.init' ? 'started' : event.replace(/^xstate\./, '');
}

/** `HTTP 401 · request req-1 · The backend refused …` */
export function failureText({ httpStatus, requestId, text }: EntryFailure): string {
  return [
    ...(httpStatus === undefined ? [] : [`HTTP ${httpStatus}`]),
    ...(requestId === undefined ? [] : [`request ${requestId}`]),
    text,
  ].join(' · ');
}

/** `12:03:04.567` */
export function clock(time: number): string {
  const date = new Date(time);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** `35 ms`, `1.25 s`, `3 min` */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(2)} s`;
  if (ms < 120_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return `${Math.round(ms / 3_600_000)} h`;
}
