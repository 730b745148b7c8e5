import type { AnyStateMachine } from 'xstate';
import { registerSource } from '../../src/protocol/chart-source.js';
import { SOURCE_HASHES } from './source-hashes.js';

/** Gives each machine of the engine the hash of its sources, for `chartHash`. Other values are ignored. */
export function registerSources(machines: Readonly<Record<string, unknown>>): void {
  for (const machine of Object.values(machines)) {
    const hash = isMachine(machine) ? SOURCE_HASHES[machine.id] : undefined;
    if (hash !== undefined && isMachine(machine)) registerSource(machine, hash);
  }
}

function isMachine(value: unknown): value is AnyStateMachine {
  return typeof value === 'object' && value !== null && 'config' in value && 'implementations' in value;
}
