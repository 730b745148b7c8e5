/** What must and what must not type-check for the users of `rc-engine/testing`. `npm run typecheck` reads this file. */
import { type AnyStateMachine, createMachine, fromPromise, setup } from 'xstate';
import { actorDriver, type Driver, generatePaths, type Path, runPaths } from '../../src/testing/index.js';

const upload = setup({
  types: {
    events: {} as { type: 'START'; size: number } | { type: 'CANCEL' },
    input: {} as { limit: number },
  },
  actors: {
    send: fromPromise<'accepted' | 'busy'>(async () => 'accepted'),
    measure: fromPromise(async () => 3),
  },
}).createMachine({
  id: 'upload',
  initial: 'idle',
  states: {
    idle: { on: { START: 'sending' } },
    sending: {
      invoke: { src: 'send', id: 'send', onDone: 'done' },
      initial: 'first',
      states: { first: { invoke: { id: 'size', src: 'measure', onDone: 'last' } }, last: {} },
    },
    done: { type: 'final' },
  },
});

export async function right(other: AnyStateMachine): Promise<void> {
  const { paths } = generatePaths(upload, {
    input: { limit: 1 },
    outcomes: { send: ['accepted', 'busy'], measure: () => [1], size: [2] },
    events: [{ type: 'START', size: 3 }],
    key: ({ value }) => JSON.stringify(value),
  });
  await runPaths(paths, {
    start: ({ name }) => name.length,
    act: (step) => {
      if (step.kind === 'event' && step.event.type === 'START') return step.event.size;
      if (step.kind === 'outcome') return step.value === 'busy' || step.value === 3;
      return step.elapsed;
    },
    check: ({ value, snapshot }) => value === 'done' || snapshot.matches({ sending: 'first' }),
  });
  // Paths of one machine are played against another one, and by a driver of any machine.
  await runPaths(paths, actorDriver(other));
  const any: Driver = { start: () => {}, act: () => {}, check: ({ value }) => value };
  await runPaths(paths, any);
  const untyped: readonly Path[] = paths;
  await runPaths(untyped, any);
  // A machine without types takes any outcome.
  generatePaths(createMachine({ id: 'a', invoke: { src: fromPromise(async () => 1), id: 'x' } }), {
    outcomes: { x: ['anything', 3] },
  });
  generatePaths(other, { outcomes: { x: [{ any: 1 }] }, events: [{ type: 'ANY', more: 1 }] });
}

export function wrong(): void {
  // @ts-expect-error no such outcome
  generatePaths(upload, { outcomes: { send: ['acepted'] } });
  // @ts-expect-error not an output of any actor
  generatePaths(upload, { outcomes: { other: [new Date()] } });
  // @ts-expect-error no such outcome, from a function
  generatePaths(upload, { outcomes: { send: () => ['refused'] } });
  // @ts-expect-error no such event
  generatePaths(upload, { events: [{ type: 'STRAT', size: 3 }] });
  // @ts-expect-error an event without its payload
  generatePaths(upload, { events: [{ type: 'START' }] });
  // @ts-expect-error no such option
  generatePaths(upload, { outcome: {} });
  // @ts-expect-error no such coverage
  generatePaths(upload, { coverage: 'everything' });
  // @ts-expect-error another input
  generatePaths(upload, { input: { limit: 'many' } });
  const { paths } = generatePaths(upload);
  for (const { start, steps } of paths) {
    // @ts-expect-error no such state
    if (start.value === 'dnoe') return;
    for (const step of steps) {
      // @ts-expect-error no such event
      if (step.kind === 'event' && step.event.type === 'STRAT') return;
      // @ts-expect-error no such outcome
      if (step.kind === 'outcome' && step.value === 'acepted') return;
      // @ts-expect-error no such kind
      if (step.kind === 'timeout') return;
    }
  }
  // @ts-expect-error the paths, not the whole result
  void runPaths(generatePaths(upload), actorDriver(upload));
  // @ts-expect-error a driver needs `check`
  void runPaths(paths, { start: () => {}, act: () => {} });
  // @ts-expect-error not a machine
  generatePaths({ id: 'x' });
}
