/** Charts of more kinds: each has wrong implementations that the paths must notice. */
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { actorDriver, type GenerateOptions, generatePaths, runPaths } from '../../src/testing/index.js';
import {
  bank,
  deploy,
  desk,
  doors,
  filter,
  inbox,
  lamp,
  lease,
  level,
  nested,
  pointer,
  pool,
  quorum,
  retry,
  search,
  timer,
  vote,
  wizard,
} from '../support/foreign-charts-more.js';

interface Chart {
  readonly machine: AnyStateMachine;
  readonly options?: GenerateOptions<AnyStateMachine>;
  readonly faults: Readonly<Record<string, AnyStateMachine>>;
}

const CHARTS = {
  'deep history': {
    machine: wizard(),
    faults: {
      shallow: wizard({ kind: 'shallow' }),
      'without history': wizard({ to: 'form.address' }),
      'another first state': wizard({ first: 'street' }),
    },
  },
  'an invoke around an invoke': {
    machine: nested(),
    faults: {
      'another actor': nested({ inner: 'session' }),
      'another state after a failure': nested({ lost: '#off' }),
      'not asked again': nested({ again: 'failed' }),
    },
  },
  'reenter, and not': {
    machine: timer(),
    faults: {
      'does not restart': timer({ restart: false }),
      'restarts where it should not': timer({ poke: true }),
      'a longer delay': timer({ delay: 1_500 }),
    },
  },
  'an inherited handler that is replaced or forbidden': {
    machine: inbox(),
    faults: {
      'not replaced': inbox({ own: false }),
      'not forbidden': inbox({ ban: false }),
      'another action': inbox({ parent: 'mark' }),
    },
  },
  'a computed delay that is cancelled': {
    machine: search(),
    faults: {
      'a longer pause': search({ pause: 600 }),
      'not cancelled': search({ stop: 'other' }),
      'another state': search({ target: 'lost' }),
    },
  },
  'children with input': {
    machine: pool(),
    faults: {
      'another input': pool({ input: 8 }),
      'not stopped': pool({ stop: 'other' }),
      'another message': pool({ message: 'REST' }),
    },
  },
  enqueueActions: {
    machine: bank(),
    faults: {
      'another limit': bank({ limit: 1 }),
      'one action twice': bank({ twice: true }),
      'another order': bank({ order: ['tell', 'take'] }),
    },
  },
  'a region that depends on another': {
    machine: doors(),
    faults: {
      'the other state': doors({ at: 'inner.open' }),
      'another state otherwise': doors({ lock: 'shut' }),
      'a third state': doors({ lock: 'open' }),
    },
  },
  'input, output and a counter': {
    machine: vote(),
    options: { input: { need: 2, spare: 5 } } as never,
    faults: {
      'another input': vote({ from: 'spare' }),
      'counts double': vote({ add: 2 }),
      'another output': vote({ out: 'none' }),
    },
  },
  'emitted events': {
    machine: lamp(),
    faults: {
      'another type': lamp({ on: 'shining' }),
      'before the assignment': lamp({ early: true }),
      'another type at the exit': lamp({ off: 'night' }),
    },
  },
  'several targets inside a parallel state': {
    machine: desk(),
    faults: {
      'another first target': desk({ left: 'mid' }),
      'another second target': desk({ right: 'mid' }),
      'enters the parallel state again': desk({ stay: true }),
    },
  },
  'partial wildcards': {
    machine: pointer(),
    options: {
      events: ['mouse.click', 'mouse.move', 'mouse.up', 'mouse.move.far', 'key', 'BACK'].map((type) => ({
        type,
      })),
    },
    faults: {
      'the partial one is elsewhere': pointer({ some: 'typed' }),
      'the full one is elsewhere': pointer({ any: 'moved' }),
      'the exact one is elsewhere': pointer({ exact: 'moved' }),
      'a narrower prefix': pointer({ prefix: 'mouse.move.*' }),
    },
  },
  'a chain of choices': {
    machine: filter(),
    options: { events: [{ type: 'RESET' }, ...[1, 2, 8, 9, 10].map((n) => ({ type: 'PUT', n }))] },
    faults: {
      'a higher limit': filter({ big: 10 }),
      'a state less on the way': filter({ via: 'weighed' }),
      'an entry less': filter({ skip: true }),
    },
  },
  'a delay that grows': {
    machine: retry(),
    faults: {
      'grows by another factor': retry({ factor: 3 }),
      'one attempt more': retry({ most: 4 }),
      'never reset': retry({ reset: false }),
    },
  },
  'outcomes that a guard ignores': {
    machine: quorum(),
    faults: {
      'one is enough': quorum({ need: 1 }),
      'counts double': quorum({ count: 2 }),
      'another state after a failure': quorum({ late: 'agreed' }),
    },
  },
  'final states at two levels': {
    machine: level(),
    faults: {
      'another state after the inner one': level({ inner: 'other' }),
      'another state after the outer one': level({ outer: 'other' }),
      'another output': level({ output: 6 }),
    },
  },
  'regions that end by actors': {
    machine: deploy(),
    faults: {
      'another state follows': deploy({ done: 'broken' }),
      'a region that does not end': deploy({ test: 'atomic' }),
      'a build that hangs': deploy({ build: 'stuck' }),
    },
  },
  'an event during a delay': {
    machine: lease(),
    faults: {
      'a later warning': lease({ warn: 2_000 }),
      'an earlier end': lease({ end: 2_500 }),
      'not extended': lease({ extend: false }),
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

  // The driver of another project compares what shows, not which edge was taken.
  it.each(Object.entries(faults))('notices: %s', async (__, wrong) => {
    const driver = actorDriver(wrong, { ...options, edges: false });
    expect((await runPaths(paths, driver)).failures.length).toBeGreaterThan(0);
  });
});
