/**
 * The one place where something of a running chart is turned into what may leave the process: names, from the
 * chart's definition or from the vocabulary of reasons. Context, payloads, input and output are not looked at,
 * but for the code of the last decision.
 */
import type { AnyActorLogic, AnyStateMachine, AnyTransitionDefinition } from 'xstate';
import { isReason } from '../protocol/reasons.js';
import { edgeIds } from '../visualize/walk.js';
import type { EndStatus } from './timeline.js';

const LONGEST_NAME = 160;
/** What an event is called that the chart does not know: its type may be anything. */
export const UNKNOWN_EVENT = '(unknown event)';

export const clipped = (name: string): string =>
  name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;

export function isMachine(logic: AnyActorLogic): logic is AnyStateMachine {
  return 'root' in logic && 'states' in logic;
}

/** Names of one chart that may be told, looked up at each step. Lists of one name are made once and shared. */
export class ChartNames {
  readonly #edges: ReadonlyMap<AnyTransitionDefinition, readonly [string]>;
  readonly #events: ReadonlySet<string>;
  readonly #states = new Map<string, readonly [string]>();

  private constructor(machine: AnyStateMachine) {
    this.#edges = new Map([...edgeIds(machine)].map(([transition, id]) => [transition, [id]]));
    // Not `machine.events`: that one leaves out events that are refused by name.
    this.#events = new Set([...this.#edges.keys()].map(({ eventType }) => eventType));
  }

  static #known = new WeakMap<AnyStateMachine, ChartNames>();

  static of(machine: AnyStateMachine): ChartNames {
    let names = ChartNames.#known.get(machine);
    if (names === undefined) {
      names = new ChartNames(machine);
      ChartNames.#known.set(machine, names);
    }
    return names;
  }

  edge(transition: AnyTransitionDefinition): string | undefined {
    return this.#edges.get(transition)?.[0];
  }

  /** Edges that were taken so far, and this one. */
  edgesWith(taken: readonly string[], transition: AnyTransitionDefinition): readonly string[] {
    const edge = this.#edges.get(transition);
    if (edge === undefined) return taken;
    return taken.length === 0 ? edge : [...taken, ...edge];
  }

  /** Ids of the active states without children. */
  active(snapshot: unknown): readonly string[] {
    const nodes = nodesOf(snapshot);
    let only: string | undefined;
    for (const { id, type } of nodes) {
      if (type !== 'atomic' && type !== 'final') continue;
      if (only !== undefined) return activeOf(snapshot);
      only = id;
    }
    if (only === undefined) return NONE;
    let list = this.#states.get(only);
    if (list === undefined) {
      list = [only];
      this.#states.set(only, list);
    }
    return list;
  }

  event(type: string): string {
    return this.#events.has(type) || isInternal(type) ? clipped(type) : UNKNOWN_EVENT;
  }
}

/** Events that XState makes itself, and their names with them. */
export const isInternal = (type: string): boolean => type.startsWith('xstate.');

interface Node {
  readonly id: string;
  readonly type: string;
}

/** Ids of the active states without children. */
export function activeOf(snapshot: unknown): readonly string[] {
  const found: string[] = [];
  for (const { id, type } of nodesOf(snapshot)) if (type === 'atomic' || type === 'final') found.push(id);
  return found;
}

const nodesOf = (snapshot: unknown): readonly Node[] =>
  isRecord(snapshot) && Array.isArray(snapshot._nodes) ? snapshot._nodes : [];

export const NONE: readonly string[] = [];

/** The code of the decision that led here; undefined where the chart keeps none. */
export function reasonOf(snapshot: unknown): string | undefined {
  if (!isRecord(snapshot) || !isRecord(snapshot.context) || !isRecord(snapshot.context.decision)) return;
  const { reason } = snapshot.context.decision;
  return typeof reason === 'string' && isReason(reason) ? reason : undefined;
}

/** The code that an action of a step was given. */
export function reasonOfEffects(effects: readonly { readonly params: unknown }[]): string | undefined {
  for (const { params } of effects) {
    if (isRecord(params) && typeof params.reason === 'string' && isReason(params.reason))
      return params.reason;
  }
  return undefined;
}

/** Undefined while it runs. */
export function endOf(snapshot: unknown): EndStatus | undefined {
  const status = isRecord(snapshot) ? snapshot.status : undefined;
  return status === 'done' || status === 'error' || status === 'stopped' ? status : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
