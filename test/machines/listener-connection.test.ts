import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActor } from 'xstate';
import {
  type ListenerConnectionEvent,
  listenerConnectionMachine,
} from '../../machines/listener-connection.js';
import { CLOSE_CODES } from '../../src/protocol/close-codes.js';
import { SharedChart } from '../../src/session/shared-chart.js';
import { EdgeCover, TestClock, unusedNames } from '../support/charts.js';
import { TestRun } from '../support/shared-run.js';

const TIMING = { localClose: 10_000, localPong: 25_000 };
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

describe('listenerConnection', () => {
  it('it is admitted, and is open', () => {
    const one = actorOf();
    expect(one.state).toBe('authorizing');
    one.send('ADMITTED');
    expect([one.state, one.effects]).toEqual(['open', []]);
  });

  it.each([
    ['INITIALIZE.OVERDUE', 1008, 'initializeMissing'],
    ['STALLED', 1013, 'clientStalled'],
    ['OVERFLOW', 1013, 'clientOverloaded'],
    ['FLOODED', 1013, 'clientOverloaded'],
    ['REPLACED', 1013, 'connectionReplaced'],
    ['APP_SERVER.CLOSED', 1011, 'appServerClosed'],
    ['TOKEN.EXPIRED', 1008, 'jwtRanOut'],
    ['STOP', 1012, 'stopped'],
  ] as const)(
    'WSA-18, WSA-20, WSA-24, WSA-36, WSA-61: %s closes an open connection with %i %s',
    (event, code, reason) => {
      for (const way of [['ADMITTED'], ['ADMITTED', 'SILENT']] as const) {
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

  it('RC-86: a silent client gets two pings, and is closed when it answers neither', async () => {
    const one = actorOf();
    one.send('ADMITTED', 'SILENT');
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

  it('RC-86: an answer to either ping, or data that it reads, ends the check', async () => {
    for (const ms of [0, 25_000]) {
      const one = actorOf();
      one.send('ADMITTED', 'SILENT');
      await one.wait(ms);
      one.send('ALIVE');
      expect(one.state).toBe('open');
      await one.wait(60_000);
      expect(one.state).toBe('open');
    }
  });

  it.each([
    ['WSA-36', 'INITIALIZE.OVERDUE', CLOSE_CODES.policyViolation, 'initializeMissing'],
    ['WSA-18', 'STALLED', CLOSE_CODES.tryAgainLater, 'clientStalled'],
    ['WSA-18', 'OVERFLOW', CLOSE_CODES.tryAgainLater, 'clientOverloaded'],
    ['WSA-24', 'FLOODED', CLOSE_CODES.tryAgainLater, 'clientOverloaded'],
    ['WSA-61', 'REPLACED', CLOSE_CODES.tryAgainLater, 'connectionReplaced'],
    ['the app server closed', 'APP_SERVER.CLOSED', CLOSE_CODES.internalError, 'appServerClosed'],
    ['WSA-20a', 'TOKEN.EXPIRED', CLOSE_CODES.policyViolation, 'jwtRanOut'],
    ['WSA-20', 'STOP', CLOSE_CODES.serviceRestart, 'stopped'],
  ] as const)('%s: %s closes it with %i, once', async (_, type, code, reason) => {
    for (const before of [[], ['SILENT']] as const) {
      const one = actorOf();
      one.send(
        'ADMITTED',
        ...before,
        type,
        'INITIALIZE.OVERDUE',
        'STALLED',
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
    ...['ADMITTED', 'REFUSED', 'STALLED', 'OVERFLOW', 'FLOODED', 'REPLACED'],
    ...['SILENT', 'SILENT', 'SILENT', 'ALIVE'],
    ...['APP_SERVER.CLOSED', 'TOKEN.EXPIRED', 'INITIALIZE.OVERDUE', 'STOP', 'ENDED'],
  ] as EventType[];

  it('behaves like an actor of its own', async () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom(...EVENTS) },
      { weight: 2, arbitrary: fc.constantFrom(9_999, 10_000, 25_000) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async (steps) => {
        const actor = actorOf();
        const run = new TestRun(chart, undefined);
        for (const one of ['ADMITTED' as const, ...steps]) {
          if (typeof one === 'number') {
            vi.advanceTimersByTime(one);
            await actor.wait(one);
          } else {
            if (!run.done) actor.send(one);
            run.send(one);
          }
          expect(run.state).toBe(actor.state);
          expect(run.effects).toEqual(actor.effects);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('has no timers after it is closed', () => {
    const run = new TestRun(chart, undefined);
    for (const type of ['ADMITTED', 'SILENT', 'STOP', 'ENDED']) run.send(type);
    expect(run.done).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });
});
