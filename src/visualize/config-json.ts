import type { AnyStateMachine } from 'xstate';
import { nameOf } from './walk.js';

/** What is computed when the chart runs: it has no name, and no place in a description of the chart. */
const COMPUTED = new Set(['context', 'input', 'output', 'params', 'types', 'options', 'schemas']);

/**
 * The machine's own definition as JSON, as `createMachine()` takes it and Stately Studio imports it: actions,
 * guards, delays and actors by their names.
 */
export function toConfigJson(machine: AnyStateMachine, hash: string): string {
  const config = plain(machine.config);
  const whole = typeof config === 'object' && config !== null ? config : {};
  return `${JSON.stringify({ id: machine.id, ...whole, meta: { chartHash: hash } }, null, 2)}\n`;
}

function plain(value: unknown): unknown {
  if (typeof value === 'function') return nameOf(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  // An actor's logic that stands where a name could.
  if ('transition' in value && typeof value.transition === 'function')
    return 'id' in value ? String(value.id) : 'unnamed';
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, unknown][] =>
      inner === undefined || (COMPUTED.has(key) && !isFixed(inner)) ? [] : [[key, plain(inner)]],
    ),
  );
}

const isFixed = (value: unknown): boolean => typeof value === 'object' && value !== null;
