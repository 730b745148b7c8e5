/** Charts of more kinds as other projects write them. Each has parameters that put one fault into it. */
import {
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromPromise,
  raise,
  sendTo,
  setup,
  spawnChild,
  stateIn,
  stopChild,
} from 'xstate';

type Actions = readonly string[];

/** Deep history over two levels: where the wizard was is restored. */
export const wizard = ({ kind = 'deep', to = 'form', first = 'name' } = {}) =>
  createMachine({
    id: 'wizard',
    initial: 'form',
    states: {
      form: {
        initial: 'address',
        on: { PAUSE: 'paused' },
        states: {
          address: {
            initial: first,
            states: { name: { on: { NEXT: 'street' } }, street: { on: { NEXT: '#wizard.form.pay' } } },
          },
          pay: { initial: 'card', states: { card: { on: { NEXT: 'bill' } }, bill: {} } },
          back: { type: 'history', history: kind },
        },
      },
      paused: { on: { RESUME: to === 'form' ? 'form.back' : to } },
    },
  } as never);

/** An invoke in a state around another invoke: leaving the inner one does not stop the outer one. */
export const nested = ({ outer = 'session', inner = 'query', lost = '#out', again = 'query' } = {}) =>
  setup({ actors: { session: fromPromise(async () => 1), query: fromPromise(async () => 2) } }).createMachine(
    {
      id: 'nested',
      initial: 'in',
      states: {
        in: {
          invoke: { id: 'session', src: outer as 'session', onDone: '#out', onError: lost },
          initial: 'query',
          states: {
            query: {
              invoke: { id: 'query', src: inner as 'query', onDone: 'shown', onError: 'failed' },
            },
            shown: { on: { AGAIN: again } },
            failed: { on: { AGAIN: 'query' } },
          },
        },
        out: { id: 'out', on: { IN: 'in' } },
        off: { id: 'off' },
      },
    } as never,
  );

/** A transition to its own state with and without `reenter`: entry, exit, invoke and delay start again, or not. */
export const timer = ({ restart = true, poke = false, delay = 1_000 } = {}) =>
  setup({ actions: { beep: () => {}, hush: () => {} } }).createMachine({
    id: 'timer',
    initial: 'running',
    states: {
      running: {
        entry: 'beep',
        exit: 'hush',
        after: { [delay]: 'over' },
        initial: 'low',
        states: { low: { on: { UP: 'high' } }, high: {} },
        on: { RESTART: { target: 'running', reenter: restart }, POKE: { target: '.low', reenter: poke } },
      },
      over: { on: { RESTART: 'running' } },
    },
  });

/** A handler of the parent, which one child replaces with an internal one, and another forbids. */
export const inbox = ({ own = true, ban = true, parent = 'note' } = {}) =>
  setup({ actions: { note: () => {}, mark: () => {} } }).createMachine({
    id: 'inbox',
    initial: 'list',
    on: { MAIL: { actions: parent as 'note' } },
    states: {
      list: { on: { OPEN: 'mail', LOCK: 'locked' } },
      mail: { on: { ...(own ? { MAIL: { actions: 'mark' } } : {}), CLOSE: 'list', LOCK: 'locked' } },
      locked: { on: { ...(ban ? { MAIL: {} } : {}), UNLOCK: 'list' } },
    },
  });

/** A raised event with a computed delay, which is cancelled by id when somebody types on. */
export const search = ({ pause = 300, stop = 'typed', target = 'shown' } = {}) =>
  setup({
    types: { context: {} as { fast: boolean } },
    delays: { pause: ({ context }) => (context.fast ? pause / 3 : pause) },
  }).createMachine({
    id: 'search',
    context: { fast: false },
    initial: 'idle',
    on: { SPEED: { actions: assign({ fast: ({ context }) => !context.fast }) } },
    states: {
      idle: { on: { TYPE: 'typing' } },
      typing: {
        entry: raise({ type: 'FIND' }, { id: 'typed', delay: 'pause' as never }),
        on: {
          TYPE: { target: 'typing', reenter: true, actions: cancel('typed') },
          CLEAR: { target: 'idle', actions: cancel(stop) },
          FIND: target,
        },
      },
      shown: { on: { TYPE: 'typing' } },
      lost: {},
    },
  } as never);

/** Children with ids, spawned with input and stopped. */
export const pool = ({ id = 'worker', stop = 'worker', input = 7, message = 'WORK' } = {}) =>
  setup({ actors: { worker: fromPromise<void, number>(async () => {}) } }).createMachine({
    id: 'pool',
    initial: 'empty',
    states: {
      empty: { on: { HIRE: { target: 'busy', actions: spawnChild('worker', { id, input } as never) } } },
      busy: {
        on: {
          TELL: { actions: sendTo(id, { type: message } as never) },
          FIRE: { target: 'empty', actions: stopChild(stop) },
        },
      },
    },
  } as never);

/** `enqueueActions` with a condition: what it queues depends on the context. */
export const bank = ({ limit = 2, twice = false, order = ['take', 'tell'] as Actions } = {}) =>
  setup({
    types: { context: {} as { money: number } },
    actions: { take: () => {}, tell: () => {}, refuse: () => {} },
  }).createMachine({
    id: 'bank',
    context: { money: 3 },
    on: {
      DRAW: {
        actions: enqueueActions(({ context, enqueue }) => {
          if (context.money < limit) return enqueue('refuse' as never);
          enqueue.assign({ money: context.money - 1 });
          for (const action of order) enqueue(action as never);
          if (twice) enqueue('tell' as never);
        }),
      },
      FILL: { actions: assign({ money: 3 }) },
    },
  } as never);

/** Two regions, one of which asks where the other one is. */
export const doors = ({ at = 'inner.shut', first = 'outer', lock = 'locked' } = {}) =>
  createMachine({
    id: 'doors',
    type: 'parallel',
    states: {
      inner: { initial: 'shut', states: { shut: { on: { IN: 'open' } }, open: { on: { IN: 'shut' } } } },
      [first]: {
        initial: 'shut',
        states: {
          shut: { on: { OUT: [{ guard: stateIn(inPath(at)), target: 'open' }, { target: lock }] } },
          open: { on: { OUT: 'shut' } },
          locked: { on: { RESET: 'shut' } },
        },
      },
    },
  } as never);

function inPath(path: string): never {
  const [region = '', state = ''] = path.split('.');
  return { [region]: state } as never;
}

/** The input becomes context, and the output comes from context, event and parent state. */
export const vote = ({ from = 'need', add = 1, out = 'yes' } = {}) =>
  setup({
    types: {
      context: {} as { need: number; yes: number },
      input: {} as { need: number; spare: number },
      output: {} as { passed: number },
    },
    guards: { enough: ({ context }) => context.yes >= context.need },
  }).createMachine({
    id: 'vote',
    context: ({ input }) => ({ need: input[from as 'need'], yes: 0 }),
    initial: 'open',
    states: {
      open: {
        always: { guard: 'enough', target: 'done' },
        on: { YES: { actions: assign({ yes: ({ context }) => context.yes + add }) } },
      },
      done: { type: 'final' },
    },
    output: ({ context }) => ({ passed: context[out as 'yes'] }),
  });

/** Emitted events in entry and exit, with the context before and after an assignment. */
export const lamp = ({ on = 'lit', early = false, off = 'dark' } = {}) => {
  const count = assign({
    count: ({ context }: { context: { count: number } }) => Math.min(context.count + 1, 3),
  });
  const tell = emit(({ context }: { context: { count: number } }) => ({ type: on, count: context.count }));
  return createMachine({
    id: 'lamp',
    context: { count: 0 },
    initial: 'dark',
    states: {
      dark: { on: { SWITCH: 'lit' } },
      lit: {
        entry: early ? [tell, count] : [count, tell],
        exit: emit({ type: off }),
        on: { SWITCH: 'dark' },
      },
    },
  } as never);
};

/** One event moves two regions at once. XState enters the third one again, too, but not the state around them. */
export const desk = ({ left = 'up', right = 'up', stay = false } = {}) =>
  createMachine({
    id: 'desk',
    initial: 'parts',
    states: {
      parts: {
        type: 'parallel',
        entry: 'greet',
        on: { LIFT: { target: [`.left.${left}`, `.right.${right}`], reenter: stay } },
        states: {
          left: { initial: 'down', states: { down: {}, up: { on: { DROP_LEFT: 'down' } }, mid: {} } },
          right: { initial: 'down', states: { down: {}, up: { on: { DROP_RIGHT: 'down' } }, mid: {} } },
          lamp: { initial: 'off', states: { off: { on: { LIGHT: 'on' } }, on: {} } },
        },
      },
    },
  } as never);

/** Partial wildcards: `mouse.*` before `*`, and an exact event before both. */
export const pointer = ({ some = 'moved', any = 'typed', exact = 'clicked', prefix = 'mouse.*' } = {}) =>
  createMachine({
    id: 'pointer',
    initial: 'idle',
    states: {
      idle: { on: { 'mouse.click': exact, [prefix]: some, '*': any } },
      moved: { on: { BACK: 'idle' } },
      typed: { on: { BACK: 'idle' } },
      clicked: { on: { BACK: 'idle' } },
    },
  } as never);

/** A chain of `always`, with an entry action in each state on the way. */
export const filter = ({ big = 9, via = 'clean', skip = false } = {}) =>
  setup({
    types: { context: {} as { n: number }, events: {} as { type: 'PUT'; n: number } | { type: 'RESET' } },
    actions: { wash: () => {}, weigh: () => {} },
    guards: { isBig: ({ context }) => context.n >= big, isOdd: ({ context }) => context.n % 2 === 1 },
  }).createMachine({
    id: 'filter',
    context: { n: 0 },
    initial: 'empty',
    states: {
      empty: {
        on: { PUT: { target: 'dirty', actions: assign({ n: ({ event }) => (event as { n: number }).n }) } },
      },
      dirty: { always: [{ guard: 'isOdd', target: via as 'clean' }, { target: 'weighed' }] },
      clean: { ...(skip ? {} : { entry: 'wash' }), always: 'weighed' },
      weighed: { entry: 'weigh', always: [{ guard: 'isBig', target: 'big' }, { target: 'small' }] },
      big: { on: { RESET: 'empty' } },
      small: { on: { RESET: 'empty' } },
    },
  });

/** A delay that doubles with each attempt. */
export const retry = ({ base = 100, factor = 2, most = 3, reset = true } = {}) =>
  setup({
    types: { context: {} as { tries: number } },
    actors: { dial: fromPromise(async () => 1) },
    guards: { mayTry: ({ context }) => context.tries < most },
    delays: { backoff: ({ context }) => base * factor ** context.tries },
  }).createMachine({
    id: 'retry',
    context: { tries: 0 },
    initial: 'dialing',
    states: {
      dialing: {
        invoke: {
          id: 'dial',
          src: 'dial',
          onDone: { target: 'up', actions: reset ? assign({ tries: 0 }) : [] },
          onError: [{ guard: 'mayTry', target: 'waiting' }, { target: 'down' }],
        },
      },
      waiting: {
        after: {
          backoff: { target: 'dialing', actions: assign({ tries: ({ context }) => context.tries + 1 }) },
        },
      },
      up: { on: { LOST: 'dialing' } },
      down: { type: 'final' },
    },
  });

/** Outcomes that a guard ignores: the actor has ended all the same, and the state waits for another. */
export const quorum = ({ need = 2, count = 1, late = 'failed' } = {}) =>
  setup({
    types: { context: {} as { votes: number } },
    actors: { a: fromPromise(async () => 1), b: fromPromise(async () => 1) },
    guards: { isLast: ({ context }) => context.votes + 1 >= need },
    actions: { add: assign({ votes: ({ context }) => context.votes + count }) },
  }).createMachine({
    id: 'quorum',
    context: { votes: 0 },
    initial: 'asking',
    states: {
      asking: {
        invoke: ['a', 'b'].map((id) => ({
          id,
          src: id as 'a',
          onDone: [{ guard: 'isLast' as const, target: 'agreed' }, { actions: 'add' as const }],
          onError: late,
        })),
        after: { 5000: 'failed' },
      },
      agreed: {},
      failed: {},
    },
  });

/** Final children at two levels, with `onDone` of each and the output of the last. */
export const level = ({ inner = 'b', outer = 'end', output = 5 } = {}) =>
  setup({ actions: { cheer: () => {} } }).createMachine({
    id: 'level',
    initial: 'a',
    states: {
      a: {
        initial: 'x',
        onDone: inner,
        states: { x: { on: { WIN: 'y', LOSE: 'z' } }, y: { type: 'final', entry: 'cheer' }, z: {} },
      },
      b: {
        initial: 'p',
        onDone: outer,
        states: {
          p: {
            initial: 'q',
            states: { q: { on: { WIN: 'r' } }, r: { type: 'final' } },
            onDone: 'done',
          },
          done: { type: 'final' },
        },
      },
      end: { type: 'final', output: { score: output } },
      other: {},
    },
    output: ({ event }: { event: unknown }) => (event as { output?: unknown }).output,
  } as never);

/** Regions that end by actors: the parallel state is done only when both are. */
export const deploy = ({ done = 'live', test = 'final', build = 'built' } = {}) =>
  setup({ actors: { build: fromPromise(async () => 1), test: fromPromise(async () => 1) } }).createMachine({
    id: 'deploy',
    initial: 'work',
    states: {
      work: {
        type: 'parallel',
        onDone: { target: done, actions: 'publish' },
        states: {
          build: {
            initial: 'building',
            states: {
              building: { invoke: { id: 'build', src: 'build', onDone: build, onError: '#broken' } },
              built: { type: 'final' },
              stuck: {},
            },
          },
          test: {
            initial: 'testing',
            states: {
              testing: { invoke: { id: 'test', src: 'test', onDone: 'passed', onError: '#broken' } },
              passed: { type: test },
            },
          },
        },
      },
      live: {},
      broken: { id: 'broken', on: { AGAIN: 'work' } },
    },
  } as never);

/** Delays whose time an event can come before, in the middle of, or after. */
export const lease = ({ warn = 1_000, end = 3_000, extend = true } = {}) =>
  createMachine({
    id: 'lease',
    initial: 'held',
    states: {
      held: {
        after: { [end]: 'lost' },
        on: { EXTEND: { target: 'held', reenter: extend } },
        initial: 'fresh',
        states: { fresh: { after: { [warn]: 'old' } }, old: {} },
      },
      lost: { type: 'final' },
    },
  } as never);
