/**
 * Charts as other projects write them. Each has implementations with one fault, which the paths must notice, and
 * must not complain about the right one.
 */
import { describe, expect, it } from 'vitest';
import {
  type AnyStateMachine,
  assign,
  createMachine,
  enqueueActions,
  fromCallback,
  fromObservable,
  fromPromise,
  raise,
  sendTo,
  setup,
  spawnChild,
  stopChild,
} from 'xstate';
import { actorDriver, type GenerateOptions, generatePaths, runPaths } from '../../src/testing/index.js';

interface Foreign {
  readonly machine: AnyStateMachine;
  readonly options?: GenerateOptions<AnyStateMachine>;
  readonly faults: Readonly<Record<string, AnyStateMachine>>;
}

/** Deep history below the root, two levels down, restored from elsewhere. */
const player = (history: 'deep' | 'shallow' = 'deep', back = 'playing.last') =>
  createMachine({
    id: 'player',
    initial: 'playing',
    states: {
      playing: {
        initial: 'song',
        states: {
          song: {
            initial: 'normal',
            states: { normal: { on: { FAST: 'fast' } }, fast: { on: { SLOW: 'normal' } } },
            on: { NEXT: 'video' },
          },
          video: { on: { NEXT: 'song' } },
          last: { type: 'history', history },
        },
        on: { PAUSE: 'paused' },
      },
      paused: { on: { RESUME: back } },
    },
  } as never);

/** Regions that raise events for each other. */
const heating = ({ event = 'HEAT', guard = 'off' } = {}) =>
  createMachine({
    id: 'heating',
    type: 'parallel',
    states: {
      sensor: {
        initial: 'warm',
        states: {
          warm: { on: { COLD: { target: 'cold', actions: raise({ type: event }) } } },
          cold: { on: { WARM: { target: 'warm', actions: raise({ type: 'COOL' }) } } },
        },
      },
      burner: { initial: 'off', states: { off: { on: { HEAT: 'on' } }, on: { on: { COOL: guard } } } },
    },
  } as never);

/** Spawned and stopped actors with ids. */
const pool = ({ id = 'worker', stop = true, note = 'BEGIN' } = {}) =>
  setup({ actors: { work: fromCallback(() => {}) } }).createMachine({
    id: 'pool',
    initial: 'idle',
    states: {
      idle: {
        on: {
          START: {
            target: 'busy',
            actions: [spawnChild('work', { id: id as 'worker' }), sendTo('worker', { type: note })],
          },
        },
      },
      busy: { on: { STOP: { target: 'idle', actions: stop ? stopChild('worker') : [] } } },
    },
  } as never);

/** A promise, an observable and a callback actor, one after the other. */
const chain = ({ input = 1, onError = 'failed', observed = 'callback' } = {}) =>
  setup({
    actors: {
      load: fromPromise(async () => 'x'),
      watch: fromObservable(() => ({ subscribe: () => ({ unsubscribe: () => {} }) }) as never),
      listen: fromCallback(() => {}),
    },
  }).createMachine({
    id: 'chain',
    initial: 'promise',
    states: {
      promise: { invoke: { id: 'load', src: 'load', input: input as never, onDone: 'observable', onError } },
      observable: { invoke: { id: 'watch', src: 'watch', onDone: observed, onError: 'failed' } },
      callback: { invoke: { id: 'listen', src: 'listen' }, on: { TICK: 'promise' } },
      failed: { on: { AGAIN: 'promise' } },
    },
  } as never);

/** A wildcard and a prefix, each below a more specific event. */
const keyboard = ({ any = 'other', prefix = 'letter' } = {}) =>
  createMachine({
    id: 'keyboard',
    initial: 'ready',
    states: {
      ready: { on: { 'key.enter': 'entered', 'key.*': prefix, '*': any } },
      entered: { on: { BACK: 'ready' } },
      letter: { on: { BACK: 'ready' } },
      other: { on: { BACK: 'ready' } },
    },
  } as never);

/** Final states at two levels, and an output. */
const form = ({ first = 'address', output = (c: { n: number }): unknown => ({ n: c.n }), grow = 1 } = {}) =>
  createMachine({
    id: 'form',
    context: { n: 0 },
    initial: 'filling',
    states: {
      filling: {
        initial: 'name',
        states: {
          name: {
            initial: 'open',
            states: { open: { on: { OK: 'done' } }, done: { type: 'final' } },
            onDone: {
              target: first,
              actions: assign({ n: ({ context }: never) => (context as { n: number }).n + grow }),
            },
          },
          address: { on: { OK: 'done' } },
          done: { type: 'final' },
        },
        onDone: 'sent',
      },
      sent: { type: 'final' },
    },
    output: ({ context }: never) => output(context as { n: number }),
  } as never);

/** One guard with params, used twice, and dynamic params of an action. */
const lift = ({ low = 1, high = 3, say = 0 } = {}) =>
  setup({
    types: { context: {} as { floor: number } },
    guards: {
      below: ({ context }, { limit }: { limit: number }) => context.floor < limit,
      above: ({ context }, { limit }: { limit: number }) => context.floor > limit,
    },
    actions: {
      announce: (_, _params: { floor: number }) => {},
      move: assign({ floor: ({ context }, by: number) => context.floor + by }),
    },
  }).createMachine({
    id: 'lift',
    context: { floor: 2 },
    on: {
      UP: {
        guard: { type: 'below', params: { limit: high } },
        actions: [
          { type: 'move', params: 1 },
          { type: 'announce', params: ({ context }) => ({ floor: context.floor + say }) },
        ],
      },
      DOWN: { guard: { type: 'above', params: { limit: low } }, actions: { type: 'move', params: -1 } },
    },
  });

/** `enqueueActions` with checks of its own. */
const counter = ({ limit = 2, event = 'FULL' } = {}) =>
  setup({
    types: { context: {} as { n: number } },
    actions: {
      count: enqueueActions(({ enqueue, context }) => {
        enqueue.assign({ n: context.n + 1 });
        if (context.n + 1 >= limit) enqueue.raise({ type: event });
        else enqueue('note');
      }),
      note: () => {},
    },
  }).createMachine({
    id: 'counter',
    context: { n: 0 },
    initial: 'counting',
    states: {
      counting: { on: { ADD: { actions: 'count' }, FULL: 'full' } },
      full: { on: { RESET: { target: 'counting', actions: assign({ n: 0 }) } } },
    },
  } as never);

/** Delays: named, computed from the context, raised and replaced. */
const retry = ({ factor = 2, cap = 3, again = 'waiting' } = {}) =>
  setup({
    types: { context: {} as { n: number } },
    delays: { backoff: ({ context }) => 100 * factor ** context.n },
    guards: { left: ({ context }) => context.n < cap },
  }).createMachine({
    id: 'retry',
    context: { n: 0 },
    initial: 'trying',
    states: {
      trying: { on: { FAIL: [{ guard: 'left', target: again }, { target: 'exhausted' }], OK: 'fine' } },
      waiting: { entry: assign({ n: ({ context }) => context.n + 1 }), after: { backoff: 'trying' } },
      exhausted: {},
      fine: { type: 'final' },
    },
  } as never);

/** Entry and exit actions, reenter, and transitions that stay inside. */
const session = ({ reenter = true, entry = ['greet'], exit = ['bye'] } = {}) =>
  createMachine({
    id: 'session',
    initial: 'on',
    states: {
      on: {
        entry,
        exit,
        initial: 'a',
        states: { a: { on: { STEP: 'b' } }, b: {} },
        on: { RESTART: { target: 'on', reenter }, END: 'off' },
      },
      off: { on: { BEGIN: 'on' } },
    },
  } as never);

/** No setup, logic in place, a machine as child, and tags. */
const parent = ({ target = 'done', tags = ['busy'] } = {}) =>
  createMachine({
    id: 'parent',
    initial: 'run',
    states: {
      run: {
        tags,
        invoke: {
          id: 'child',
          src: createMachine({ id: 'c', initial: 'x', states: { x: { type: 'final' } }, output: 3 }),
          onDone: target,
          onError: 'done',
        },
        on: { SKIP: 'done' },
      },
      done: { type: 'final' },
      other: {},
    },
  } as never);

/** Always with guards that read the context of the same step, and an id as target. */
const router = ({ small = 'few', order = [0, 1] } = {}) => {
  const routes = [
    { guard: ({ context }: never) => (context as { n: number }).n > 2, target: '#many' },
    { guard: ({ context }: never) => (context as { n: number }).n > 0, target: small },
  ];
  return createMachine({
    id: 'router',
    context: { n: 0 },
    initial: 'start',
    states: {
      start: {
        on: {
          PUT: {
            target: 'deciding',
            actions: assign({ n: ({ event }: never) => (event as { n: number }).n }),
          },
        },
      },
      deciding: { always: [...order.map((index) => routes[index]), { target: 'start' }] },
      few: { on: { BACK: 'start' } },
      lots: { id: 'many', on: { BACK: 'start' } },
    },
  } as never);
};

const CHARTS = {
  'deep history': {
    machine: player(),
    faults: { shallow: player('shallow'), 'without history': player('deep', 'playing') },
  },
  'regions that raise': {
    machine: heating(),
    faults: { 'another event': heating({ event: 'HEET' }), 'another target': heating({ guard: 'on' }) },
  },
  'spawned actors': {
    machine: pool(),
    faults: {
      'another id': pool({ id: 'other' }),
      'not stopped': pool({ stop: false }),
      'another message': pool({ note: 'GO' }),
    },
  },
  'promise, observable, callback': {
    machine: chain(),
    faults: {
      'another input': chain({ input: 2 }),
      'an error is success': chain({ onError: 'observable' }),
      'another way': chain({ observed: 'promise' }),
    },
  },
  wildcards: {
    machine: keyboard(),
    options: { events: [{ type: 'key.enter' }, { type: 'key.a' }, { type: 'mouse' }, { type: 'BACK' }] },
    faults: {
      'the wildcard elsewhere': keyboard({ any: 'letter' }),
      'the prefix elsewhere': keyboard({ prefix: 'other' }),
    },
  },
  'nested final states': {
    machine: form(),
    faults: {
      'a step left out': form({ first: 'done' }),
      'not counted': form({ grow: 0 }),
    },
  },
  'guards with params': {
    machine: lift(),
    faults: {
      'a higher limit': lift({ high: 4 }),
      'a lower limit': lift({ low: 0 }),
      'other params': lift({ say: 1 }),
    },
  },
  enqueueActions: {
    machine: counter(),
    options: { key: ({ context }: { context: { n: number } }) => String(Math.min(context.n, 3)) },
    faults: { 'too late': counter({ limit: 3 }), 'another event': counter({ event: 'FUL' }) },
  },
  'computed delays': {
    machine: retry(),
    faults: {
      'another factor': retry({ factor: 3 }),
      'one more attempt': retry({ cap: 4 }),
      'no pause': retry({ again: 'trying' }),
    },
  },
  'entry, exit and reenter': {
    machine: session(),
    faults: {
      'not reentered': session({ reenter: false }),
      'no entry': session({ entry: [] }),
      'another exit': session({ exit: ['greet'] }),
    },
  },
  'a child machine in place': {
    machine: parent(),
    options: { outcomes: { child: [3] } },
    faults: { 'another target': parent({ target: 'other' }), 'without its tag': parent({ tags: [] }) },
  },
  always: {
    machine: router(),
    options: { events: [0, 1, 2, 3].map((n) => ({ type: 'PUT', n })) as never },
    faults: { 'another target': router({ small: '#many' }), 'another order': router({ order: [1, 0] }) },
  },
} as unknown as Readonly<Record<string, Foreign>>;

describe.each(Object.entries(CHARTS))('%s', (_, { machine, options, faults }) => {
  const { paths, coverage } = generatePaths(machine, options);

  it('every transition has a path, and the right implementation passes', async () => {
    expect(coverage.transitions.missing.filter((id) => !id.includes('xstate.error.actor.child'))).toEqual([]);
    expect((await runPaths(paths, actorDriver(machine))).failures.map(({ error }) => error)).toEqual([]);
  });

  it.each(Object.entries(faults))('notices: %s', async (__, wrong) => {
    expect((await runPaths(paths, actorDriver(wrong))).failures.length).toBeGreaterThan(0);
  });
});
