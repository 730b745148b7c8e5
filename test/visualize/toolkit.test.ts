/** `rc-engine/visualize`, as another project uses it. */
import { describe, expect, it } from 'vitest';
import { createActor, createMachine, fromPromise, setup } from 'xstate';
import {
  ChartError,
  chartHash,
  diffCharts,
  drawChanges,
  exportChart,
  exportCharts,
  FORMATS,
  isMachine,
  toChart,
} from '../../src/visualize/index.js';

const order = (change: { readonly cancel?: string; readonly guard?: string } = {}) =>
  setup({
    types: { events: {} as { type: 'PAY' } | { type: 'CANCEL' } },
    actors: { charge: fromPromise(async () => 'paid') },
    guards: { funded: () => true, trusted: () => true },
  }).createMachine({
    id: 'order',
    initial: 'open',
    states: {
      open: {
        on: { PAY: { guard: (change.guard ?? 'funded') as 'funded', target: 'paying' }, CANCEL: 'gone' },
      },
      paying: {
        invoke: { id: 'charge', src: 'charge', onDone: 'paid', onError: 'open' },
        on: { CANCEL: (change.cancel ?? 'open') as 'open' },
      },
      paid: { type: 'final' },
      gone: { type: 'final' },
    },
  });

describe('exportChart', () => {
  it.each(FORMATS)('%s: the file is named after the chart and holds it', async (format) => {
    const [file, ...others] = await exportChart(order(), format);
    expect(others).toEqual([]);
    const extension = { mermaid: 'mmd', plantuml: 'puml' }[format as string] ?? format;
    expect(file?.name).toBe(format === 'html' ? 'index.html' : `order.${extension}`);
    expect(file?.text).toContain('paying');
    expect(file?.text).toContain(chartHash(order()));
  });

  it('a machine without an id gets the name, and a name is a valid name of a file', async () => {
    const machine = createMachine({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } });
    const [svg] = await exportChart(machine, 'svg', { name: 'shop/basket' });
    expect(svg?.name).toBe('shop-basket.svg');
    expect(svg?.text).toContain('data-chart="shop/basket"');
    expect(svg?.text).not.toContain('(machine)');
  });

  it.each(FORMATS)('%s: a machine without states, and one with only one', async (format) => {
    for (const definition of [
      { id: 'lone', on: { GO: { actions: 'act' } } },
      { id: 'lone' },
      { id: 'lone', initial: 'a', states: { a: {} } },
    ]) {
      const [file] = await exportChart(createMachine(definition as never), format);
      expect(file?.text).toMatch(/lone|as a$/m);
    }
  });

  it('charts of the same id do not overwrite each other', async () => {
    const files = await exportCharts({ one: order(), two: order({ cancel: 'gone' }) }, 'svg');
    expect(files.map(({ name }) => name)).toEqual(['one.svg', 'two.svg']);
  });

  it('needs neither input nor implementations', async () => {
    const machine = createMachine({
      id: 'needy',
      context: ({ input }: { input: { user: { id: string } } }) => ({ user: input.user.id }),
      initial: 'a',
      states: { a: { entry: 'unknown', on: { GO: { guard: 'unknown', target: 'b' } } }, b: {} },
    } as never);
    expect((await exportChart(machine, 'svg'))[0]?.text).toContain('unknown');
  });
});

describe('what is no machine is named, with what to do', () => {
  it.each<[string, () => unknown, RegExp]>([
    [
      'a definition',
      () => ({ initial: 'a', states: { a: {} } }),
      /is the definition of a machine, .*Pass createMachine\(definition\)/,
    ],
    ['a function', () => order, /is a function, .*Pass the machine that it returns/],
    ['an actor', () => createActor(order()), /is a running actor, .*Pass the machine/],
    ['nothing', () => undefined, /is of the type undefined, .*Pass what createMachine\(\)/],
    ['null', () => null, /is null/],
    [
      'a machine of XState 4',
      () => ({ __xstatenode: true, initialState: {}, states: {} }),
      /is a machine of XState 4, .*Only XState 5/,
    ],
  ])('%s', async (_, make, message) => {
    const value = make();
    expect(isMachine(value)).toBe(false);
    await expect(exportChart(value as never, 'svg')).rejects.toThrow(message);
    await expect(exportCharts({ checkout: value as never }, 'dot')).rejects.toThrow(/The chart checkout is/);
    expect(() => toChart(value as never)).toThrow(ChartError);
    expect(() => diffCharts(order(), value as never)).toThrow(ChartError);
  });

  it('an unknown format lists those that exist', async () => {
    await expect(exportChart(order(), 'png' as never)).rejects.toThrow(
      /The format "png" is unknown. Choose one of: svg, mermaid/,
    );
  });
});

describe('two versions', () => {
  const after = order({ cancel: 'gone', guard: 'trusted' });

  it('differ in words and by the ids of states and edges', () => {
    const { words, before, after: marks } = diffCharts(order(), after);
    expect(words).toEqual([
      'open → paying on PAY: guard is [trusted] instead of [funded]',
      'paying on CANCEL: goes to gone instead of open',
    ]);
    expect([...before]).toEqual([
      ['order.open PAY 0', 'changed'],
      ['order.paying CANCEL 0', 'changed'],
    ]);
    expect([...marks.keys()]).toEqual([...before.keys()]);
    expect(diffCharts(order(), order())).toEqual({ words: [], before: new Map(), after: new Map() });
  });

  it('a guard, an action or a delay that does something else is named', () => {
    const machine = (limit: number) =>
      setup({ guards: { few: () => limit < 3 }, delays: { pause: 100 } })
        .createMachine({
          id: 'm',
          initial: 'a',
          states: { a: { on: { GO: { guard: 'few', target: 'a' } } } },
        })
        .provide(limit > 3 ? { guards: { few: () => limit < 4 } } : {});
    expect(diffCharts(machine(1), machine(2)).words).toEqual([]);
    expect(diffCharts(machine(1), machine(5)).words).toEqual(['guard few does something else']);
  });

  it('another id of the chart is one difference, not all', () => {
    const { config, implementations } = order();
    const renamed = createMachine({ ...config, id: 'basket' } as never, implementations as never);
    const { words, before } = diffCharts(order(), renamed);
    expect(words).toEqual(['the chart is named basket instead of order']);
    expect(before.size).toBe(0);
  });

  it('guards in another order are marked', () => {
    const machine = (...guards: string[]) =>
      createMachine({
        id: 'm',
        initial: 'a',
        states: { a: { on: { GO: guards.map((guard) => ({ guard, target: guard })) } }, x: {}, y: {} },
      } as never);
    const { words, after: marks } = diffCharts(machine('x', 'y'), machine('y', 'x'));
    expect(words).toEqual(['a on GO: order of guards is now [y], [x]']);
    expect(marks.size).toBe(2);
  });

  it('are drawn with what changed in colour, and a legend', async () => {
    const added = createMachine({
      id: 'order',
      initial: 'open',
      states: {
        open: { on: { PAY: { guard: 'funded', target: 'paid' }, HOLD: 'held' } },
        held: { on: { PAY: 'paid' } },
        paid: { type: 'final' },
      },
    });
    const drawn = await drawChanges(order(), added);
    const marksOf = (text: string) =>
      [...text.matchAll(/data-diff="(\w+)" data-(?:state|edges)="([^"]*)"/g)].map(
        ([, mark, id]) => `${id} ${mark}`,
      );
    const [was] = drawn.before;
    const [is] = drawn.after;
    expect([was?.name, is?.name]).toEqual(['order.before.svg', 'order.after.svg']);
    expect(marksOf(was?.text ?? '')).toEqual(
      expect.arrayContaining(['order.paying removed', 'order.gone removed', 'order.open CANCEL 0 removed']),
    );
    expect(marksOf(is?.text ?? '')).toEqual(
      expect.arrayContaining(['order.held added', 'order.open HOLD 0 added', 'order.open PAY 0 changed']),
    );
    expect(is?.text).toMatch(/>new<.*>changed</);
    expect(is?.text).not.toContain('>removed<');
    const same = await drawChanges(order(), order());
    expect(same.after[0]?.text).toBe((await exportChart(order(), 'svg'))[0]?.text);
  });
});
