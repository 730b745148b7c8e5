/**
 * More charts as other projects write them, by what they use. Each has implementations with one fault, which the paths must
 * notice, and must not complain about the right one.
 */
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { actorDriver, type GenerateOptions, generatePaths, runPaths } from '../../src/testing/index.js';
import {
  cart,
  checkout,
  editor,
  gate,
  job,
  menu,
  meter,
  player,
  progress,
  reminder,
  sorter,
  studio,
} from '../support/foreign-charts.js';

interface Chart {
  readonly machine: AnyStateMachine;
  readonly options?: GenerateOptions<AnyStateMachine>;
  readonly faults: Readonly<Record<string, AnyStateMachine>>;
}

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
