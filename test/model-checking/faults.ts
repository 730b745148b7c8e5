/** Charts with one mistake each, that the search has to find. */
import { type AnyStateMachine, createMachine } from 'xstate';

interface Transition {
  target?: unknown;
  guard?: unknown;
  actions?: unknown;
}

/** A node of a definition, as far as the faults change it. */
export interface Definition {
  on?: Record<string, unknown>;
  after?: Record<string, unknown>;
  always?: unknown;
  entry?: unknown;
  invoke?: { onDone?: unknown };
  states?: Record<string, Definition>;
}

export interface Fault {
  readonly title: string;
  /** The law that it breaks. */
  readonly law: string;
  readonly chart: 'remoteControl' | 'pairing' | 'tokenRenewal' | 'account' | 'authRecovery';
  readonly edit: (root: Definition) => void;
}

/** The state at a path, for example `active.backingOff.failed`. */
export function stateAt(root: Definition, path: string): Definition {
  return path.split('.').reduce<Definition>((state, key) => {
    const inner = state.states?.[key];
    if (inner === undefined) throw new Error(`The chart has no state ${path}.`);
    return inner;
  }, root);
}

/** The transitions of a member, as a list. */
export const listOf = (value: unknown): Transition[] =>
  (Array.isArray(value) ? value : [value]) as Transition[];

export function withFault(machine: AnyStateMachine, edit: Fault['edit']): AnyStateMachine {
  const config = copy(machine.config) as Definition;
  edit(config);
  return createMachine(config as never, machine.implementations as never);
}

/** A deep copy, because the definition uses some parts in several places. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null || 'transition' in value) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)]));
}

const without = (actions: unknown, name: string): unknown[] =>
  (Array.isArray(actions) ? actions : [actions]).filter((action) => action !== name);

export const FAULTS: readonly Fault[] = [
  {
    title: 'after a failure nothing starts the next attempt',
    law: 'no deadlock',
    chart: 'remoteControl',
    edit: (root) => {
      delete stateAt(root, 'active.backingOff.failed').after;
    },
  },
  {
    title: 'a refused token is renewed without a growing pause',
    law: 'no livelock without a growing pause',
    chart: 'remoteControl',
    edit: (root) => {
      const deciding = stateAt(root, 'active.tokenInvalid.deciding');
      deciding.always = listOf(deciding.always).map((one) => ({ ...one, actions: 'scheduleQuickRetry' }));
    },
  },
  {
    title: 'a link that has just opened resets the pauses',
    law: 'no livelock without a growing pause',
    chart: 'remoteControl',
    edit: (root) => {
      stateAt(root, 'active.connected').entry = ['clearUnresolved', 'resetFailureCounters'];
    },
  },
  {
    title: 'the token of a lost identity is kept',
    law: 'a token never outlives its identity',
    chart: 'remoteControl',
    edit: (root) => {
      const state = stateAt(root, 'active.reenrolling');
      state.entry = without(state.entry, 'clearToken');
    },
  },
  {
    title: 'a token for an earlier identity is accepted from a pairing',
    law: 'a token never outlives its identity',
    chart: 'remoteControl',
    edit: (root) => {
      const on = stateAt(root, 'active').on ?? {};
      on['TOKEN.RENEWED'] = listOf(on['TOKEN.RENEWED']).map(({ guard, ...rest }) => rest);
    },
  },
  {
    title: 'a pairing code is shown after its identity was replaced',
    law: 'a pairing code belongs to the identity in use',
    chart: 'pairing',
    edit: (root) => {
      delete stateAt(root, 'codeShown').on?.['IDENTITY.REPLACED'];
    },
  },
  {
    title: 'disable is ignored while remote control is on',
    law: 'disable always ends in idle',
    chart: 'remoteControl',
    edit: (root) => {
      delete stateAt(root, 'active').on?.DISABLE;
    },
  },
  {
    title: 'a wake-up switches remote control on',
    law: 'disable always ends in idle',
    chart: 'remoteControl',
    edit: (root) => {
      const idle = stateAt(root, 'idle');
      idle.on = { ...idle.on, WAKE: 'active' };
    },
  },
  {
    title: 'an identity that could not be written is enrolled again',
    law: 'one enrollment at a time',
    chart: 'remoteControl',
    edit: (root) => {
      stateAt(root, 'active.enrolling.notPersisted').after = { pause: 'requesting' };
    },
  },
];
