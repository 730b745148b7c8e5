/** What the functions of a chart do, as far as their text shows it. */
import type { AnyStateMachine } from 'xstate';
import { sourceHashOf } from '../protocol/chart-source.js';

/** How pictures and tools show a chart is no part of what it does. */
const SHOWN = new Set(['description', 'meta', 'types', 'schemas', 'version']);
/** Functions of XState in what `assign`, `raise`, `and` and the others return. */
const OF_XSTATE = new Set(['resolve', 'check', 'execute']);

/**
 * A value for the hash of a chart, which differs when the body of a guard, action, delay or input differs. For a chart of
 * this package it is the hash of its sources, which is the same in each build. For any other chart it is the text of its
 * functions as they run: a bundler that changes the text changes it.
 */
export function bodiesOf(machine: AnyStateMachine): unknown {
  const source = sourceHashOf(machine);
  if (source !== undefined) return source;
  const { actions, guards, delays } = machine.implementations;
  return bodyOf([machine.config, actions, guards, delays], []);
}

/** The text of one guard, action or delay, for a comparison. */
export function bodyText(implementation: unknown): string {
  return JSON.stringify(bodyOf(implementation, []));
}

/** `around` holds the objects around the value: one that contains itself is not entered again. */
function bodyOf(value: unknown, around: readonly unknown[]): unknown {
  if (around.includes(value)) return 'circular';
  const inner = [...around, value];
  if (typeof value === 'function') {
    const members = membersOf(value, inner);
    // The text of a function of XState depends on the release of XState, not on the chart.
    const text = isOfXState(value) ? 'xstate' : String(value);
    return Object.keys(members).length === 0 ? text : { text, members };
  }
  if (Array.isArray(value)) return value.map((one) => bodyOf(one, inner));
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Map || value instanceof Set) return [...value].map((one) => bodyOf(one, inner));
  // Actor logic: the chart knows it by its name.
  if ('transition' in value && typeof value.transition === 'function') return 'actor';
  return membersOf(value, inner);
}

function membersOf(value: object, around: readonly unknown[]): Record<string, unknown> {
  const isXState = isOfXState(value);
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, one]: [string, unknown]): [string, unknown][] => {
      if (one === undefined || SHOWN.has(key) || (isXState && OF_XSTATE.has(key))) return [];
      return [[key, bodyOf(one, around)]];
    }),
  );
}

function isOfXState(value: object): boolean {
  return typeof value === 'function' && ('resolve' in value || 'check' in value);
}
