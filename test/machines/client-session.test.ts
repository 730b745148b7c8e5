import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import {
  type ClientSessionEvent,
  type ClientSessionInput,
  clientSessionMachine,
} from '../../machines/client-session.js';
import { SharedChart } from '../../src/session/shared-chart.js';
import { EdgeCover, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(clientSessionMachine);
type Event = ClientSessionEvent['type'];

const TIMING = { appServerOpen: 45_000, initializeTimeout: 15_000, sendStall: 30_000, clientStall: 5_000 };
type Transport = ClientSessionInput['transport'];
const TRANSPORTS: readonly Transport[] = ['socket', 'relay', 'stdio', 'stream'];

const rig = (...events: Event[]) => rigOver('socket', ...events);

function rigOver(transport: Transport, ...events: Event[]) {
  const done: string[] = [];
  const note = (name: string) => () => void done.push(name);
  const machine = clientSessionMachine.provide({
    actions: {
      announce: note('announce'),
      pauseAppServer: note('pauseAppServer'),
      resumeAppServer: note('resumeAppServer'),
      pauseClient: note('pauseClient'),
      resumeClient: note('resumeClient'),
      endClient: (_, { reason }) => void done.push(`endClient ${reason}`),
    },
  });
  const clock = new TestClock();
  const input = { transport, timing: TIMING };
  const actor = createActor(machine, { input, clock, inspect: cover.watch(machine) });
  actor.start();
  const at = {
    done,
    send(...more: Event[]) {
      for (const type of more) actor.send({ type });
      return at;
    },
    wait: (ms: number) => clock.advance(ms),
    get timers() {
      return clock.timers;
    },
    get conversation(): unknown {
      const { value } = actor.getSnapshot();
      return typeof value === 'string' ? value : value.open.conversation;
    },
    has: (tag: Parameters<ReturnType<typeof actor.getSnapshot>['hasTag']>[0]) =>
      actor.getSnapshot().hasTag(tag),
  };
  return at.send(...events);
}

describe('the conversation', () => {
  it('WSA-22: initialize is passed on once the app server is there, and its response begins the service', () => {
    const at = rig('OPENED');
    expect([at.conversation, at.has('awaitingInitialize')]).toEqual(['awaitingInitialize', true]);
    at.send('INITIALIZE.SENT');
    expect([at.conversation, at.has('initializing'), at.done]).toEqual(['initializing', true, []]);
    at.send('INITIALIZE.ACCEPTED');
    expect([at.has('initialized'), at.has('takesInitialize'), at.done]).toEqual([true, false, ['announce']]);
    at.send('INITIALIZE.SENT', 'SERVED');
    expect([at.conversation, at.done]).toEqual(['initialized', ['announce']]);
  });

  it('ACC-4: after a failed initialize the client may try again', () => {
    expect(rig('OPENED', 'INITIALIZE.SENT', 'INITIALIZE.FAILED').conversation).toBe('awaitingInitialize');
  });

  it('WSA-35: the first valid initialize opens the app-server connection, and may find no place', () => {
    const at = rig('DEFERRED', 'OPENING');
    expect([at.conversation, at.has('opening')]).toEqual(['opening', true]);
    expect(at.send('REFUSED').conversation).toBe('awaitingInitialize');
    expect(at.send('OPENING', 'OPENED', 'INITIALIZE.SENT').conversation).toBe('initializing');
  });

  it('WSA-44: a client that is served without initialize may send it later, and is announced once', () => {
    const at = rig('OPENED', 'SERVED');
    expect([at.has('initialized'), at.has('takesInitialize'), at.done]).toEqual([true, true, ['announce']]);
    at.send('INITIALIZE.SENT');
    expect([at.conversation, at.has('initialized')]).toEqual(['initializingLate', false]);
    expect(at.send('INITIALIZE.FAILED').conversation).toBe('served');
    expect(at.send('INITIALIZE.SENT', 'INITIALIZE.ACCEPTED').conversation).toBe('initialized');
    expect(at.done).toEqual(['announce']);
  });

  it('RC-77: at the end of the input a client is served before the response to its initialize', () => {
    const first = rig('OPENED', 'INITIALIZE.SENT', 'INPUT.ENDED', 'SERVED');
    expect([first.conversation, first.done, first.has('inputEnded')]).toEqual(['served', ['announce'], true]);
    const late = rig('OPENED', 'SERVED', 'INITIALIZE.SENT', 'SERVED');
    expect([late.conversation, late.done]).toEqual(['served', ['announce']]);
  });
});

describe('the flow', () => {
  it('the app server accepts no messages until it accepts them again', () => {
    const at = rig('BLOCKED', 'BLOCKED');
    expect(at.has('blocked')).toBe(true);
    expect(at.send('UNBLOCKED', 'UNBLOCKED').has('blocked')).toBe(false);
  });

  it('WSA-18: while the client reads slowly its app server is not read', () => {
    const at = rig('CLIENT.SLOW', 'CLIENT.SLOW');
    expect([at.has('slow'), at.done]).toEqual([true, ['pauseAppServer']]);
    at.send('CLIENT.READS', 'CLIENT.READS');
    expect([at.has('slow'), at.done]).toEqual([false, ['pauseAppServer', 'resumeAppServer']]);
  });

  it('WSA-24: while too much waits the client is not read', () => {
    const at = rig('QUEUE.LARGE', 'QUEUE.LARGE', 'QUEUE.EMPTY', 'QUEUE.EMPTY');
    expect(at.done).toEqual(['pauseClient', 'resumeClient']);
    expect(at.send('QUEUE.LARGE', 'INPUT.ENDED').has('inputEnded')).toBe(true);
    expect(at.send('QUEUE.LARGE').done).toEqual([
      'pauseClient',
      'resumeClient',
      'pauseClient',
      'resumeClient',
    ]);
  });

  it('the end resumes reading from the client, and no tag is left', () => {
    const at = rig('OPENED', 'QUEUE.LARGE', 'BLOCKED', 'CLIENT.SLOW', 'CLOSE');
    expect(at.done).toEqual(['pauseClient', 'pauseAppServer', 'resumeClient']);
    expect(at.timers).toBe(0);
    expect([at.conversation, at.has('slow'), at.has('opening')]).toEqual(['closed', false, false]);
  });
});

describe('limits', () => {
  /** What ended the client after `ms`, and whether it ended one moment earlier. */
  async function endAfter(at: ReturnType<typeof rigOver>, ms: number) {
    const ends = () => at.done.filter((one) => one.startsWith('endClient'));
    await at.wait(ms - 1);
    const early = ends();
    await at.wait(1);
    return [...early, '|', ...ends()].join(' ');
  }

  it.each(TRANSPORTS)('an app server that does not open within 45 s ends the client: %s', async (kind) => {
    const at = rigOver(kind, 'OPENING');
    expect(await endAfter(at, 45_000)).toBe('| endClient appServerFailed');
    expect(at.conversation).toBe('ending');
    expect(at.send('CLOSE').conversation).toBe('closed');
    expect(at.timers).toBe(0);
  });

  it.each([
    ['socket', '| endClient initializeMissing'],
    ['relay', '|'],
    ['stdio', '|'],
    ['stream', '|'],
  ] as const)('WSA-36: without a valid initialize within 15 s over %s: %s', async (kind, end) => {
    for (const before of [['OPENED'], ['DEFERRED'], ['OPENING', 'OPENED']] as const) {
      expect(await endAfter(rigOver(kind, ...before), 15_000)).toBe(end);
    }
  });

  it('WSA-36, WSA-37: after an initialize that failed or found no place the time starts again', async () => {
    for (const tried of [
      ['OPENING', 'REFUSED'],
      ['INITIALIZE.SENT', 'INITIALIZE.FAILED'],
    ] as const) {
      const at = rig('DEFERRED');
      await at.wait(14_999);
      at.send(...tried);
      expect(await endAfter(at, 15_000)).toBe('| endClient initializeMissing');
    }
  });

  it('WSA-36: a client that is initialized or served is not overdue', async () => {
    for (const way of [
      ['INITIALIZE.SENT', 'INITIALIZE.ACCEPTED'],
      ['INITIALIZE.SENT'],
      ['SERVED'],
    ] as const) {
      const at = rig('OPENED', ...way);
      await at.wait(600_000);
      expect(at.done).not.toContain('endClient initializeMissing');
    }
  });

  it.each([
    ['socket', '| endClient clientStalled'],
    ['relay', '| endClient clientStalled'],
    ['stdio', '|'],
    ['stream', '|'],
  ] as const)('WSA-18: a client that reads nothing for 30 s over %s: %s', async (kind, end) => {
    const at = rigOver(kind, 'OPENED', 'SERVED', 'CLIENT.SLOW');
    expect(await endAfter(at, 30_000)).toBe(end);
  });

  it('WSA-18: one that reads a little within 30 s stays, and its app server stays paused', async () => {
    const at = rig('OPENED', 'SERVED', 'CLIENT.SLOW');
    await at.wait(29_999);
    at.send('CLIENT.PROGRESS');
    await at.wait(29_999);
    expect(at.done).toEqual(['announce', 'pauseAppServer']);
    at.send('CLIENT.READS', 'CLIENT.SLOW');
    expect(await endAfter(at, 30_000)).toBe('| endClient clientStalled');
  });

  it.each([
    ['stream', '| endClient clientStalled'],
    ['socket', '|'],
    ['relay', '|'],
    ['stdio', '|'],
  ] as const)('RC-41: an app server that accepts nothing for 5 s over %s: %s', async (kind, end) => {
    expect(await endAfter(rigOver(kind, 'OPENED', 'SERVED', 'BLOCKED'), 5_000)).toBe(end);
    const again = rigOver(kind, 'OPENED', 'SERVED', 'BLOCKED');
    await again.wait(4_999);
    again.send('UNBLOCKED', 'BLOCKED');
    expect(await endAfter(again, 5_000)).toBe(end);
  });
});

describe('clientSession', () => {
  it('thousands of sessions share its states', () => {
    const chart = new SharedChart(clientSessionMachine, { transport: 'socket', timing: TIMING });
    const [first, second] = [chart.step(chart.initial, 'OPENED'), chart.step(chart.initial, 'OPENED')];
    expect(first.next).toBe(second.next);
    expect(chart.step(first.next, 'OPENED').next).toBe(first.next);
  });

  it('the chart uses every name that it declares', () => {
    expect(unusedNames(clientSessionMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
