/** Copies of a statechart with one mistake each, which the tests must notice. */
import { type AnyStateMachine, createMachine } from 'xstate';
import { toChart } from '../../../src/visualize/chart.js';
import { actionMutants, mutateAction } from './actions.js';
import { copyOf } from './definition.js';
import { edgeMutants, mutateEdge } from './edges.js';
import {
  delayMutants,
  implementationMutants,
  mutateDelay,
  mutateImplementation,
  type Observed,
} from './implementations.js';

export type Operator =
  | 'drop'
  | 'retarget'
  | 'negate'
  | 'swap'
  | 'action'
  | 'send'
  | 'entry'
  | 'exit'
  | 'tag'
  | 'delay'
  | 'clear'
  | 'reason'
  | 'reasonOf';

export interface Mutant {
  /** Unique in its chart. */
  readonly id: string;
  readonly operator: Operator;
  /** Id of the edge or state, or name of the action, that is changed. */
  readonly at: string;
  /** Which part of it. */
  readonly detail?: string;
  /** In words, for the report. */
  readonly words: string;
}

/** What the paths of a chart show of it. */
export interface Seen extends Observed {
  /** Pairs of edges whose guards have held together, as `EDGE before EDGE`. */
  readonly rivals: ReadonlySet<string>;
}

/** Every mistake of every operator. `seen` says where the order of guards decides, and what assignments do. */
export function mutantsOf(machine: AnyStateMachine, seen: Seen): Mutant[] {
  const chart = toChart(machine);
  const { actions } = machine.implementations;
  const isMessage = (action: unknown): boolean => {
    const name = typeof action === 'string' ? action : (action as { type?: unknown }).type;
    return MESSAGES.has(typeOf(actions[String(name)]) ?? typeOf(action) ?? '');
  };
  return [
    ...edgeMutants(chart, seen.rivals),
    ...actionMutants(chart, copyOf(machine), isMessage),
    ...delayMutants(chart),
    ...implementationMutants(seen),
  ];
}

const MESSAGES = new Set(['xstate.sendTo', 'xstate.raise', 'xstate.emit']);

function typeOf(action: unknown): string | undefined {
  return typeof action === 'function' && 'type' in action ? String(action.type) : undefined;
}

/** A copy of the machine with one mistake. */
export function mutate(machine: AnyStateMachine, mutant: Mutant): AnyStateMachine {
  const chart = toChart(machine);
  const config = copyOf(machine);
  const changed = ((): object => {
    switch (mutant.operator) {
      case 'drop':
      case 'retarget':
      case 'negate':
      case 'swap':
        mutateEdge(config, chart, mutant);
        return {};
      case 'delay':
        return mutateDelay(config, chart, machine, mutant);
      case 'clear':
      case 'reasonOf':
        return mutateImplementation(machine, mutant);
      default:
        mutateAction(config, chart, mutant);
        return {};
    }
  })();
  return createMachine(config as never, { ...machine.implementations, ...changed } as never);
}

/** Changes the machine itself, for tests that import it. */
export function mutateInPlace(machine: AnyStateMachine, mutant: Mutant): void {
  Object.assign(machine, mutate(machine, mutant));
}
