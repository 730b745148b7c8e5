import { fromCallback, fromPromise, setup } from 'xstate';

const nothing = () => undefined;

/** A chart with every feature of XState charts. */
export const specimen = setup({
  types: {
    events: {} as
      | { type: 'GO' }
      | { type: 'STAY' }
      | { type: 'IGNORE' }
      | { type: 'odd:one;#1' }
      | { type: 'NOTE' },
    context: {} as { readonly n: number },
  },
  actors: { fetch: fromPromise<number>(async () => 1), watch: fromCallback(() => undefined) },
  actions: { note: nothing, leave: nothing, because: (_, _params: { reason: string }) => undefined },
  guards: { ready: () => true, calm: () => true },
  delays: { pause: 10 },
}).createMachine({
  id: 'specimen',
  description: 'One of everything.',
  context: { n: 0 },
  initial: 'note',
  on: { GO: { target: '.note', actions: { type: 'because', params: { reason: 'starting' } } } },
  states: {
    note: {
      description: 'Its name is a keyword | with a bar.',
      tags: ['first'],
      entry: 'note',
      exit: ['leave', 'note'],
      on: {
        GO: [
          { guard: 'ready', target: 'both', actions: 'note' },
          { guard: 'calm', target: 'end' },
          { target: 'both' },
        ],
        STAY: { actions: { type: 'because', params: { reason: 'starting' } } },
        IGNORE: {},
        'odd:one;#1': 'both',
        NOTE: { target: 'note', reenter: true },
      },
      invoke: {
        id: 'load',
        src: 'fetch',
        onDone: { guard: 'ready', target: 'both' },
        onError: 'end',
        onSnapshot: { actions: 'note' },
      },
      after: { pause: 'end', 500: { target: 'both', actions: 'note' } },
    },
    both: {
      type: 'parallel',
      onDone: 'end',
      invoke: { id: 'watch', src: 'watch', onError: 'end' },
      on: { STAY: '.left.a' },
      states: {
        left: { initial: 'a', states: { a: { on: { GO: 'b' } }, b: { type: 'final' } } },
        right: {
          initial: 'c',
          states: { c: { always: [{ guard: 'calm', target: 'd' }] }, d: { type: 'final' } },
        },
      },
    },
    end: { type: 'final', description: 'The end.' },
  },
});
