/** Tells a machine of XState 5 from everything else, also when another copy of xstate made it. */
import type { AnyStateMachine } from 'xstate';
import { ChartError } from './chart-error.js';

/** Whether a value is a machine of XState 5. The copy of xstate that made it does not matter, so no class is compared. */
export function isMachine(value: unknown): value is AnyStateMachine {
  return (
    isObject(value) &&
    typeof value.id === 'string' &&
    isObject(value.config) &&
    isObject(value.implementations) &&
    typeof value.provide === 'function' &&
    typeof value.getInitialSnapshot === 'function' &&
    isObject(value.root) &&
    isObject(value.root.states)
  );
}

/** What a value is instead of a machine, and what to do; undefined where nothing is known about it. */
export function notMachine(value: unknown): { readonly what: string; readonly nextStep: string } | undefined {
  if (isMachine(value)) return undefined;
  if (isObject(value) && '__xstatenode' in value && 'initialState' in value) {
    return { what: 'a machine of XState 4', nextStep: 'Only XState 5 is supported: upgrade xstate.' };
  }
  if (isObject(value) && typeof value.getSnapshot === 'function' && isMachine(value.logic)) {
    return { what: 'a running actor', nextStep: 'Pass the machine that it was created from.' };
  }
  if (typeof value === 'function') {
    return { what: 'a function', nextStep: 'Pass the machine that it returns.' };
  }
  if (isObject(value) && isObject(value.states) && value.provide === undefined) {
    return { what: 'the definition of a machine', nextStep: 'Pass createMachine(definition).' };
  }
  return undefined;
}

/** @throws ChartError for everything that is no machine of XState 5 */
export function assertMachine(value: unknown, name?: string): asserts value is AnyStateMachine {
  if (isMachine(value)) return;
  const known = notMachine(value);
  const subject = name === undefined ? 'The chart' : `The chart ${name}`;
  const what = known?.what ?? (value === null ? 'null' : `of the type ${typeof value}`);
  throw new ChartError(
    `${subject} is ${what}, not a machine of XState 5`,
    undefined,
    known?.nextStep ?? 'Pass what createMachine() or setup().createMachine() returns.',
  );
}

/** A machine of another definition, made by the class of the copy of xstate that made the first one. */
export function rebuilt(machine: AnyStateMachine, config: object, implementations: object): AnyStateMachine {
  const made: unknown = Reflect.construct(machine.constructor, [config, implementations]);
  assertMachine(made, machine.id);
  return made;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null;
