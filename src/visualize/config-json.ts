import type { AnyStateMachine } from 'xstate';
import { COMPUTED, referenceOf } from './reference.js';

/** Members that may be computed at run time. Functions here have no name that describes the chart. */
const COMPUTED_MEMBERS = new Set(['context', 'input', 'output', 'types', 'options', 'schemas']);

/**
 * The definition of a machine as JSON that `createMachine()` accepts and Stately Studio imports, with actions, guards,
 * delays and actors by their names.
 */
export function toConfigJson(machine: AnyStateMachine, hash: string): string {
  const config = serializable(machine.config);
  const members = typeof config === 'object' && config !== null ? config : {};
  return `${JSON.stringify({ id: machine.id, ...members, meta: { chartHash: hash } }, null, 2)}\n`;
}

function serializable(value: unknown): unknown {
  if (typeof value === 'function') return referenceJson(value);
  if (Array.isArray(value)) return value.map(serializable);
  if (typeof value !== 'object' || value === null) return value;
  // Actor logic in place of a name.
  if ('transition' in value && typeof value.transition === 'function')
    return 'id' in value ? String(value.id) : 'unnamed';
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]: [string, unknown]): [string, unknown][] => {
      if (key === 'params' && typeof inner === 'function') return [[key, COMPUTED]];
      return inner === undefined || (COMPUTED_MEMBERS.has(key) && !isObject(inner))
        ? []
        : [[key, serializable(inner)]];
    }),
  );
}

/** A name, or an object with what the reference is made of: `{"type": "and", "params": {"guards": […]}}`. */
function referenceJson(made: unknown): unknown {
  const { type, params } = referenceOf(made);
  if (params === undefined) return type.replace(/^xstate\./, '');
  return { type, params: serializable(params) };
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;
