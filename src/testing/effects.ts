/** What a chart does besides assignments: actions of the host, messages, delays and actors. */
import type { AnyActorRef, EventObject } from 'xstate';
import { textOf } from './context-key.js';

/** One effect of a step. */
export interface Effect {
  /**
   * `action`: a function of the host. `send`: an event to an actor. `raise`: an event to itself, with `delay` also the start
   * of a delay. `cancel`: the end of a delay. `emit`: an event to listeners. `start` and `stop`: an actor. `log`: a log line.
   */
  readonly kind: 'action' | 'send' | 'raise' | 'cancel' | 'emit' | 'start' | 'stop' | 'log';
  /** Name of the action, id of the actor (`parent` and `self` for those), id of the delay, or type of the event. */
  readonly name: string;
  /** The event of `send`, `raise` and `emit`. */
  readonly event?: EventObject;
  /** Delay of `send` or `raise`, ms. */
  readonly delay?: number;
  /** Params of an action, input of an actor, or the value of a log line. */
  readonly value?: unknown;
}

/** An executed action as XState describes it, also in its inspection event `@xstate.action`. */
export interface ExecutedAction {
  readonly type: string;
  readonly params: unknown;
}

/** The effect of an executed action of the actor `self`. */
export function effectOf({ type, params }: ExecutedAction, self: AnyActorRef): Effect {
  const given: Given = typeof params === 'object' && params !== null ? params : {};
  const event = isEvent(given.event) ? given.event : undefined;
  const timed = {
    ...(event === undefined ? {} : { event }),
    ...(typeof given.delay === 'number' ? { delay: given.delay } : {}),
  };
  switch (type) {
    case 'xstate.sendTo':
      return { kind: 'send', name: actorName(given.to, self), ...timed };
    case 'xstate.raise':
      return { kind: 'raise', name: event?.type ?? '', ...timed };
    case 'xstate.emit':
      return { kind: 'emit', name: event?.type ?? '', ...timed };
    case 'xstate.cancel':
      return { kind: 'cancel', name: String(given.sendId ?? params) };
    case 'xstate.spawnChild':
      return {
        kind: 'start',
        name: actorName(given.actorRef, self),
        value: [sourceName(given.src), given.input],
      };
    case 'xstate.stopChild':
      return { kind: 'stop', name: actorName(params, self) };
    case 'xstate.log':
      return { kind: 'log', name: String(given.label ?? ''), value: given.value };
    default:
      return { kind: 'action', name: type, ...(params === undefined ? {} : { value: params }) };
  }
}

/** For example `send socket {"type":"PING"} after 1000 ms`. Two effects are the same if their words are. */
export function effectWords({ kind, name, event, delay, value }: Effect): string {
  return [
    kind,
    name,
    ...(event === undefined ? [] : [textOf(event)]),
    ...(delay === undefined ? [] : [`after ${delay} ms`]),
    ...(value === undefined ? [] : [textOf(value)]),
  ].join(' ');
}

/** The members that the actions of XState have in their params. */
interface Given {
  readonly to?: unknown;
  readonly event?: unknown;
  readonly delay?: unknown;
  readonly sendId?: unknown;
  readonly actorRef?: unknown;
  readonly src?: unknown;
  readonly input?: unknown;
  readonly label?: unknown;
  readonly value?: unknown;
}

function isEvent(value: unknown): value is EventObject {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

function actorName(ref: unknown, self: AnyActorRef): string {
  if (ref === self) return 'self';
  if (typeof ref !== 'object' || ref === null) return String(ref ?? '');
  if (ref === self._parent) return 'parent';
  return 'id' in ref ? String(ref.id) : '';
}

/** Logic that is written in place has a name that XState or a driver made up. */
function sourceName(src: unknown): string {
  return typeof src === 'string' && !/^(xstate\.invoke\.|inline )/.test(src) ? src : 'inline';
}
