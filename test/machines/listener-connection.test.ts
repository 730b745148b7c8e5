import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActor } from 'xstate';
import {
  type ListenerConnectionEvent,
  listenerConnectionMachine,
} from '../../machines/listener-connection.js';
import { CLOSE_CODES } from '../../src/protocol/close-codes.js';
import { SharedChart, SharedRun } from '../../src/session/shared-chart.js';
import { EdgeCover, TestClock, unusedNames } from '../support/charts.js';

const TIMING = { sendStall: 30_000, localClose: 10_000, localPong: 25_000 };
const cover = new EdgeCover(listenerConnectionMachine);
type EventType = ListenerConnectionEvent['type'];

/** The chart as an XState actor on a simulated clock. */
function actorOf() {
  const effects: string[] = [];
  const record = (name: string) => (_: unknown, params?: unknown) => {
    effects.push(params === undefined ? name : `${name} ${JSON.stringify(params)}`);
  };
  const machine = listenerConnectionMachine.provide({
    actions: {
      pauseAppServer: record('pauseAppServer'),
      resumeAppServer: record('resumeAppServer'),
      sendClose: record('sendClose'),
      sendPing: record('sendPing'),
      destroySocket: record('destroySocket'),
      release: record('release'),
    },
  });
  const clock = new TestClock();
  const actor = createActor(machine, { input: { timing: TIMING }, clock, inspect: cover.watch(machine) });
  actor.start();
  return {
    effects,
    send: (...types: EventType[]) => {
      for (const type of types) actor.send({ type });
    },
    wait: (ms: number) => clock.advance(ms),
    get state() {
      const { value } = actor.getSnapshot();
      return typeof value === 'string' ? value : Object.entries(value).flat().join('.');
    },
  };
}

const chart = new SharedChart(listenerConnectionMachine, { timing: TIMING });

/** The chart as connections run it: shared and without an actor. */
function sharedRun() {
  const effects: string[] = [];
  const run = new SharedRun<ListenerConnectionEvent>(chart, (effect, params) =>
    effects.push(params === undefined ? effect : `${effect} ${JSON.stringify(params)}`),
  );
  return { run, effects };
}

describe('listenerConnection', () => {
  it('WSA-22: it is admitted, waits for initialize, and is initialized', () => {
    const one = actorOf();
    expect(one.state).toBe('authorizing');
    one.send('ADMITTED');
    expect(one.state).toBe('awaitingInitialize');
    one.send('INITIALIZED');
    expect(one.state).toBe('initialized');
  });

  it.each([
    ['OVERFLOW', 1013, 'clientOverloaded'],
    ['FLOODED', 1013, 'clientOverloaded'],
    ['REPLACED', 1013, 'connectionReplaced'],
    ['APP_SERVER.CLOSED', 1011, 'appServerClosed'],
    ['TOKEN.EXPIRED', 1008, 'jwtRanOut'],
    ['STOP', 1012, 'stopped'],
  ] as const)(
    'WSA-18, WSA-20, WSA-24, WSA-61: %s closes an open connection with %i %s',
    (event, code, reason) => {
      for (const way of [['ADMITTED'], ['ADMITTED', 'INITIALIZED'], ['ADMITTED', 'SLOW']] as const) {
        const one = actorOf();
        one.send(...way, event);
        expect(one.state).toBe('closing');
        expect(one.effects).toContain(`sendClose ${JSON.stringify({ code, reason })}`);
      }
    },
  );

  it('a refused connection is closed without being open', () => {
    const one = actorOf();
    one.send('REFUSED');
    expect([one.state, one.effects]).toEqual(['closed', ['release']]);
    const other = actorOf();
    other.send('STOP');
    expect(other.state).toBe('closed');
  });

  it('WSA-18: a slow client pauses its own app server until its data was sent', () => {
    const one = actorOf();
    one.send('ADMITTED', 'SLOW');
    expect([one.state, one.effects]).toEqual(['paused.awaitingInitialize', ['pauseAppServer']]);
    one.send('DRAINED');
    expect(one.state).toBe('awaitingInitialize');
    one.send('SLOW', 'INITIALIZED');
    expect(one.state).toBe('paused.initialized');
    one.send('DRAINED', 'SLOW', 'DRAINED');
    expect(one.state).toBe('initialized');
    const each = ['pauseAppServer', 'resumeAppServer'];
    expect(one.effects).toEqual([...each, ...each, ...each]);
  });

  it('WSA-18: it is closed with 1013 after 30 s of unsent data, but not if it drains in time', async () => {
    const one = actorOf();
    one.send('ADMITTED', 'INITIALIZED', 'SLOW');
    await one.wait(29_999);
    one.send('DRAINED', 'SLOW');
    await one.wait(29_999);
    expect(one.state).toBe('paused.initialized');
    await one.wait(1);
    expect(one.state).toBe('closing');
    expect(one.effects.slice(-3)).toEqual([
      'resumeAppServer',
      'sendClose {"code":1013,"reason":"clientStalled"}',
      'release',
    ]);
  });

  it('WSA-18: one that reads a little within 30 s stays, before and after initialize', async () => {
    for (const before of [[], ['INITIALIZED']] as const) {
      const one = actorOf();
      one.send('ADMITTED', ...before, 'SLOW');
      await one.wait(29_999);
      one.send('PROGRESS');
      await one.wait(29_999);
      expect(one.state).toMatch(/^paused/);
      expect(one.effects).toEqual(['pauseAppServer']);
      await one.wait(1);
      expect(one.effects).toContain('sendClose {"code":1013,"reason":"clientStalled"}');
    }
  });

  it('RC-86: a silent client gets two pings, and is closed when it answers neither', async () => {
    const one = actorOf();
    one.send('ADMITTED', 'INITIALIZED', 'SILENT');
    expect([one.state, one.effects]).toEqual(['probing', ['sendPing']]);
    await one.wait(25_000);
    expect([one.state, one.effects]).toEqual(['silent', ['sendPing', 'sendPing']]);
    await one.wait(24_999);
    expect(one.state).toBe('silent');
    await one.wait(1);
    expect(one.state).toBe('closing');
    expect(one.effects.slice(2)).toEqual(['sendClose {"code":1008,"reason":"clientVanished"}', 'release']);
    await one.wait(TIMING.localClose);
    expect(one.effects.at(-2)).toBe('destroySocket');
  });

  it('RC-86: an answer to either ping, or data that waits for it, ends the check', async () => {
    for (const ms of [0, 25_000]) {
      const one = actorOf();
      one.send('ADMITTED', 'INITIALIZED', 'SILENT');
      await one.wait(ms);
      one.send('ALIVE');
      expect(one.state).toBe('initialized');
      await one.wait(60_000);
      expect(one.state).toBe('initialized');
      one.send('SILENT');
      await one.wait(ms);
      one.send('SLOW');
      expect(one.state).toBe('paused.initialized');
    }
  });

  it.each([
    ['WSA-18', 'OVERFLOW', CLOSE_CODES.tryAgainLater, 'clientOverloaded'],
    ['WSA-24', 'FLOODED', CLOSE_CODES.tryAgainLater, 'clientOverloaded'],
    ['WSA-61', 'REPLACED', CLOSE_CODES.tryAgainLater, 'connectionReplaced'],
    ['the app server closed', 'APP_SERVER.CLOSED', CLOSE_CODES.internalError, 'appServerClosed'],
    ['WSA-20a', 'TOKEN.EXPIRED', CLOSE_CODES.policyViolation, 'jwtRanOut'],
    ['WSA-20', 'STOP', CLOSE_CODES.serviceRestart, 'stopped'],
  ] as const)('%s: %s closes it with %i, once', async (_, type, code, reason) => {
    for (const before of [[], ['INITIALIZED'], ['SLOW']] as const) {
      const one = actorOf();
      one.send(
        'ADMITTED',
        ...before,
        type,
        'OVERFLOW',
        'FLOODED',
        'REPLACED',
        'APP_SERVER.CLOSED',
        'TOKEN.EXPIRED',
        'STOP',
      );
      expect(one.state).toBe('closing');
      expect(one.effects.filter((effect) => effect.startsWith('sendClose'))).toEqual([
        `sendClose ${JSON.stringify({ code, reason })}`,
      ]);
      await one.wait(TIMING.localClose);
      expect(one.state).toBe('closed');
      expect(one.effects).toContain('destroySocket');
    }
  });

  it('WSA-36: without a valid initialize in time it closes with 1008; afterwards nothing is overdue', () => {
    for (const before of [[], ['SLOW']] as const) {
      const one = actorOf();
      one.send('ADMITTED', ...before, 'INITIALIZE.OVERDUE');
      expect(one.state).toBe('closing');
      expect(one.effects).toContain('sendClose {"code":1008,"reason":"initializeMissing"}');
    }
    const served = actorOf();
    served.send('ADMITTED', 'INITIALIZED', 'INITIALIZE.OVERDUE');
    expect(served.state).toBe('initialized');
  });

  it('the socket is not destroyed when the client answers the close frame', async () => {
    const one = actorOf();
    one.send('ADMITTED', 'STOP', 'ENDED');
    await one.wait(TIMING.localClose);
    expect(one.effects).not.toContain('destroySocket');
    expect(one.state).toBe('closed');
  });

  it('it ends when the client closes', () => {
    const one = actorOf();
    one.send('ADMITTED', 'ENDED');
    expect([one.state, one.effects]).toEqual(['closed', ['release']]);
  });

  it('the chart uses every name that it declares, and the tests take every transition', () => {
    expect(unusedNames(listenerConnectionMachine)).toEqual([]);
    expect(cover.untaken).toEqual([]);
  });
});

describe('a shared chart', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const EVENTS: EventType[] = [
    ...['ADMITTED', 'REFUSED', 'INITIALIZED', 'SLOW', 'DRAINED', 'OVERFLOW', 'FLOODED', 'REPLACED'],
    ...['PROGRESS', 'SILENT', 'SILENT', 'ALIVE'],
    ...['APP_SERVER.CLOSED', 'TOKEN.EXPIRED', 'INITIALIZE.OVERDUE', 'STOP', 'ENDED'],
  ] as EventType[];

  it('behaves like an actor of its own', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...EVENTS) },
      { weight: 2, arbitrary: fc.constantFrom(9_999, 10_000, 30_000) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const actor = actorOf();
        const { run, effects } = sharedRun();
        for (const one of ['ADMITTED' as const, ...steps]) {
          if (typeof one === 'number') {
            vi.advanceTimersByTime(one);
            await actor.wait(one);
          } else {
            if (!run.done) actor.send(one);
            run.send({ type: one });
          }
          expect(run.state).toBe(actor.state);
          expect(effects).toEqual(actor.effects);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('has no timers after it is closed', () => {
    const { run } = sharedRun();
    for (const type of ['ADMITTED', 'SLOW', 'STOP', 'ENDED'] as const) run.send({ type });
    expect(run.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
