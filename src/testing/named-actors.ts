import type { AnyStateMachine } from 'xstate';
import { rebuilt } from '../visualize/machine-check.js';

interface Config {
  readonly invoke?: unknown;
  readonly states?: Readonly<Record<string, Config>>;
}

/**
 * The same machine, with a name for each invoked actor that is written in place: only named actors can be replaced. The
 * ids of states, transitions and invokes stay.
 */
export function withNamedActors(machine: AnyStateMachine): AnyStateMachine {
  const inline: Record<string, unknown> = {};
  const config = named(machine.config as Config, inline);
  if (Object.keys(inline).length === 0) return machine;
  const { actors, ...others } = machine.implementations;
  return rebuilt(machine, config, { ...others, actors: { ...actors, ...inline } });
}

function named(config: Config, inline: Record<string, unknown>): Config {
  const { invoke, states } = config;
  const list: readonly unknown[] = invoke === undefined ? [] : Array.isArray(invoke) ? invoke : [invoke];
  return {
    ...config,
    ...(list.length === 0 ? {} : { invoke: list.map((one) => namedInvoke(one, inline)) }),
    ...(states === undefined
      ? {}
      : {
          states: Object.fromEntries(
            Object.entries(states).map(([key, state]) => [key, named(state, inline)]),
          ),
        }),
  };
}

function namedInvoke(invoke: unknown, inline: Record<string, unknown>): unknown {
  if (typeof invoke !== 'object' || invoke === null || !('src' in invoke)) return invoke;
  if (typeof invoke.src === 'string') return invoke;
  const name = `inline ${Object.keys(inline).length}`;
  inline[name] = invoke.src;
  return { ...invoke, src: name };
}
