/**
 * The only code that reads running charts for the inspector. It returns names: those of the chart definition and the codes
 * of reasons. It reads no context, payload, input or output, except the reason code of the last decision and the last
 * failure, which the status shows, too.
 */
import type { AnyActorLogic, AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import { maskNamed } from '../observe/body-preview.js';
import { peerText } from '../observe/peer-text.js';
import { isReason } from '../protocol/reasons.js';
import { edgeIds } from '../visualize/chart.js';
import type { EndStatus, EntryFailure } from './timeline.js';

const MAX_NAME_LENGTH = 160;
/** Shown for an event that the chart does not define: its type could be any string. */
export const UNKNOWN_EVENT = '(unknown event)';

export const truncated = (name: string): string =>
  name.length > MAX_NAME_LENGTH ? `${name.slice(0, MAX_NAME_LENGTH)}…` : name;

export function isMachine(logic: AnyActorLogic): logic is AnyStateMachine {
  return 'root' in logic && 'states' in logic;
}

/** The names of one chart, looked up at each step. Lists of one name are created once and shared. */
export class ChartNames {
  readonly #edges: ReadonlyMap<AnyTransitionDefinition, readonly [string]>;
  readonly #events: ReadonlySet<string>;
  readonly #states = new Map<string, readonly [string]>();

  private constructor(machine: AnyStateMachine) {
    this.#edges = new Map([...edgeIds(machine)].map(([transition, id]) => [transition, [id]]));
    // `machine.events` does not contain events whose transitions are forbidden.
    this.#events = new Set([...this.#edges.keys()].map(({ eventType }) => eventType));
  }

  static #cache = new WeakMap<AnyStateMachine, ChartNames>();

  static of(machine: AnyStateMachine): ChartNames {
    let names = ChartNames.#cache.get(machine);
    if (names === undefined) {
      names = new ChartNames(machine);
      ChartNames.#cache.set(machine, names);
    }
    return names;
  }

  edge(transition: AnyTransitionDefinition): string | undefined {
    return this.#edges.get(transition)?.[0];
  }

  /** The edges taken so far, with the edge of this transition. */
  edgesWith(taken: readonly string[], transition: AnyTransitionDefinition): readonly string[] {
    const edge = this.#edges.get(transition);
    if (edge === undefined) return taken;
    return taken.length === 0 ? edge : [...taken, ...edge];
  }

  /** Ids of the active leaf states. */
  activeStates(snapshot: unknown): readonly string[] {
    const nodes = nodesOf(snapshot);
    let single: string | undefined;
    for (const { id, type } of nodes) {
      if (type !== 'atomic' && type !== 'final') continue;
      if (single !== undefined) return activeStatesOf(snapshot);
      single = id;
    }
    if (single === undefined) return NO_NAMES;
    let list = this.#states.get(single);
    if (list === undefined) {
      list = [single];
      this.#states.set(single, list);
    }
    return list;
  }

  event(type: string): string {
    return this.#events.has(type) || isInternal(type) ? truncated(type) : UNKNOWN_EVENT;
  }
}

/** Events that XState itself creates; their names hold no data. */
export const isInternal = (type: string): boolean => type.startsWith('xstate.');

interface Node {
  readonly id: string;
  readonly type: string;
}

/** Ids of the active leaf states. */
export function activeStatesOf(snapshot: unknown): readonly string[] {
  const found: string[] = [];
  for (const { id, type } of nodesOf(snapshot)) if (type === 'atomic' || type === 'final') found.push(id);
  return found;
}

const nodesOf = (snapshot: unknown): readonly Node[] =>
  isRecord(snapshot) && Array.isArray(snapshot._nodes) ? snapshot._nodes : [];

export const NO_NAMES: readonly string[] = [];

/** The reason code of the last decision; undefined when the context holds none. */
export function reasonOf(snapshot: unknown): string | undefined {
  if (!isRecord(snapshot) || !isRecord(snapshot.context) || !isRecord(snapshot.context.decision)) return;
  const { reason } = snapshot.context.decision;
  return typeof reason === 'string' && isReason(reason) ? reason : undefined;
}

/** The reason code in the params of the actions of a step. */
export function reasonOfEffects(effects: readonly { readonly params: unknown }[]): string | undefined {
  for (const { params } of effects) {
    if (isRecord(params) && typeof params.reason === 'string' && isReason(params.reason))
      return params.reason;
  }
  return undefined;
}

/** A failure that a chart holds: the last one, which it reports in its status. */
export interface HeldFailure {
  readonly reason: string;
  readonly message: string;
  readonly httpStatus?: unknown;
  readonly requestId?: unknown;
}

const MAX_FAILURE_BYTES = 400;
const MAX_REQUEST_ID_BYTES = 100;

/** The last failure in the context; undefined when it holds none. */
export function failureIn(snapshot: unknown): HeldFailure | undefined {
  if (!isRecord(snapshot) || !isRecord(snapshot.context)) return undefined;
  const { lastFailure } = snapshot.context;
  return isFailure(lastFailure) ? lastFailure : undefined;
}

function isFailure(value: unknown): value is HeldFailure {
  return (
    isRecord(value) &&
    typeof value.reason === 'string' &&
    isReason(value.reason) &&
    typeof value.message === 'string'
  );
}

/** Its text, HTTP status and request id: on one line, cut, and with everything masked that looks like a token. */
export function shownFailure({ message, httpStatus, requestId }: HeldFailure): EntryFailure {
  return {
    text: peerText(maskNamed(message), MAX_FAILURE_BYTES),
    ...(typeof httpStatus === 'number' ? { httpStatus } : {}),
    ...(typeof requestId === 'string'
      ? { requestId: peerText(maskNamed(requestId), MAX_REQUEST_ID_BYTES) }
      : {}),
  };
}

/** How the actor ended; undefined while it runs. */
export function endStatusOf(snapshot: unknown): EndStatus | undefined {
  const status = isRecord(snapshot) ? snapshot.status : undefined;
  return status === 'done' || status === 'error' || status === 'stopped' ? status : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
