import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type VirtualClientEvent, virtualClientMachine } from '../../machines/virtual-client.js';
import { EdgeCover, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(virtualClientMachine);

class Rig {
  /** How often the session was closed. */
  closed = 0;
  readonly actor;

  constructor() {
    const machine = virtualClientMachine.provide({
      actions: {
        closeSession: () => {
          this.closed += 1;
        },
      },
    });
    this.actor = createActor(machine, {
      inspect: cover.watch(machine),
      input: {
        env: { now: () => 5, monotonic: () => 5, random: () => 0.5 },
        clientId: 'client',
        streamId: 'stream',
      },
    });
    this.actor.start();
  }

  get state() {
    return this.actor.getSnapshot().value;
  }

  /** Reason and detail of the end, and how often the session was closed. */
  get end() {
    const { output, context } = this.actor.getSnapshot();
    return [output?.reason, context.decision.detail, this.closed];
  }

  send(event: VirtualClientEvent): this {
    this.actor.send(event);
    return this;
  }
}

const ENDS: [string, VirtualClientEvent, string, string | null][] = [
  ['RC-34: client_closed', { type: 'CLOSE', reason: 'clientClosed' }, 'clientClosed', null],
  ['RC-30: a second initialize', { type: 'CLOSE', reason: 'reinitialized' }, 'reinitialized', null],
  ['RC-41: a stalled app server', { type: 'CLOSE', reason: 'clientStalled' }, 'clientStalled', null],
  [
    'an app server that does not open in time',
    { type: 'CLOSE', reason: 'appServerFailed', detail: 'no answer in time' },
    'appServerFailed',
    'no answer in time',
  ],
  ['RC-34: silence for too long', { type: 'IDLE' }, 'clientIdle', null],
  [
    'an app server that closes cleanly',
    { type: 'APP_SERVER.CLOSED', failure: null },
    'appServerClosed',
    null,
  ],
  [
    'an app server that fails',
    { type: 'APP_SERVER.CLOSED', failure: { reason: 'appServerFailed', message: 'it crashed', at: 0 } },
    'appServerFailed',
    'it crashed',
  ],
];

describe('virtualClient', () => {
  it('RC-30: it is open from its initialize on', () => {
    const rig = new Rig();
    expect([rig.state, rig.closed]).toEqual(['open', 0]);
    expect(rig.actor.getSnapshot().hasTag('alive')).toBe(true);
  });

  it.each(ENDS)('%s ends it', (_, event, reason, detail) => {
    const rig = new Rig().send(event);
    expect([rig.state, ...rig.end]).toEqual(['closed', reason, detail, 1]);
  });

  it('RC-35: its session is closed exactly once, in any order of events', () => {
    const events = fc.array(fc.constantFrom(...ENDS.map(([, event]) => event)), {
      minLength: 1,
      maxLength: 6,
    });
    fc.assert(
      fc.property(events, (ends) => {
        const rig = new Rig();
        for (const event of ends) if (rig.state !== 'closed') rig.send(event);
        expect([rig.state, rig.closed]).toEqual(['closed', 1]);
      }),
      { numRuns: 50 },
    );
  });
});

describe('cover', () => {
  it('the chart uses every name that it declares', () => {
    expect(unusedNames(virtualClientMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
