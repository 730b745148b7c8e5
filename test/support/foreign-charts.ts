/** Charts as other projects write them. Each has parameters that put one fault into it. */
import {
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

/** A download that shows its progress: `onSnapshot` of an actor with states of its own. */
export const progress = ({ half = 50, to = 'late', note = 'show' } = {}) =>
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
export const editor = ({ kind = 'shallow', first = 'text', back = '#last' } = {}) =>
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
export const checkout = ({ done = 'packed', pay = 'paid', ship = 'final' } = {}) =>
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
export const gate = ({ all = ['paid', 'closed'], any = ['vip', 'late'], state = 'alarm.off' } = {}) =>
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
export const reminder = ({ delay = 2_000, id = 'nudge', stop = 'nudge', event = 'NUDGE' } = {}) =>
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
export const player = ({ type = 'PLAY', delay = 500, stop = 'fade', to = 'deck' } = {}) =>
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
export const sorter = ({ limit = 10, doubled = 2, otherwise = 'small' } = {}) =>
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
export const job = ({ retries = 0, input = 'name', output = 'tries' } = {}) =>
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
export const studio = ({ light = 'bright', mic = 'open', reenter = true } = {}) =>
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
export const cart = ({ add = 1, remove = 1, least = 0 } = {}) => {
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
export const menu = ({ forbid = true, home = 'start', wild = 'lost' } = {}) =>
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
export const meter = ({ type = 'high', payload = 1, text = 'over' } = {}) =>
  createMachine({
    id: 'meter',
    initial: 'normal',
    states: {
      normal: { on: { RISE: { target: 'high', actions: emit({ type, level: payload } as never) } } },
      high: { entry: log(text), on: { FALL: { target: 'normal', actions: emit({ type: 'low' } as never) } } },
    },
  } as never);
