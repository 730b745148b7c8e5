import { describe, expect, it } from 'vitest';
import { createMachine, setup } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { registerFacts } from '../../src/visualize/facts.js';

const waits = (machine: Parameters<typeof toChart>[0]) =>
  toChart(machine).edges.flatMap(({ source, trigger, wait }) =>
    trigger.kind === 'after' ? [[source, trigger.delay, wait] as const] : [],
  );

describe('the value of a delay', () => {
  it.each(Object.entries(CHARTS))('%s: each delay in the pictures has one', (_, machine) => {
    expect(waits(machine).filter(([, delay, wait]) => wait === undefined && !/^\d+$/.test(delay))).toEqual(
      [],
    );
  });

  it('words for a state come before words for its delay, and both before the value', () => {
    const machine = setup({ delays: { pause: 5, limit: 90_000, odd: () => 1 } }).createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: { after: { pause: 'b' } },
        b: { after: { pause: 'c' } },
        c: { after: { limit: 'd' } },
        d: {},
      },
    });
    registerFacts(machine, { context: {}, guards: {}, delays: { pause: 'long', 'b pause': 'short' } });
    expect(waits(machine)).toEqual([
      ['m.a', 'pause', 'long'],
      ['m.b', 'pause', 'short'],
      ['m.c', 'limit', '90 s'],
    ]);
  });

  it('a chart without facts shows what is fixed', () => {
    const machine = createMachine(
      { id: 'm', initial: 'a', states: { a: { after: { fixed: 'b', computed: 'b' } }, b: {} } },
      { delays: { fixed: 1_500, computed: ({ context }) => (context as { n: number }).n } },
    );
    expect(waits(machine).map(([, , wait]) => wait)).toEqual(['1.5 s', undefined]);
  });

  it('shows how long remote control waits after each kind of failure', () => {
    const pauses = Object.fromEntries(
      waits(CHARTS.remoteControl).flatMap(([source, delay, wait]) =>
        delay === 'pause' ? [[source.split('.').slice(2).join('.'), wait?.replaceAll('\u00a0', ' ')]] : [],
      ),
    );
    expect(pauses).toMatchObject({
      'backingOff.failed': '1–30 s',
      'backingOff.handover': '0.5–1 s',
      'backingOff.deferred': '24–36 s',
      'backingOff.retryAfter': 'Retry-After',
      'tokenInvalid.pausing': '0.1–30 s',
    });
  });
});
