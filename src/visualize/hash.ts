import { createHash } from 'node:crypto';
import type { AnyStateMachine } from 'xstate';
import { walk } from './walk.js';

/**
 * Names what a chart does: the first 12 hex digits of the SHA-256 of its definition, with actions, guards and
 * actors by their names. Descriptions do not count, so that a better wording keeps the hash.
 */
export function chartHash(machine: AnyStateMachine): string {
  const { id, states, edges } = walk(machine);
  return createHash('sha256').update(canonicalJson({ id, states, edges })).digest('hex').slice(0, 12);
}

/** JSON with the members of every object in alphabetical order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (key === 'description') return undefined;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
