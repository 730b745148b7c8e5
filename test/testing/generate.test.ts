import { describe, expect, it } from 'vitest';
import { assign, fromPromise, setup } from 'xstate';
import {
  actorDriver,
  type Driver,
  failureWords,
  generatePaths,
  type Path,
  PathLimitError,
  pathsMarkdown,
  runPaths,
} from '../../src/testing/index.js';

/** An example chart with an actor, a backoff, and guards that read payloads, outcomes and counters. */
const dialer = setup({
  types: {
    context: {} as { readonly attempts: number },
    events: {} as { type: 'OPEN' } | { type: 'CLOSE'; clean: boolean } | { type: 'NEVER' },
  },
  actors: { dial: fromPromise<'open' | 'refused'>(async () => 'open') },
  guards: {
    opened: ({ event }) => 'output' in event && event.output === 'open',
    attemptsLeft: ({ context }) => context.attempts < 2,
    clean: ({ event }) => event.type === 'CLOSE' && event.clean,
  },
  actions: { count: assign({ attempts: ({ context }) => context.attempts + 1 }), sendClose: () => {} },
  delays: { backoff: ({ context }) => 100 * 2 ** context.attempts },
}).createMachine({
  id: 'dialer',
  context: { attempts: 0 },
  initial: 'idle',
  states: {
    idle: { on: { OPEN: 'dialing' } },
    dialing: {
      invoke: {
        id: 'dial',
        src: 'dial',
        onDone: [{ guard: 'opened', target: 'online' }, { target: 'deciding' }],
        onError: 'deciding',
      },
      after: { 5000: 'deciding' },
    },
    deciding: { always: [{ guard: 'attemptsLeft', target: 'waiting' }, { target: 'exhausted' }] },
    waiting: { entry: 'count', after: { backoff: 'dialing' } },
    online: {
      on: { CLOSE: [{ guard: 'clean', target: 'closed', actions: 'sendClose' }, { target: 'closed' }] },
    },
    exhausted: {},
    closed: { type: 'final' },
    island: { on: { NEVER: 'closed' } },
  },
});

const OPTIONS = {
  events: [
    { type: 'CLOSE', clean: true },
    { type: 'CLOSE', clean: false },
  ],
  outcomes: { dial: ['open', 'refused'] },
} as const;

const words = (path: Path): string[] => path.steps.map((step) => step.words);

describe('generatePaths', () => {
  it('covers every transition and guard of a chart with invoke and after', () => {
    const { coverage } = generatePaths(dialer, OPTIONS);
    expect(coverage.transitions.missing).toEqual(['dialer.island NEVER 0']);
    expect(coverage.states.missing).toEqual(['dialer.island']);
    expect(coverage.guards.missing).toEqual([]);
  });

  it('has outcomes, failures and delays with their length', () => {
    const { paths } = generatePaths(dialer, OPTIONS);
    const all = new Set(paths.flatMap(words));
    expect([...all].sort()).toEqual([
      'CLOSE (clean: false)',
      'CLOSE (clean: true)',
      'OPEN',
      'after 5000 ms',
      'after backoff',
      'dial done (open)',
      'dial done (refused)',
      'dial failed',
    ]);
    const backoffs = paths.flatMap(({ steps }) => steps.filter((step) => step.words === 'after backoff'));
    expect(new Set(backoffs.map(({ elapsed }) => elapsed))).toEqual(new Set([200, 400]));
  });

  it('covers states with fewer steps, and pairs with more', () => {
    const steps = (coverage: 'states' | 'transitions' | 'pairs') =>
      generatePaths(dialer, { ...OPTIONS, coverage }).paths.reduce((sum, path) => sum + path.steps.length, 0);
    expect(steps('states')).toBeLessThan(steps('transitions'));
    expect(steps('transitions')).toBeLessThan(steps('pairs'));
  });

  it('with pairs takes every transition after each possible predecessor', () => {
    const { paths } = generatePaths(dialer, { ...OPTIONS, coverage: 'pairs' });
    const pairs = new Set(
      paths.flatMap((path) => words(path).map((word, index, all) => `${all[index - 1] ?? 'start'}, ${word}`)),
    );
    for (const before of ['OPEN', 'after backoff']) {
      for (const after of ['dial done (open)', 'dial done (refused)', 'dial failed', 'after 5000 ms']) {
        expect(pairs).toContain(`${before}, ${after}`);
      }
    }
  });

  it('respects maxSteps', () => {
    const { paths, coverage } = generatePaths(dialer, { ...OPTIONS, maxSteps: 6 });
    expect(Math.max(...paths.map((path) => path.steps.length))).toBeLessThanOrEqual(6);
    expect(coverage.transitions.missing).toEqual(['dialer.island NEVER 0']);
  });

  it('is deterministic', () => {
    const once = generatePaths(dialer, OPTIONS).paths.map(words);
    expect(generatePaths(dialer, OPTIONS).paths.map(words)).toEqual(once);
  });

  it('ends delays in the order of time, and those that are due together at once', () => {
    const race = setup({ types: { events: {} as { type: 'AGAIN' } } }).createMachine({
      id: 'race',
      type: 'parallel',
      states: {
        a: { initial: 'x', states: { x: { after: { 30: 'y' } }, y: { after: { 30: 'x' } } } },
        b: { initial: 'x', states: { x: { after: { 60: 'y' } }, y: { after: { 45: 'x' } } } },
      },
    });
    const { paths } = generatePaths(race);
    expect(words(paths[0]!).slice(0, 3)).toEqual([
      'after 30 ms',
      'after 60 ms and after 30 ms',
      'after 30 ms',
    ]);
    expect(paths[0]!.steps.slice(0, 3).map(({ elapsed }) => elapsed)).toEqual([30, 30, 30]);
  });

  it('ends no delay where `waits` is false', () => {
    const { paths, coverage } = generatePaths(dialer, {
      ...OPTIONS,
      waits: ({ value }) => value !== 'dialing',
    });
    const all = paths.flatMap(words);
    expect(all).toContain('after backoff');
    expect(all).not.toContain('after 5000 ms');
    expect(coverage.transitions.missing.some((id) => id.includes('5000'))).toBe(true);
  });

  it('stops at the limit with a clear message when the context grows without end', () => {
    const counter = setup({
      types: { context: {} as { n: number }, events: {} as { type: 'MORE' } },
      actions: { more: assign({ n: ({ context }) => context.n + 1 }) },
    }).createMachine({ id: 'counter', context: { n: 0 }, on: { MORE: { actions: 'more' } } });
    const endless = () => generatePaths(counter, { limit: 500 });
    expect(endless).toThrow(PathLimitError);
    expect(endless).toThrow(/chart counter has more than 500 situations.*Pass a `key`/);
    const { explored } = generatePaths(counter, { key: ({ context }) => `${Math.min(context.n, 3)}` });
    expect(explored).toBe(4);
  });

  it('throws when `key` leaves out what a guard reads', () => {
    const { states: _, ...options } = { ...OPTIONS, states: 0 };
    expect(() => generatePaths(dialer, { ...options, key: () => '' })).toThrow(
      /guard reads something that `key`/,
    );
  });

  it('runs no actors or actions of the machine', () => {
    let ran = 0;
    const counting = dialer.provide({
      actors: {
        dial: fromPromise<'open' | 'refused'>(async () => {
          ran += 1;
          return 'open';
        }),
      },
      actions: { sendClose: () => (ran += 1) },
    });
    generatePaths(counting, OPTIONS);
    expect(ran).toBe(0);
  });

  it('throws when a guard of the chart throws', () => {
    const broken = setup({
      types: { events: {} as { type: 'GO' } },
      guards: {
        bad: () => {
          throw new Error('oops');
        },
      },
    }).createMachine({
      id: 'broken',
      initial: 'a',
      states: { a: { on: { GO: { guard: 'bad', target: 'a' } } } },
    });
    expect(() => generatePaths(broken)).toThrow(/oops/);
  });
});

describe('runPaths', () => {
  const { paths } = generatePaths(dialer, OPTIONS);

  it('plays every path against the machine itself, on a simulated clock', async () => {
    const report = await runPaths(paths, actorDriver(dialer));
    expect(failureWords(report)).toBe('');
    expect(report.edges.size).toBe(10);
  });

  it.each([
    ['another target', { online: 'exhausted' }],
    ['another delay', { backoff: 90 }],
  ])('detects a machine with %s', async (_, change) => {
    const config = structuredClone(JSON.parse(JSON.stringify(dialer.config)));
    if ('online' in change) config.states.dialing.invoke.onDone[0].target = change.online;
    const other = setup({
      actors: dialer.implementations.actors as never,
      guards: dialer.implementations.guards as never,
      actions: dialer.implementations.actions as never,
      delays: {
        backoff: 'backoff' in change ? change.backoff : dialer.implementations.delays.backoff,
      } as never,
    }).createMachine({ ...config, context: { attempts: 0 } });
    const report = await runPaths(paths, actorDriver(other));
    expect(report.failures.length).toBeGreaterThan(0);
  });

  it('reports the failed step with its story, continues with the next path, and ends each system', async () => {
    let open = 0;
    const driver: Driver = {
      start: () => {
        open += 1;
      },
      act: (step) => {
        if (step.words === 'dial failed') throw new Error('failed');
      },
      check: () => {},
      end: () => {
        open -= 1;
      },
    };
    const report = await runPaths(paths, driver);
    expect(open).toBe(0);
    expect(report.paths).toBe(paths.length);
    const [failure] = report.failures;
    expect(failure?.story.at(-1)).toBe('dial failed');
    expect(failureWords(report)).toMatch(/^after "dial failed", expected dialer\.\w+: failed\n {2}OPEN\n/);
  });
});

describe('pathsMarkdown', () => {
  it('formats each path as a scenario', () => {
    const generated = generatePaths(dialer, OPTIONS);
    const text = pathsMarkdown('dialer', 'abc', {
      variants: [{ variant: { name: 'fresh' }, generated }],
      coverage: generated.coverage,
    });
    expect(text).toContain('Chart abc. States 8/9');
    expect(text).toMatch(/## 1\. fresh: from idle to \w+\n\n1\. OPEN → \*\*dialing\*\*\n/);
    expect(text).toContain('after backoff (200 ms) → **dialing**');
  });
});
