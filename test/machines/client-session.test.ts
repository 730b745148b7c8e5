import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type ClientSessionEvent, clientSessionMachine } from '../../machines/client-session.js';
import { SharedChart } from '../../src/session/shared-chart.js';
import { EdgeCover, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(clientSessionMachine);
type Event = ClientSessionEvent['type'];

function rig(...events: Event[]) {
  const done: string[] = [];
  const note = (name: string) => () => void done.push(name);
  const machine = clientSessionMachine.provide({
    actions: {
      announce: note('announce'),
      pauseAppServer: note('pauseAppServer'),
      resumeAppServer: note('resumeAppServer'),
      reportBlocked: note('reportBlocked'),
      reportUnblocked: note('reportUnblocked'),
      pauseClient: note('pauseClient'),
      resumeClient: note('resumeClient'),
    },
  });
  const actor = createActor(machine, { inspect: cover.watch(machine) });
  actor.start();
  const at = {
    done,
    send(...more: Event[]) {
      for (const type of more) actor.send({ type });
      return at;
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
  it('RC-41: the app server that accepts no messages is reported once, and until it accepts them again', () => {
    const at = rig('BLOCKED', 'BLOCKED');
    expect([at.has('blocked'), at.done]).toEqual([true, ['reportBlocked']]);
    at.send('UNBLOCKED', 'UNBLOCKED');
    expect([at.has('blocked'), at.done]).toEqual([false, ['reportBlocked', 'reportUnblocked']]);
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
    expect(at.done).toEqual(['pauseClient', 'reportBlocked', 'pauseAppServer', 'resumeClient']);
    expect([at.conversation, at.has('slow'), at.has('opening')]).toEqual(['closed', false, false]);
  });
});

describe('clientSession', () => {
  it('thousands of sessions share its states', () => {
    const chart = new SharedChart(clientSessionMachine, undefined);
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
