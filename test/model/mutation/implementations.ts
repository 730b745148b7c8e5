/** Mistakes in the functions that a chart names: another delay, an assignment that does not clear, another reason. */
import type { AnyStateMachine } from 'xstate';
import type { Chart } from '../../../src/visualize/chart.js';
import { otherReason } from './actions.js';
import { type Config, stateIn } from './definition.js';
import type { Mutant } from './mutants.js';

type Values = Readonly<Record<string, unknown>>;
type Assigner = (args: { readonly context: Values }, params: unknown) => Values;

interface Assignment {
  readonly type: 'xstate.assign';
  readonly assignment: Assigner | Readonly<Record<string, unknown>>;
}

/** What assignments did while paths were played: `ACTION.KEY` for each clear, `ACTION` for each reason. */
export interface Observed {
  readonly clears: ReadonlySet<string>;
  readonly reasons: ReadonlySet<string>;
}

/** Each delay doubled, by the state that waits for it. */
export function delayMutants(chart: Chart): Mutant[] {
  const ids = new Map<string, Mutant>();
  for (const { source, trigger } of chart.edges) {
    if (trigger.kind !== 'after') continue;
    const id = `delay ${source} ${trigger.delay}`;
    const words = `${source} waits twice as long as ${trigger.delay}`;
    ids.set(id, { id, operator: 'delay', at: source, detail: trigger.delay, words });
  }
  return [...ids.values()];
}

export function implementationMutants({ clears, reasons }: Observed): Mutant[] {
  return [
    ...[...clears].sort().map((at): Mutant => {
      return { id: `clear ${at}`, operator: 'clear', at, words: `${at.replace('.', ' does not clear ')}` };
    }),
    ...[...reasons].sort().map((at): Mutant => {
      return { id: `reason ${at}`, operator: 'reasonOf', at, words: `${at} records another reason` };
    }),
  ];
}

export function mutateDelay(config: Config, chart: Chart, machine: AnyStateMachine, mutant: Mutant): object {
  const state = stateIn(config, chart, mutant.at);
  const { detail: delay = '' } = mutant;
  const { [delay]: edges, ...others } = state.after ?? {};
  const named: unknown = machine.implementations.delays[delay];
  const doubled = `${delay} doubled`;
  state.after = { ...others, [doubled]: edges };
  const double = (args: unknown, params: unknown): number =>
    2 *
    (typeof named === 'function'
      ? (named as (a: unknown, p: unknown) => number)(args, params)
      : Number(named ?? delay));
  return { delays: { ...machine.implementations.delays, [doubled]: double } };
}

/** The implementations with one assignment that does something else. */
export function mutateImplementation(machine: AnyStateMachine, { operator, at }: Mutant): object {
  const [name = '', key = ''] = at.split('.');
  const { actions } = machine.implementations;
  const action: unknown = actions[name];
  if (!isAssignment(action)) throw new Error(`${machine.id} has no assignment ${name}`);
  const changed = wrapped(action, (values) => {
    if (operator === 'clear') return without(values, key);
    return withOtherReason(values);
  });
  return { actions: { ...actions, [name]: changed } };
}

/** A machine whose assignments report what they do. */
export function observed(machine: AnyStateMachine): { machine: AnyStateMachine; found: Observed } {
  const [clears, reasons] = [new Set<string>(), new Set<string>()];
  const actions = Object.entries(machine.implementations.actions).flatMap(
    ([name, action]: [string, unknown]): [string, unknown][] => {
      if (!isAssignment(action)) return [];
      const watched = wrapped(action, (values, context) => {
        for (const [key, value] of Object.entries(values))
          if (isEmpty(value) && !isEmpty(context[key])) clears.add(`${name}.${key}`);
        if (withOtherReason(values) !== values) reasons.add(name);
        return values;
      });
      return [[name, watched]];
    },
  );
  return {
    machine: machine.provide({ actions: Object.fromEntries(actions) } as never),
    found: { clears, reasons },
  };
}

/** The same action of XState with another assignment. */
function wrapped(action: Assignment, change: (values: Values, context: Values) => Values): unknown {
  const assignment: Assigner = (args, params) => change(valuesOf(action, args, params), args.context);
  return Object.assign(() => {}, action, { assignment });
}

function valuesOf({ assignment }: Assignment, args: Parameters<Assigner>[0], params: unknown): Values {
  if (typeof assignment === 'function') return assignment(args, params);
  return Object.fromEntries(
    Object.entries(assignment).map(([key, value]) => [
      key,
      typeof value === 'function' ? (value as Assigner)(args, params) : value,
    ]),
  );
}

function without(values: Values, key: string): Values {
  if (!isEmpty(values[key])) return values;
  const { [key]: _, ...others } = values;
  return others;
}

/** The decision of most charts, or the reason of the others. Assignments that keep the decision do not return it. */
function withOtherReason(values: Values): Values {
  const { decision, reason } = values;
  if (typeof reason === 'string') return { ...values, reason: otherReason(reason) };
  if (typeof decision !== 'object' || decision === null || !('reason' in decision)) return values;
  return { ...values, decision: { ...decision, reason: otherReason(String(decision.reason)) } };
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '' || value === 0) return true;
  if (value === 'none' || value === 'unknown' || value === 'unset') return true;
  return typeof value === 'object' && Object.values(value).every(isEmpty);
}

function isAssignment(action: unknown): action is Assignment {
  return typeof action === 'function' && 'type' in action && action.type === 'xstate.assign';
}
