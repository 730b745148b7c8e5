/** Copies of a statechart with one mistake each, which the tests must detect. */
import { type AnyStateMachine, createMachine, not } from 'xstate';
import { type Chart, type ChartEdge, toChart } from '../../src/visualize/chart.js';
import { edgeText } from '../../src/visualize/edge-text.js';

type Operator = 'drop' | 'retarget' | 'negate';

export interface Mutant {
  readonly operator: Operator;
  /** Id of the edge that is changed. */
  readonly edge: string;
  /** In words, for the report. */
  readonly words: string;
}

/** Each edge dropped, with another target, and with its guard negated. */
export function mutantsOf(machine: AnyStateMachine): Mutant[] {
  const chart = toChart(machine);
  return chart.edges.flatMap((edge): Mutant[] => {
    const words = edgeText(chart, edge);
    const operators: Operator[] = ['drop'];
    if (otherTarget(chart, edge) !== undefined) operators.push('retarget');
    if (edge.guard !== null) operators.push('negate');
    return operators.map((operator) => ({ operator, edge: edge.id, words: `${operator}: ${words}` }));
  });
}

/** A copy of the machine with one mistake. */
export function mutate(machine: AnyStateMachine, { operator, edge: id }: Mutant): AnyStateMachine {
  const chart = toChart(machine);
  const edge = chart.edges.find((one) => one.id === id);
  if (edge === undefined) throw new Error(`${machine.id} has no edge ${id}`);
  const config = copy(machine.config) as Config;
  const place = Number(id.slice(id.lastIndexOf(' ') + 1));
  const list = edgesAt(config, chart, edge);
  const transition = list[place];
  if (transition === undefined) throw new Error(`${id} was not found in the definition`);
  if (operator === 'drop') list.splice(place, 1);
  if (operator === 'retarget') transition.target = `#${otherTarget(chart, edge)}`;
  if (operator === 'negate') transition.guard = not(transition.guard as never);
  return createMachine(config as never, machine.implementations as never);
}

/** Changes the machine itself, for tests that import it. */
export function mutateInPlace(machine: AnyStateMachine, mutant: Mutant): void {
  Object.assign(machine, mutate(machine, mutant));
}

interface Transition {
  target?: unknown;
  guard?: unknown;
}

interface Config {
  on?: Record<string, unknown>;
  after?: Record<string, unknown>;
  always?: unknown;
  onDone?: unknown;
  invoke?: unknown;
  id?: string;
  states?: Record<string, Config>;
}

/** A sibling of the target; preferably one in which the chart can wait. */
function otherTarget(chart: Chart, edge: ChartEdge): string | undefined {
  const [target] = edge.targets;
  if (target === undefined) return undefined;
  const parent = chart.states.find(({ id }) => id === target)?.parent ?? null;
  const transient = new Set(
    chart.edges.flatMap(({ trigger, source }) => (trigger.kind === 'always' ? [source] : [])),
  );
  const siblings = chart.states.filter(
    (state) => state.parent === parent && state.id !== target && state.kind !== 'history',
  );
  return (siblings.find(({ id }) => !transient.has(id)) ?? siblings[0])?.id;
}

/** The list of edges of this source and trigger in the definition. */
function edgesAt(root: Config, chart: Chart, { source, trigger }: ChartEdge): Transition[] {
  const path = source
    .slice(chart.id.length)
    .split('.')
    .filter((key) => key !== '');
  let state = root;
  for (const key of path) {
    const inner = state.states?.[key];
    if (inner === undefined) throw new Error(`${source} was not found in the definition`);
    state = inner;
  }
  switch (trigger.kind) {
    case 'event':
      return listIn(state.on ?? {}, trigger.event);
    case 'after':
      return listIn(state.after ?? {}, trigger.delay);
    case 'always':
      return listIn(state, 'always');
    case 'childrenDone':
      return listIn(state, 'onDone');
    default: {
      const invokes = (Array.isArray(state.invoke) ? state.invoke : [state.invoke]) as (Config &
        Record<string, unknown>)[];
      const invoke = invokes.find(({ id }) => id === trigger.actor);
      if (invoke === undefined) throw new Error(`${source} does not invoke ${trigger.actor}`);
      return listIn(invoke, trigger.kind === 'actorDone' ? 'onDone' : 'onError');
    }
  }
}

/** Replaces short forms by a list that can be changed. */
function listIn(holder: object, key: string): Transition[] {
  const record = holder as Record<string, unknown>;
  const value = record[key];
  const all = (Array.isArray(value) ? value : [value]) as unknown[];
  const list = all.map(
    (one): Transition => (typeof one === 'string' ? { target: one } : (one as Transition)),
  );
  record[key] = list;
  return list;
}

/** A deep copy, because the definition uses some parts in several places. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null || 'transition' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]));
}
