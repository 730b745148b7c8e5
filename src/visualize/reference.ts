/** What a machine refers to by name: actions, guards and actors, as data and as text. */

export interface Reference {
  /** A name; `xstate.raise` and the like for actions that XState makes. */
  readonly type: string;
  /** `computed` where a function makes them. */
  readonly params?: Readonly<Record<string, unknown>> | typeof COMPUTED;
}

/** In place of what a function computes. */
export const COMPUTED = 'computed';

/** Reads a name, an object with `type` and `params`, a guard like `and([…])`, or an action like `raise(…)`. */
export function referenceOf(value: unknown): Reference {
  if (typeof value === 'string') return { type: value };
  if (typeof value === 'function') return ofFunction(value);
  if (!isRecord(value) || !('type' in value)) return { type: 'unnamed' };
  const inner = referenceOf(typeof value.type === 'function' ? value.type : String(value.type));
  if (value.params === undefined || inner.params !== undefined) return inner;
  if (typeof value.params === 'function') return { ...inner, params: COMPUTED };
  return isRecord(value.params) ? { ...inner, params: value.params } : inner;
}

function ofFunction(made: { readonly name: string }): Reference {
  const name = made.name === '' ? 'unnamed' : made.name;
  if ('guards' in made && Array.isArray(made.guards)) {
    return { type: name, params: { guards: made.guards.map(referenceOf) } };
  }
  if ('stateValue' in made) return { type: name, params: { stateValue: made.stateValue } };
  if (!('type' in made) || typeof made.type !== 'string' || !made.type.startsWith(BY_XSTATE)) {
    return { type: name };
  }
  const members: Readonly<Record<string, unknown>> = { ...made };
  const params = Object.fromEntries(
    PARAMS_BY_XSTATE.flatMap((key) => (members[key] === undefined ? [] : [[key, fixed(members[key])]])),
  );
  return Object.keys(params).length === 0 ? { type: made.type } : { type: made.type, params };
}

/** The prefix of actions that XState makes. */
const BY_XSTATE = 'xstate.';
/** What they keep as properties. The content of `assign` and `enqueueActions` is code. */
const PARAMS_BY_XSTATE = ['to', 'event', 'id', 'delay', 'sendId', 'src', 'actorRef', 'label', 'value'];

function fixed(value: unknown): unknown {
  if (typeof value === 'function') return COMPUTED;
  // An actor as the target of an action has no data that describes the chart.
  return isRecord(value) && 'send' in value ? COMPUTED : value;
}

/**
 * The text of an action, guard or actor, with its fixed params: `setReason(enrolled)`, `and(ready, not(busy))`,
 * `stateIn({"link":"up"})`, `raise(TICK)`.
 */
export function nameOf(value: unknown): string {
  const { type, params } = referenceOf(value);
  const name = type.startsWith(BY_XSTATE) ? type.slice(BY_XSTATE.length) : type;
  if (params === undefined || params === COMPUTED) return name;
  if (Array.isArray(params.guards)) return `${name}(${params.guards.map(nameOf).join(', ')})`;
  if ('stateValue' in params) return `${name}(${JSON.stringify(params.stateValue)})`;
  if (!type.startsWith(BY_XSTATE)) return `${name}(${Object.values(params).filter(isPlain).join(', ')})`;
  const { to, event, id, delay, sendId, src, actorRef } = params;
  const parts = [to, isRecord(event) ? event.type : event, sendId, src, actorRef].filter(isName);
  if (src !== undefined && isName(id)) parts.push(id);
  return `${name}${parts.length === 0 ? '' : `(${parts.join(', ')})`}${delay === undefined ? '' : ` after ${String(delay)}`}`;
}

const isPlain = (value: unknown): boolean =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
const isName = (value: unknown): boolean => typeof value === 'string' && value !== COMPUTED;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
