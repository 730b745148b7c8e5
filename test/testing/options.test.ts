/** What `rc-engine/testing` says about wrong options, and about charts that no test can be made of. */
import { describe, expect, it } from 'vitest';
import { assign, createMachine, fromPromise, raise, setup } from 'xstate';
import { actorDriver, ChartError, generatePaths, runPaths } from '../../src/testing/index.js';

const upload = setup({ actors: { send: fromPromise(async () => 'ok') } }).createMachine({
  id: 'upload',
  initial: 'idle',
  states: {
    idle: { on: { START: 'sending', 'file.*': { actions: () => {} } } },
    sending: { invoke: { src: 'send', onDone: 'done' } },
    done: {},
  },
});

describe('a wrong option is named, with what would be right', () => {
  it.each<[string, unknown, RegExp]>([
    ['no object', 3, /upload got no object with options/],
    [
      'an unknown name',
      { outcome: {} },
      /chart upload has no option "outcome". Options are: events, outcomes,/,
    ],
    [
      'an unknown coverage',
      { coverage: 'all' },
      /upload: the option coverage is not one of transitions, states/,
    ],
    ['a limit of 0', { limit: 0 }, /the option limit is not a number above 0/],
    ['a key that is no function', { key: 'x' }, /the option key is not a function/],
    ['except as a list', { except: [] }, /the option except is not a Set/],
    [
      'the name of the logic in place of the id',
      { outcomes: { send: ['ok'] } },
      /outcomes for the chart upload names "send".* invokes send with the id "0.upload.sending": use that/,
    ],
    [
      'an unknown actor',
      { failures: { sedn: [] } },
      /names "sedn", and no state invokes .*Ids are: 0.upload.sending/,
    ],
    [
      'outcomes without a list',
      { outcomes: { '0.upload.sending': 'ok' } },
      /with what is not a list, or a function/,
    ],
    [
      'an unknown event',
      { events: [{ type: 'STRAT' }] },
      /event "STRAT", which no state handles. Events are: START, file/,
    ],
    ['an event as text', { events: ['START'] }, /an event without a type. Pass events as/],
  ])('%s', (_, options, message) => {
    expect(() => generatePaths(upload, options as never)).toThrow(message);
    expect(() => generatePaths(upload, options as never)).toThrow(ChartError);
  });

  it('events of a wildcard and undefined options are right', () => {
    const options = {
      events: [{ type: 'file.added' }],
      key: undefined,
      outcomes: { '0.upload.sending': ['ok'] },
    };
    expect(generatePaths(upload, options as never).coverage.transitions.missing).toEqual([]);
  });

  it('what is no machine, no list of paths, or no driver', async () => {
    expect(() => generatePaths({ initial: 'a', states: {} } as never)).toThrow(
      /Pass createMachine\(definition\)/,
    );
    expect(() => actorDriver(undefined as never)).toThrow(/not a machine of XState 5/);
    const generated = generatePaths(upload);
    await expect(runPaths(generated as never, actorDriver(upload))).rejects.toThrow(
      /no list of paths.*`paths` of/,
    );
    await expect(runPaths(generated.paths, { start: () => {}, act: () => {} } as never)).rejects.toThrow(
      /no function check. A driver is/,
    );
  });
});

describe('a chart that never comes to rest is an error, also without maxIterations', () => {
  it.each([
    [
      'always',
      createMachine({
        id: 'spin',
        initial: 'a',
        states: { a: { on: { GO: 'b' } }, b: { always: 'c' }, c: { always: 'b' } },
      }),
    ],
    [
      'raise',
      createMachine({
        id: 'spin',
        initial: 'a',
        states: { a: { on: { GO: { actions: raise({ type: 'GO' }) } } } },
      }),
    ],
  ])('%s', (_, machine) => {
    expect(() => generatePaths(machine)).toThrow(
      /chart spin in the state "a" failed on "GO": Infinite loop.*spin\./,
    );
  });

  it('at the start', () => {
    const machine = createMachine({
      id: 'spin',
      initial: 'a',
      states: { a: { always: 'b' }, b: { always: 'a' } },
    });
    expect(() => generatePaths(machine)).toThrow(/chart spin cannot start: Infinite loop/);
  });

  it('the wrong implementation: its path fails', async () => {
    const machine = (c: object) =>
      createMachine({ id: 'spin', initial: 'a', states: { a: { on: { GO: 'b' } }, b: { always: 'c' }, c } });
    const { paths } = generatePaths(machine({}));
    const { failures } = await runPaths(paths, actorDriver(machine({ always: 'b' })));
    expect(failures.length).toBe(1);
  });
});

describe('charts of other shapes', () => {
  it('without states', async () => {
    const machine = createMachine({
      id: 'counter',
      context: { n: 0 },
      on: {
        MORE: {
          guard: ({ context }) => context.n < 2,
          actions: assign({ n: ({ context }) => context.n + 1 }),
        },
      },
    });
    const { paths, coverage } = generatePaths(machine);
    expect(coverage.guards.missing).toEqual([]);
    expect((await runPaths(paths, actorDriver(machine))).failures).toEqual([]);
  });

  it('without states, events and context', async () => {
    const machine = createMachine({ id: 'still' });
    expect(generatePaths(machine)).toMatchObject({ paths: [], explored: 1 });
    await runPaths(generatePaths(machine).paths, actorDriver(machine));
  });

  it('that needs input, with and without it', async () => {
    const machine = setup({
      types: { input: {} as { user: { id: string } }, context: {} as { user: string } },
    }).createMachine({
      id: 'needy',
      context: ({ input }) => ({ user: input.user.id }),
      initial: 'a',
      states: { a: { on: { GO: 'b' } }, b: {} },
    });
    expect(() => generatePaths(machine)).toThrow(
      /chart needy cannot start: .*user.*If it needs input, pass `input`/,
    );
    const input = { user: { id: 'x' } };
    const { paths } = generatePaths(machine, { input });
    expect((await runPaths(paths, actorDriver(machine, { input }))).failures).toEqual([]);
  });
});
