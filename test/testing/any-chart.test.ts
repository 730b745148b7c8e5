/** Charts of other authors: what XState allows and our own charts do not use. */
import { describe, expect, it } from 'vitest';
import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  fromTransition,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  stateIn,
  stopChild,
} from 'xstate';
import { textOf } from '../../src/testing/context-key.js';
import { handles } from '../../src/testing/event-types.js';
import {
  actorDriver,
  ChartError,
  type GenerateOptions,
  generatePaths,
  runPaths,
} from '../../src/testing/index.js';

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

describe('what a path notices', () => {
  /** A path of the right machine fails on the wrong one. */
  async function expectNoticed(
    right: Machine,
    wrong: Machine,
    options: GenerateOptions<Machine> = {},
  ): Promise<void> {
    await expectWhole(right, options);
    const { paths } = generatePaths(right, options);
    expect((await runPaths(paths, actorDriver(wrong, options))).failures).not.toEqual([]);
  }

  const talking = (actions: Parameters<typeof setup>[0]['actions'], entry: string[] = []) =>
    setup({ actors: { child: fromCallback(() => {}) }, actions }).createMachine({
      id: 'talking',
      invoke: { id: 'child', src: 'child' },
      initial: 'a',
      states: { a: { on: { GO: { target: 'b', actions: 'say' } } }, b: { entry, on: { BACK: 'a' } } },
    } as never) as unknown as Machine;

  it.each([
    ['a message to an actor', sendTo('child', { type: 'X' }), sendTo('child', { type: 'Y' })],
    ['a payload', sendTo('child', { type: 'X', n: 1 }), sendTo('child', { type: 'X', n: 2 })],
    ['a message to the parent', sendParent({ type: 'X' }), () => {}],
    ['a later message', sendTo('child', { type: 'X' }, { delay: 5 }), sendTo('child', { type: 'X' })],
    ['an event to listeners', emit({ type: 'x' }), emit({ type: 'y' })],
    ['a delay that starts', raise({ type: 'X' }, { delay: 5 }), raise({ type: 'X' }, { delay: 6 })],
    ['a delay that is cancelled', cancel('x'), () => {}],
    ['an actor that stops', stopChild('child'), () => {}],
  ])('%s', async (_, right, wrong) => {
    await expectNoticed(talking({ say: right } as never), talking({ say: wrong } as never));
  });

  it('the input of an actor, and the params of an action', async () => {
    const machine = (input: number, n: number) =>
      setup({
        actors: { job: fromPromise(async () => 1) },
        actions: { note: (_, _params: { n: number }) => {} },
      }).createMachine({
        id: 'in',
        initial: 'a',
        states: {
          a: { entry: { type: 'note', params: { n } }, on: { GO: 'b' } },
          b: { invoke: { id: 'job', src: 'job', input, onDone: 'a' } },
        },
      });
    await expectNoticed(machine(1, 1), machine(2, 1));
    await expectNoticed(machine(1, 1), machine(1, 2));
  });

  it('a message to itself, and what it leads to', async () => {
    const machine = (type: string) =>
      createMachine({
        id: 'own',
        initial: 'a',
        states: {
          a: { on: { GO: { actions: sendTo(({ self }) => self, { type }) }, NEXT: 'b', OTHER: 'c' } },
          b: { on: { BACK: 'a' } },
          c: { on: { BACK: 'a' } },
        },
      });
    await expectNoticed(machine('NEXT'), machine('OTHER'));
  });

  it('the depth of a history', async () => {
    const machine = (history: 'deep' | 'shallow') =>
      createMachine({
        id: 'book',
        initial: 'open',
        states: {
          open: {
            initial: 'first',
            states: {
              first: { on: { NEXT: 'second' } },
              second: { initial: 'top', states: { top: { on: { DOWN: 'foot' } }, foot: {} } },
              mark: { type: 'history', history },
            },
            on: { CLOSE: 'closed' },
          },
          closed: { on: { OPEN: 'open.mark' } },
        },
      });
    await expectNoticed(machine('deep'), machine('shallow'));
  });

  it('the order of guards that hold together', async () => {
    const machine = (order: readonly ['low' | 'high', 'low' | 'high']) =>
      setup({
        guards: {
          low: ({ event }) => ![0, 9].includes((event as { n?: number }).n ?? 0),
          high: ({ event }) => ((event as { n?: number }).n ?? 0) > 4,
        },
      }).createMachine({
        id: 'order',
        initial: 'a',
        states: {
          a: { on: { PUT: order.map((guard) => ({ guard, target: guard })) } },
          low: { on: { BACK: 'a' } },
          high: { on: { BACK: 'a' } },
        },
      });
    const events = [
      { type: 'PUT', n: 0 },
      { type: 'PUT', n: 1 },
      { type: 'PUT', n: 9 },
      { type: 'PUT', n: 5 },
      { type: 'BACK' },
    ];
    await expectNoticed(machine(['low', 'high']), machine(['high', 'low']), { events, coverage: 'thorough' });
  });

  it('a state that does not inherit a transition, with the coverage `thorough`', async () => {
    const machine = (own: object) =>
      createMachine({
        id: 'inherit',
        initial: 'in',
        states: {
          in: {
            initial: 'a',
            states: { a: { on: { N: 'b' } }, b: { on: { N: 'c' } }, c: { on: { ...own, N: 'a' } } },
            on: { STOP: 'out' },
          },
          out: { on: { GO: 'in' } },
        },
      });
    await expectNoticed(machine({}), machine({ STOP: {} }), { coverage: 'thorough' });
  });
});

describe('actors that a chart observes', () => {
  const observing = (guard = 2) =>
    setup({
      actors: { count: fromTransition((n: number) => n + 1, 0) },
      guards: {
        enough: ({ event }) => (event as { snapshot?: { context?: number } }).snapshot?.context === guard,
      },
    }).createMachine({
      id: 'observer',
      initial: 'on',
      states: {
        on: { invoke: { id: 'count', src: 'count', onSnapshot: { guard: 'enough', target: 'off' } } },
        off: { on: { AGAIN: 'on' } },
      },
    });

  it('their snapshots are events, the first one included', async () => {
    const snapshots = {
      count: [
        { status: 'active', context: 1 },
        { status: 'active', context: 2 },
      ],
    };
    await expectWhole(observing(), { snapshots });
    expect(generatePaths(observing(0)).startEdges).toEqual(['observer.on xstate.snapshot.count 0']);
  });
});

describe('a chart that throws is named, with state and event', () => {
  it.each([
    [
      'an action',
      createMachine({
        id: 'one',
        initial: 'a',
        states: {
          a: {
            on: {
              GO: {
                actions: assign(() => {
                  throw new Error('oops');
                }),
              },
            },
          },
        },
      }),
      /chart one in the state "a" failed on "GO": oops/,
    ],
    [
      'a delay',
      createMachine({
        id: 'two',
        initial: 'a',
        states: { a: { on: { GO: 'b' } }, b: { after: { late: 'a' } } },
      }).provide({
        delays: {
          late: () => {
            throw new Error('oops');
          },
        },
      } as never),
      /chart two in the state "a" failed on "GO": oops/,
    ],
    [
      'the context',
      createMachine({
        id: 'three',
        context: () => {
          throw new Error('oops');
        },
      } as never),
      /chart three cannot start: oops/,
    ],
    [
      'a loop without an event',
      createMachine({
        id: 'four',
        options: { maxIterations: 50 },
        initial: 'a',
        states: { a: { on: { GO: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
      } as never),
      /chart four in the state "a" failed on "GO": Infinite loop/,
    ],
    [
      'a chart that answers itself without end',
      createMachine({
        id: 'five',
        initial: 'a',
        states: { a: { on: { GO: { actions: sendTo(({ self }) => self, { type: 'GO' }) } } } },
      }),
      /chart five in the state "a" failed on "GO": It sends itself more than/,
    ],
  ])('%s', (_, machine, message) => {
    expect(() => generatePaths(machine as Machine)).toThrow(message);
    expect(() => generatePaths(machine as Machine)).toThrow(ChartError);
  });

  it('a context without end names the event that makes it grow', () => {
    const machine = createMachine({
      id: 'growth',
      context: { n: 0 },
      on: { GROW: { actions: assign({ n: ({ context }) => context.n + 1 }) } },
    });
    expect(() => generatePaths(machine, { limit: 20 })).toThrow(
      /growth has more than 20 situations.*most of them after "GROW"/,
    );
  });
});

it('every transition from the start is in a pair', () => {
  const machine = createMachine({
    id: 'first',
    initial: 'a',
    states: { a: { on: { GO: 'b', END: 'b' } }, b: {} },
  });
  expect(generatePaths(machine, { coverage: 'pairs' }).coverage.transitions.missing).toEqual([]);
});
