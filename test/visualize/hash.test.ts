import { describe, expect, it } from 'vitest';
import { assign, setup } from 'xstate';
import { linkMachine } from '../../machines/link.js';
import { CHART_HASHES } from '../../src/engine/chart-hashes.js';
import { CHARTS, chartHashes } from '../../src/engine/charts.js';
import { sourceHashOf } from '../../src/protocol/chart-source.js';
import { chartHash } from '../../src/visualize/chart.js';

interface Variant {
  readonly guard?: 'first' | 'second';
  readonly event?: 'A' | 'B';
  readonly reason?: string;
  readonly description?: string;
  readonly implementation?: () => boolean;
  readonly count?: number | (() => number);
  readonly delay?: () => number;
}

const chart = ({
  guard = 'first',
  event = 'A',
  reason = 'x',
  description = '',
  implementation = () => true,
  count = 1,
  delay = () => 1_000,
}: Variant) =>
  setup({
    types: { context: {} as { count: number }, events: {} as { type: 'A' } | { type: 'B' } },
    actions: { because: (_, _params: { reason: string }) => undefined, count: assign({ count }) },
    guards: { first: implementation, second: () => true },
    delays: { pause: delay },
  }).createMachine({
    id: 'variant',
    context: { count: 0 },
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
      two: { entry: 'count', after: { pause: 'one' } },
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

  it('is the same in the table that the status of an engine shows', () => {
    expect(CHART_HASHES).toEqual(chartHashes());
  });

  it.each<[string, Variant]>([
    ['a guard', { guard: 'second' }],
    ['an event', { event: 'B' }],
    ['the params of an action', { reason: 'y' }],
    ['the body of a guard', { implementation: () => false }],
    ['the body of an action', { count: () => 2 }],
    ['the value that an action assigns', { count: 2 }],
    ['the body of a delay', { delay: () => 2_000 }],
  ])('changes with %s', (_, variant) => {
    expect(chartHash(chart(variant))).not.toBe(chartHash(chart({})));
  });

  it('does not change with a description', () => {
    expect(chartHash(chart({ description: 'another text' }))).toBe(chartHash(chart({})));
  });

  it('is the same for a chart that contains itself, and differs for inline functions', () => {
    const list: unknown[] = [];
    list.push(list);
    const inline = (guard: () => boolean) =>
      setup({}).createMachine({ context: { list }, on: { A: { guard, actions: () => {} } } });
    const yes = () => true;
    expect(chartHash(inline(yes))).toBe(chartHash(inline(yes)));
    expect(chartHash(inline(yes))).not.toBe(chartHash(inline(() => false)));
  });

  it.each(Object.entries(CHARTS))(
    'of %s comes from the sources, so that it is the same in each build',
    (_, machine) => {
      expect(sourceHashOf(machine)).toMatch(/^[0-9a-f]{16}$/);
    },
  );

  it('of a chart of the engine changes with another guard, and not with an action of the host', () => {
    const { guards } = linkMachine.implementations;
    const other = Object.fromEntries(Object.keys(guards).map((name) => [name, () => false]));
    expect(Object.keys(other).length).toBeGreaterThan(0);
    expect(chartHash(linkMachine.provide({ guards: other }))).not.toBe(chartHash(linkMachine));
    expect(chartHash(linkMachine.provide({ actions: { log: () => {} } as never }))).toBe(
      chartHash(linkMachine),
    );
  });
});
