import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { CHARTS, chartHashes } from '../../src/engine/charts.js';
import { chartHash } from '../../src/visualize/chart.js';

interface Variant {
  readonly guard?: 'first' | 'second';
  readonly event?: 'A' | 'B';
  readonly reason?: string;
  readonly description?: string;
  readonly implementation?: () => boolean;
}

const chart = ({
  guard = 'first',
  event = 'A',
  reason = 'x',
  description = '',
  implementation = () => true,
}: Variant) =>
  setup({
    types: { events: {} as { type: 'A' } | { type: 'B' } },
    actions: { because: (_, _params: { reason: string }) => undefined },
    guards: { first: implementation, second: () => true },
  }).createMachine({
    id: 'variant',
    description,
    initial: 'one',
    states: {
      one: {
        description,
        on: {
          [event]: {
            target: 'two',
            guard,
            description,
            actions: { type: 'because', params: { reason } },
          },
        },
      },
      two: {},
    },
  });

describe('chartHash', () => {
  it('is 12 hex digits, the same each time and for a provided copy', () => {
    for (const machine of Object.values(CHARTS)) {
      expect(chartHash(machine)).toMatch(/^[0-9a-f]{12}$/);
      expect(chartHash(machine.provide({}))).toBe(chartHash(machine));
    }
  });

  it('differs for each chart of the engine, and chartHashes() returns them by name', () => {
    const hashes = chartHashes();
    expect(Object.keys(hashes)).toEqual(Object.keys(CHARTS));
    expect(new Set(Object.values(hashes)).size).toBe(Object.keys(CHARTS).length);
  });

  it.each<[string, Variant]>([
    ['a guard', { guard: 'second' }],
    ['an event', { event: 'B' }],
    ['the params of an action', { reason: 'y' }],
  ])('changes with %s', (_, variant) => {
    expect(chartHash(chart(variant))).not.toBe(chartHash(chart({})));
  });

  it.each<[string, Variant]>([
    ['a description', { description: 'another text' }],
    ['the implementation of a guard', { implementation: () => false }],
  ])('does not change with %s', (_, variant) => {
    expect(chartHash(chart(variant))).toBe(chartHash(chart({})));
  });
});
