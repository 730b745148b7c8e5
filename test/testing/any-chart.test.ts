/** Charts of other authors: what XState allows and our own charts do not use. */
import { describe, expect, it } from 'vitest';
import { and, assign, createMachine, fromPromise, not, or, setup, stateIn } from 'xstate';
import { textOf } from '../../src/testing/context-key.js';
import { handles } from '../../src/testing/event-types.js';
import { actorDriver, type GenerateOptions, generatePaths, runPaths } from '../../src/testing/index.js';

type Machine = Parameters<typeof generatePaths>[0];

/** Everything is covered, and the machine itself passes its paths. */
async function expectWhole(machine: Machine, options: GenerateOptions<Machine> = {}): Promise<void> {
  const { paths, coverage } = generatePaths(machine, options);
  expect(coverage.states.missing).toEqual([]);
  expect(coverage.transitions.missing).toEqual([]);
  expect(coverage.guards.missing).toEqual([]);
  expect((await runPaths(paths, actorDriver(machine, options))).failures).toEqual([]);
}

describe('two contexts are the same situation only if no guard can tell them apart', () => {
  it.each([
    [new Map([['a', 1]]), new Map([['a', 2]])],
    [new Map([['a', new Set([1])]]), new Map([['a', new Set([1, 2])]])],
    [new Set(['a']), new Set(['b'])],
    [1n, 2n],
    [1n, 1],
    [Number.NaN, Number.POSITIVE_INFINITY],
    [null, Number.NaN],
    [new Date(1), new Date(2)],
    [{ deep: [new Map([[1n, 'x']])] }, { deep: [new Map([[1n, 'y']])] }],
  ])('%o is not %o', (one, other) => {
    expect(textOf({ value: one })).not.toBe(textOf({ value: other }));
  });

  it('the order in a Map or a Set does not count', () => {
    const pairs: [string, number][] = [
      ['a', 1],
      ['b', 2],
    ];
    expect(textOf(new Map(pairs))).toBe(textOf(new Map([...pairs].reverse())));
    expect(textOf(new Set([1, 2]))).toBe(textOf(new Set([2, 1])));
  });

  it('a context that refers to itself is an error that says what to do', () => {
    const context: Record<string, unknown> = {};
    context.self = context;
    const machine = createMachine({ id: 'loop', context, initial: 'a', states: { a: {} } });
    expect(() => generatePaths(machine)).toThrow(/context of the chart loop cannot be compared.*`key`/);
  });

  it('a guard that reads a Map of Sets is reached on both sides', async () => {
    const machine = setup({
      types: {} as { context: { seen: Map<string, Set<number>> } },
      guards: { both: ({ context }) => (context.seen.get('x')?.size ?? 0) > 1 },
    }).createMachine({
      id: 'seen',
      context: { seen: new Map() },
      initial: 'a',
      states: {
        a: {
          on: {
            ONE: { actions: assign({ seen: ({ context }) => add(context.seen, 1) }) },
            TWO: { actions: assign({ seen: ({ context }) => add(context.seen, 2) }) },
            GO: { guard: 'both', target: 'b' },
          },
        },
        b: {},
      },
    });
    await expectWhole(machine);
  });
});

const add = (seen: Map<string, Set<number>>, item: number) =>
  new Map([['x', new Set([...(seen.get('x') ?? []), item])]]);

describe('guards', () => {
  const guarded = setup({
    types: {} as { context: { p: boolean; n: number } },
    guards: {
      p: ({ context }) => context.p,
      above: ({ context }, { limit }: { limit: string }) => context.n > Number(limit),
    },
  });

  it('made with and, or, not and stateIn, nested and with params, count with both sides', async () => {
    await expectWhole(
      guarded.createMachine({
        id: 'mix',
        context: { p: false, n: 0 },
        type: 'parallel',
        states: {
          x: { initial: 'a', states: { a: { on: { X: 'b' } }, b: { on: { X: 'a' } } } },
          y: {
            initial: 'a',
            states: {
              a: {
                on: {
                  P: { actions: assign({ p: ({ context }) => !context.p }) },
                  N: {
                    guard: ({ context }) => context.n < 2,
                    actions: assign({ n: ({ context }) => context.n + 1 }),
                  },
                  GO: {
                    guard: or([
                      and(['p', not({ type: 'above', params: { limit: '1' } })]),
                      stateIn({ x: 'b' }),
                    ]),
                    target: 'b',
                  },
                },
              },
              b: {},
            },
          },
        },
      }),
    );
  });

  it('have a name that says what they combine', () => {
    const machine = guarded.createMachine({
      context: { p: false, n: 0 },
      initial: 'a',
      states: {
        a: { on: { GO: { guard: and(['p', not({ type: 'above', params: { limit: '1' } })]), target: 'b' } } },
        b: {},
      },
    });
    const { missing } = generatePaths(machine).coverage.guards;
    expect(missing).toEqual(['and(p, not(above(1))) holds']);
  });

  it('of the machine stay as they were: the search changes only its own copy', () => {
    const machine = createMachine({
      initial: 'a',
      states: { a: { on: { GO: { guard: not(() => false), target: 'b' } } }, b: {} },
    });
    const before = machine.root.states.a?.transitions.get('GO')?.[0]?.guard;
    generatePaths(machine);
    expect(machine.root.states.a?.transitions.get('GO')?.[0]?.guard).toBe(before);
  });
});

describe('history', () => {
  it.each(['shallow', 'deep'] as const)(
    'a %s history state leads back, and is no state to be in',
    async (history) => {
      await expectWhole(
        createMachine({
          id: 'hi',
          initial: 'on',
          states: {
            on: {
              initial: 'a',
              states: {
                a: { on: { N: 'b' } },
                b: { initial: 'c', states: { c: { on: { D: 'd' } }, d: {} }, on: { P: 'a' } },
                h: { type: 'history', history },
              },
              on: { OFF: 'off' },
            },
            off: { on: { ON: 'on.h' } },
          },
        }),
      );
    },
  );
});

describe('wildcards', () => {
  it.each([
    ['*', 'x', true],
    ['*', 'xstate.done.actor.a', false],
    ['x.*', 'x', true],
    ['x.*', 'x.y.z', true],
    ['x.*', 'xy', false],
    ['x.y.*', 'x.z', false],
  ])('%s takes %s: %s', (descriptor, type, expected) => {
    expect(handles(descriptor, type)).toBe(expected);
  });

  const machine = createMachine({
    id: 'w',
    initial: 'a',
    states: {
      a: { on: { 'x.*': 'b', '*': 'c' } },
      b: { on: { 'x.y': 'a', 'x.*': 'c' } },
      c: { on: { 'x.y.*': 'a' } },
    },
  });

  it('get events of their own when none are listed', async () => expectWhole(machine));

  it('take the listed events that match', async () => {
    const events = [{ type: 'x.y' }, { type: 'x.z' }, { type: 'other' }, { type: 'x.y.z' }];
    await expectWhole(machine, { events });
    await expectWhole(machine, { events: () => events });
  });
});

describe('actors that are written in place', () => {
  it('with and without an id, several in one state, and in nested states', async () => {
    await expectWhole(
      createMachine({
        id: 'in',
        initial: 'a',
        states: {
          a: {
            invoke: [
              { src: fromPromise(async () => 1), onDone: 'b', onError: 'c' },
              { id: 'second', src: fromPromise(async () => 2), onDone: 'c' },
            ],
          },
          b: {
            initial: 'd',
            states: { d: { invoke: { src: fromPromise(async () => 3), onDone: 'e', onError: 'e' } }, e: {} },
          },
          c: {},
        },
      }),
    );
  });
});
