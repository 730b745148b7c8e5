/**
 * More charts as other projects write them, by what they use. Each has implementations with one fault, which the paths must
 * notice, and must not complain about the right one.
 */
import { describe, expect, it } from 'vitest';
import {
  type AnyStateMachine,
  and,
  assertEvent,
  assign,
  cancel,
  createMachine,
  emit,
  fromCallback,
  fromPromise,
  fromTransition,
  log,
  not,
  or,
  raise,
  sendTo,
  setup,
  stateIn,
} from 'xstate';
import { actorDriver, type GenerateOptions, generatePaths, runPaths } from '../../src/testing/index.js';

interface Chart {
  readonly machine: AnyStateMachine;
  readonly options?: GenerateOptions<AnyStateMachine>;
  readonly faults: Readonly<Record<string, AnyStateMachine>>;
}

/** A download that shows its progress: `onSnapshot` of an actor with states of its own. */
const progress = ({ half = 50, to = 'late', note = 'show' } = {}) =>
  setup({
    types: { context: {} as { percent: number } },
    actors: { download: fromTransition((percent: number) => percent, 0) },
    guards: {
      isHalf: ({ event }) => (event as unknown as { snapshot: { context: number } }).snapshot.context >= half,
    },
    actions: { show: () => {}, hide: () => {} },
  }).createMachine({
    id: 'progress',
    context: { percent: 0 },
    initial: 'early',
    states: {
      early: {
        invoke: {
          id: 'download',
          src: 'download',
          onSnapshot: [{ guard: 'isHalf', target: to as 'late' }, { actions: note as 'show' }],
        },
      },
      late: {},
      other: {},
    },
  });

/** Shallow history with a default, in a region. */
const editor = ({ kind = 'shallow', first = 'text', back = '#last' } = {}) =>
  createMachine({
    id: 'editor',
    type: 'parallel',
    states: {
      view: {
        initial: 'help',
        states: {
          page: {
            initial: 'text',
            on: { HELP: 'help' },
            states: {
              text: {
                initial: 'plain',
                on: { IMAGES: 'images' },
                states: { plain: { on: { BOLD: 'bold' } }, bold: {} },
              },
              images: { on: { TEXT: 'text' } },
              last: { id: 'last', type: 'history', history: kind, target: first },
            },
          },
          help: { on: { BACK: back } },
        },
      },
      net: { initial: 'on', states: { on: { on: { CUT: 'off' } }, off: { on: { JOIN: 'on' } } } },
    },
  } as never);

/** A parallel state whose regions end, one of them at once, with `onDone`. */
const checkout = ({ done = 'packed', pay = 'paid', ship = 'final' } = {}) =>
  createMachine({
    id: 'checkout',
    initial: 'order',
    states: {
      order: {
        type: 'parallel',
        states: {
          payment: {
            initial: 'open',
            states: {
              open: { on: { PAY: pay, FAIL: 'failed' } },
              failed: { on: { PAY: 'paid' } },
              paid: { type: 'final' },
            },
          },
          parcel: { initial: 'open', states: { open: { on: { PACK: 'closed' } }, closed: { type: ship } } },
        },
        on: { CANCEL: 'cancelled' },
        onDone: done,
      },
      packed: { on: { AGAIN: 'order' } },
      cancelled: {},
    },
  } as never);

/** Guards that combine others, and ask where another region is. */
const gate = ({ all = ['paid', 'closed'], any = ['vip', 'late'], state = 'alarm.off' } = {}) =>
  setup({
    types: {
      context: {} as { paid: boolean; vip: boolean; late: boolean },
      events: {} as { type: 'PAY' | 'VIP' | 'LATE' | 'OPEN' | 'FORCE' | 'ALARM' | 'QUIET' },
    },
    guards: {
      paid: ({ context }) => context.paid,
      vip: ({ context }) => context.vip,
      late: ({ context }) => context.late,
      closed: stateIn({ door: 'closed' }),
    },
  }).createMachine({
    id: 'gate',
    context: { paid: false, vip: false, late: false },
    type: 'parallel',
    on: {
      PAY: { actions: assign({ paid: true }) },
      VIP: { actions: assign({ vip: true }) },
      LATE: { actions: assign({ late: ({ context }) => !context.late }) },
    },
    states: {
      door: {
        initial: 'closed',
        states: {
          closed: {
            on: {
              OPEN: {
                guard: and([
                  ...(all as ['paid', 'closed']),
                  stateIn(state === 'alarm.off' ? { alarm: 'off' } : { alarm: 'on' }),
                ]),
                target: 'open',
              },
              FORCE: { guard: or([...(any as ['vip', 'late']), not('paid')]), target: 'open' },
            },
          },
          open: { on: { PAY: 'closed' } },
        },
      },
      alarm: { initial: 'off', states: { off: { on: { ALARM: 'on' } }, on: { on: { QUIET: 'off' } } } },
    },
  });

/** A message that is raised later, and cancelled when something comes before it. */
const reminder = ({ delay = 2_000, id = 'nudge', stop = 'nudge', event = 'NUDGE' } = {}) =>
  createMachine({
    id: 'reminder',
    initial: 'idle',
    states: {
      idle: { on: { ASK: { target: 'asked', actions: raise({ type: event }, { delay, id }) } } },
      asked: { on: { ANSWER: { target: 'idle', actions: cancel(stop) }, NUDGE: 'nudged' } },
      nudged: { on: { ANSWER: 'idle' } },
    },
  } as never);

/** Messages to an invoked actor, one of them later, and cancelled. */
const player = ({ type = 'PLAY', delay = 500, stop = 'fade', to = 'deck' } = {}) =>
  setup({ actors: { deck: fromCallback(() => {}) } }).createMachine({
    id: 'player',
    initial: 'off',
    states: {
      off: { on: { ON: 'on' } },
      on: {
        invoke: { id: 'deck', src: 'deck' },
        initial: 'silent',
        states: {
          silent: { on: { START: { target: 'loud', actions: sendTo('deck', { type }) } } },
          loud: {
            on: {
              FADE: { actions: sendTo(to, { type: 'FADE' }, { delay, id: 'fade' }) },
              KEEP: { actions: cancel(stop) },
              STOP: 'silent',
            },
          },
        },
        on: { OFF: 'off' },
      },
    },
  } as never);

/** Choices after each other without an event, which look at what the step before assigned. */
const sorter = ({ limit = 10, doubled = 2, otherwise = 'small' } = {}) =>
  createMachine({
    id: 'sorter',
    context: { n: 0 },
    initial: 'idle',
    states: {
      idle: {
        on: {
          PUT: { target: 'first', actions: assign({ n: ({ event }: never) => (event as { n: number }).n }) },
        },
      },
      first: {
        always: [
          { guard: ({ context }: never) => (context as { n: number }).n < 0, target: 'refused' },
          {
            target: 'second',
            actions: assign({ n: ({ context }: never) => (context as { n: number }).n * doubled }),
          },
        ],
      },
      second: {
        always: [
          { guard: ({ context }: never) => (context as { n: number }).n >= limit, target: 'large' },
          { target: otherwise },
        ],
      },
      small: { on: { NEXT: 'idle' } },
      large: { on: { NEXT: 'idle' } },
      refused: { on: { NEXT: 'idle' } },
    },
  } as never);

/** Input that becomes context, actors that get input from it, and an output. */
const job = ({ retries = 0, input = 'name', output = 'tries' } = {}) =>
  setup({
    types: {
      context: {} as { name: string; tries: number; most: number },
      input: {} as { name: string; most: number },
    },
    actors: { work: fromPromise(async ({ input: _ }: { input: { name: string } }) => 'x') },
    guards: { mayRetry: ({ context }) => context.tries < context.most },
  }).createMachine({
    id: 'job',
    context: ({ input: given }) => ({ name: given.name, tries: retries, most: given.most }),
    initial: 'working',
    states: {
      working: {
        invoke: {
          id: 'work',
          src: 'work',
          input: ({ context }) => ({ name: input === 'name' ? context.name : 'another' }),
          onDone: 'done',
          onError: [
            {
              guard: 'mayRetry',
              target: 'working',
              reenter: true,
              actions: assign({ tries: ({ context }) => context.tries + 1 }),
            },
            { target: 'failed' },
          ],
        },
      },
      done: { type: 'final' },
      failed: { type: 'final' },
    },
    output: ({ context }) => ({ tries: output === 'tries' ? context.tries : 0 }),
  });

/** One transition to several regions at once, and one that enters its own state again. */
const studio = ({ light = 'bright', mic = 'open', reenter = true } = {}) =>
  createMachine({
    id: 'studio',
    initial: 'closed',
    states: {
      closed: { on: { RECORD: { target: [`#${light}`, `#${mic}`] } } },
      open: {
        type: 'parallel',
        entry: 'announce',
        states: {
          lights: {
            initial: 'dim',
            states: { dim: {}, bright: { id: 'bright', on: { DIM: 'dim' } }, off: { id: 'off' } },
          },
          mics: {
            initial: 'shut',
            states: { shut: { id: 'shut' }, open: { id: 'open', on: { SHUT: 'shut' } } },
          },
        },
        on: { RESET: { target: 'open', reenter }, CLOSE: 'closed' },
      },
    },
  } as never);

/** Actions made with `createAction` of the setup, that check their event. */
const cart = ({ add = 1, remove = 1, least = 0 } = {}) => {
  const base = setup({
    types: {
      context: {} as { items: number },
      events: {} as { type: 'ADD'; count: number } | { type: 'REMOVE' } | { type: 'BUY' },
    },
    actions: { bought: () => {} },
  });
  const put = base.createAction(
    assign({
      items: ({ context, event }) => {
        assertEvent(event, 'ADD');
        return Math.min(context.items + event.count * add, 4);
      },
    }),
  );
  const take = base.createAction(assign({ items: ({ context }) => Math.max(context.items - remove, least) }));
  return base.createMachine({
    id: 'cart',
    context: { items: 0 },
    on: {
      ADD: { actions: put },
      REMOVE: { actions: take },
      BUY: { guard: ({ context }) => context.items > 0, actions: ['bought', assign({ items: 0 })] },
    },
  });
};

/** Events that every leaf inherits, one that a leaf forbids, and a wildcard. */
const menu = ({ forbid = true, home = 'start', wild = 'lost' } = {}) =>
  createMachine({
    id: 'menu',
    initial: 'app',
    states: {
      app: {
        initial: 'start',
        on: { HOME: `.${home}`, QUIT: 'closed', 'menu.*': { actions: 'menuAction' }, '*': wild },
        states: {
          start: { on: { GO: 'list' } },
          list: { on: { GO: 'item' } },
          item: { on: { SAVE: 'list', ...(forbid ? { QUIT: {} } : {}) } },
        },
      },
      lost: { on: { BACK: 'app' } },
      closed: { type: 'final' },
    },
  } as never);

/** Events to subscribers, and a log, on the way in and out. */
const meter = ({ type = 'high', payload = 1, text = 'over' } = {}) =>
  createMachine({
    id: 'meter',
    initial: 'normal',
    states: {
      normal: { on: { RISE: { target: 'high', actions: emit({ type, level: payload } as never) } } },
      high: { entry: log(text), on: { FALL: { target: 'normal', actions: emit({ type: 'low' } as never) } } },
    },
  } as never);

const snapshotsOf = (values: readonly number[]) =>
  values.map((context) => ({ status: 'active', context, output: undefined, error: undefined }));

const CHARTS = {
  onSnapshot: {
    machine: progress(),
    options: { snapshots: { download: snapshotsOf([10, 50, 60]) } } as never,
    faults: {
      'half is later': progress({ half: 55 }),
      'another state': progress({ to: 'other' }),
      'another action': progress({ note: 'hide' }),
    },
  },
  'shallow history with a default': {
    machine: editor(),
    faults: {
      deep: editor({ kind: 'deep' }),
      'another default': editor({ first: 'images' }),
      'without history': editor({ back: 'page' }),
    },
  },
  'a parallel state that ends': {
    machine: checkout(),
    faults: {
      'another state follows': checkout({ done: 'cancelled' }),
      'a payment that fails': checkout({ pay: 'failed' }),
      'a region that does not end': checkout({ ship: 'atomic' }),
    },
  },
  'and, or, not, stateIn': {
    machine: gate(),
    faults: {
      'one guard less': gate({ all: ['closed', 'closed'] }),
      'another alternative': gate({ any: ['vip', 'vip'] }),
      'the other state': gate({ state: 'alarm.on' }),
    },
  },
  'raise later, and cancel': {
    machine: reminder(),
    faults: {
      'too late': reminder({ delay: 3_000 }),
      'not cancelled': reminder({ stop: 'other' }),
      'another event': reminder({ event: 'NUDGED' }),
    },
  },
  'sendTo, now and later': {
    machine: player(),
    faults: {
      'another message': player({ type: 'PAUSE' }),
      earlier: player({ delay: 400 }),
      'not cancelled': player({ stop: 'other' }),
    },
  },
  'choices after each other': {
    machine: sorter(),
    options: { events: [-1, 0, 4, 5, 6].map((n) => ({ type: 'PUT', n })) },
    faults: {
      'a higher limit': sorter({ limit: 11 }),
      'not doubled': sorter({ doubled: 1 }),
      'another way': sorter({ otherwise: 'large' }),
    },
  },
  'input and output': {
    machine: job(),
    options: { input: { name: 'a', most: 2 } } as never,
    faults: {
      'one try less': job({ retries: 1 }),
      'another input of the actor': job({ input: 'fixed' }),
      'another output': job({ output: 'none' }),
    },
  },
  'several targets, and reenter': {
    machine: studio(),
    faults: {
      'another first target': studio({ light: 'off' }),
      'another second target': studio({ mic: 'shut' }),
      'not entered again': studio({ reenter: false }),
    },
  },
  'createAction and assertEvent': {
    machine: cart(),
    options: {
      events: [
        { type: 'ADD', count: 1 },
        { type: 'ADD', count: 2 },
      ] as never,
    },
    faults: {
      'twice as much': cart({ add: 2 }),
      'nothing is taken out': cart({ remove: 0 }),
      'never empty': cart({ least: 1 }),
    },
  },
  'inherited, forbidden and wildcard events': {
    machine: menu(),
    options: {
      events: [
        { type: 'HOME' },
        { type: 'menu.open' },
        { type: 'GO' },
        { type: 'SAVE' },
        { type: 'QUIT' },
        { type: 'BACK' },
        { type: 'OTHER' },
      ],
    },
    faults: {
      'not forbidden': menu({ forbid: false }),
      'home is elsewhere': menu({ home: 'list' }),
      'the wildcard is elsewhere': menu({ wild: 'closed' }),
    },
  },
  'emit and log': {
    machine: meter(),
    faults: {
      'another event': meter({ type: 'higher' }),
      'another payload': meter({ payload: 2 }),
      'another text': meter({ text: 'under' }),
    },
  },
} as unknown as Readonly<Record<string, Chart>>;

describe.each(Object.entries(CHARTS))('%s', (_, { machine, options, faults }) => {
  const { paths, coverage } = generatePaths(machine, options);

  it('every transition has a path, and the right implementation passes', async () => {
    expect(coverage.transitions.missing).toEqual([]);
    expect((await runPaths(paths, actorDriver(machine, options))).failures.map(({ error }) => error)).toEqual(
      [],
    );
  });

  it.each(Object.entries(faults))('notices: %s', async (__, wrong) => {
    expect((await runPaths(paths, actorDriver(wrong, options))).failures.length).toBeGreaterThan(0);
  });
});
