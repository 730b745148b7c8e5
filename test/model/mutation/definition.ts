/** Access to the definition of a machine, to put a mistake into a copy of it. */
import type { AnyStateMachine } from 'xstate';
import type { Chart, ChartEdge } from '../../../src/visualize/chart.js';

export interface Transition {
  target?: unknown;
  guard?: unknown;
  actions?: unknown;
}

export interface Config {
  on?: Record<string, unknown>;
  after?: Record<string, unknown>;
  always?: unknown;
  onDone?: unknown;
  invoke?: unknown;
  entry?: unknown;
  exit?: unknown;
  tags?: unknown;
  id?: string;
  states?: Record<string, Config>;
}

/** A deep copy, because the definition uses some parts in several places. */
export function copyOf(machine: AnyStateMachine): Config {
  return copy(machine.config) as Config;
}

function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null || 'transition' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]));
}

/** The definition of a state, by its id. */
export function stateIn(root: Config, chart: Chart, id: string): Config {
  const path = id
    .slice(chart.id.length)
    .split('.')
    .filter((key) => key !== '');
  let state = root;
  for (const key of path) {
    const inner = state.states?.[key];
    if (inner === undefined) throw new Error(`${id} was not found in the definition`);
    state = inner;
  }
  return state;
}

/** The list of edges of this source and trigger. */
export function edgesAt(root: Config, chart: Chart, { source, trigger }: ChartEdge): Transition[] {
  const state = stateIn(root, chart, source);
  switch (trigger.kind) {
    case 'event':
      return transitionsIn(state.on ?? {}, trigger.event);
    case 'after':
      return transitionsIn(state.after ?? {}, trigger.delay);
    case 'always':
      return transitionsIn(state, 'always');
    case 'childrenDone':
      return transitionsIn(state, 'onDone');
    default: {
      const invokes = (Array.isArray(state.invoke) ? state.invoke : [state.invoke]) as (Config &
        Record<string, unknown>)[];
      const invoke = invokes.find(({ id }) => id === trigger.actor);
      if (invoke === undefined) throw new Error(`${source} does not invoke ${trigger.actor}`);
      return transitionsIn(invoke, MEMBER_BY_TRIGGER[trigger.kind]);
    }
  }
}

const MEMBER_BY_TRIGGER = {
  actorDone: 'onDone',
  actorFailed: 'onError',
  actorSnapshot: 'onSnapshot',
} as const;

function transitionsIn(holder: object, key: string): Transition[] {
  const list = listIn(holder, key);
  list.splice(0, list.length, ...list.map(asTransition));
  return list as Transition[];
}

const asTransition = (one: unknown): Transition =>
  typeof one === 'string' ? { target: one } : (one as Transition);

/** Replaces a single value by a list that can be changed. */
export function listIn(holder: object, key: string): unknown[] {
  const record = holder as Record<string, unknown>;
  const value = record[key];
  const list = (
    Array.isArray(value) ? [...(value as unknown[])] : value === undefined ? [] : [value]
  ) as unknown[];
  record[key] = list;
  return list;
}
