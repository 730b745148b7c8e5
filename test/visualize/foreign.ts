import {
  and,
  assign,
  cancel,
  createMachine,
  emit,
  enqueueActions,
  fromPromise,
  log,
  not,
  or,
  raise,
  sendParent,
  sendTo,
  setup,
  stateIn,
} from 'xstate';

const done = fromPromise(async () => 1);

/** Charts of others: with names that are no identifiers, and everything that XState has. */
export const FOREIGN = {
  names: createMachine({
    id: 'a chart > "of" <others>',
    initial: 'first state',
    states: {
      'first state': {
        description: 'Ends with ]]> and -- and & "quotes"\nand a line.',
        on: {
          'go > there': { target: '#über straße', guard: 'is > 3 && <ready>' },
          'with.dots.*': 'c\\.d',
          '*': 'end',
          'emoji 🙂 \u0007': 'end',
        },
      },
      'ünïcödé 状態': { id: 'über straße', on: { 'a//b **c** __d__ --e-- ~f': 'c\\.d', '\\n %p(': 'end' } },
      'c.d': {
        always: { target: 'End', guard: { type: 'at least', params: { n: 3, to: null, deep: { a: 1 } } } },
      },
      End: { on: { END: 'end', state: 'a-b' } },
      'a-b': { on: { X: 'a_b' } },
      a_b: { on: { X: '_x0041_' } },
      _x0041_: { on: { X: '²' } },
      '²': { on: { X: '1' } },
      '1': { type: 'final' },
      end: { type: 'final' },
    },
  }),
  everything: setup({
    types: {
      events: {} as { type: 'TICK' } | { type: 'GO' } | { type: 'BACK' } | { type: 'a.b' },
      context: {} as { readonly n: number },
    },
    actors: { load: done, 'load more': done },
    actions: { say: (_, _params: { readonly word: string; readonly times: number }) => undefined },
    guards: {
      ready: () => true,
      busy: () => false,
      isCode: (_, params: { readonly code: number }) => params.code > 1,
    },
    delays: { pause: 10 },
  }).createMachine({
    id: 'everything',
    context: { n: 0 },
    type: 'parallel',
    invoke: { id: 'whole', src: 'load more', onDone: { actions: log('loaded') } },
    on: { BACK: { target: '.left.hist', reenter: true } },
    onDone: { actions: { type: 'say', params: { word: 'over', times: 2 } } },
    states: {
      left: {
        initial: 'idle',
        onDone: 'right',
        states: {
          idle: {
            on: {
              GO: [
                { guard: and(['ready', not('busy')]), target: 'deciding', actions: raise({ type: 'TICK' }) },
                {
                  guard: or([{ type: 'isCode', params: { code: 404 } }, stateIn({ right: 'two' })]),
                  target: 'working',
                },
                { guard: stateIn('#everything.right.one'), actions: 'say' as never },
                { target: 'end' },
              ],
              'a.b': { target: 'idle', reenter: true },
            },
            after: { 500: 'working', pause: { target: 'deciding', guard: 'ready' } },
          },
          deciding: { always: [{ guard: 'busy', target: 'working' }, { target: 'end' }] },
          working: {
            entry: [
              raise({ type: 'TICK' }, { delay: 20, id: 'later' }),
              assign({ n: 1 }),
              sendTo('whole', { type: 'TICK' }),
            ],
            exit: [cancel('later'), emit({ type: 'TICK' }), sendParent({ type: 'TICK' })],
            invoke: {
              id: 'load',
              src: 'load',
              onDone: [{ guard: ({ event }) => event.output > 0, target: 'end' }, { target: 'idle' }],
              onError: {
                target: 'idle',
                actions: enqueueActions(({ enqueue }) => enqueue.raise({ type: 'GO' })),
              },
              onSnapshot: {
                actions: { type: 'say', params: ({ context }) => ({ word: 'x', times: context.n }) },
              },
            },
            tags: ['busy', 'online'],
          },
          hist: { type: 'history', history: 'deep', target: 'working' },
          end: { type: 'final' },
        },
      },
      right: {
        initial: 'one',
        states: {
          one: { on: { TICK: { target: ['two', '#everything.left.idle'] } } },
          two: {
            initial: 'x',
            states: { x: { on: { TICK: 'y' } }, y: {}, back: { type: 'history' } },
            on: { GO: '.back' },
          },
        },
      },
    },
  }),
};
