import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type VirtualClientEvent, virtualClientMachine } from '../../machines/virtual-client.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(virtualClientMachine);

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<{ openAppServer: ReturnType<() => void> }>();
  /** How often the app-server connection was closed. */
  closed = 0;
  readonly actor;

  constructor() {
    const machine = virtualClientMachine.provide({
      actors: { openAppServer: this.desk.actor('openAppServer') },
      actions: {
        closeAppServer: () => {
          this.closed += 1;
        },
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      inspect: cover.watch(machine),
      input: {
        env: { now: () => this.clock.now(), monotonic: () => this.clock.now(), random: () => 0.5 },
        timing: DEFAULT_TIMING,
        clientId: 'client',
        streamId: 'stream',
      },
    });
    this.actor.start();
  }

  get state() {
    return this.actor.getSnapshot().value;
  }

  /** Reason and detail of the end, and how often the connection was closed. */
  get end() {
    const { output, context } = this.actor.getSnapshot();
    return [output?.reason, context.decision.detail, this.closed];
  }

  async send(event: VirtualClientEvent): Promise<void> {
    this.actor.send(event);
    await settle();
  }

  async opened(): Promise<this> {
    await this.desk.answer('openAppServer', undefined);
    return this;
  }
}

const ENDS: [string, VirtualClientEvent, string, string | null][] = [
  ['RC-34: client_closed', { type: 'CLOSE', reason: 'clientClosed' }, 'clientClosed', null],
  ['RC-30: a second initialize', { type: 'CLOSE', reason: 'reinitialized' }, 'reinitialized', null],
  ['RC-41: a stalled app server', { type: 'STALLED' }, 'clientStalled', null],
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
  it('RC-30: initialize opens its own app-server connection', async () => {
    const rig = new Rig();
    expect(rig.state).toBe('opening');
    expect(rig.desk.lastInput('openAppServer')).toEqual({ clientId: 'client', streamId: 'stream' });
    await rig.opened();
    expect(rig.state).toBe('active');
    expect(rig.clock.timers).toBe(0);
  });

  it('it ends with the reason when the app server cannot be reached', async () => {
    const rig = new Rig();
    await rig.desk.fail('openAppServer', new Error('connection refused'));
    expect([rig.state, ...rig.end]).toEqual(['closed', 'appServerFailed', 'connection refused', 1]);
  });

  it('it ends, too, when the app server rejects with something else than an Error', async () => {
    const rig = new Rig();
    await rig.desk.fail('openAppServer', 'text');
    expect(rig.end).toEqual(['appServerFailed', null, 1]);
  });

  it('it ends after 45 s when the app server does not answer, and ignores a late answer', async () => {
    const rig = new Rig();
    await rig.clock.advance(44_999);
    expect(rig.state).toBe('opening');
    await rig.clock.advance(1);
    expect([rig.state, ...rig.end]).toEqual(['closed', 'appServerFailed', 'no answer in time', 1]);
    expect(rig.desk.aborted).toEqual(['openAppServer']);
  });

  it('RC-34: it expires when it is idle, but not while it is opening', async () => {
    const rig = new Rig();
    await rig.send({ type: 'IDLE' });
    expect(rig.state).toBe('opening');
    await rig.opened();
    await rig.send({ type: 'IDLE' });
    expect([rig.state, ...rig.end]).toEqual(['closed', 'clientIdle', null, 1]);
  });

  it.each(ENDS)('%s ends it, while it is opening and when it is active', async (_, event, reason, detail) => {
    const opening = new Rig();
    await opening.send(event);
    expect([opening.state, ...opening.end]).toEqual(['closed', reason, detail, 1]);
    expect(opening.desk.aborted).toEqual(['openAppServer']);
    const active = await new Rig().opened();
    await active.send(event);
    expect([active.state, ...active.end]).toEqual(['closed', reason, detail, 1]);
  });

  it('RC-35: the connection is closed exactly once, in any order of events', async () => {
    const events = fc.array(fc.constantFrom(...ENDS.map(([, event]) => event)), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(events, fc.boolean(), async (ends, open) => {
        const rig = new Rig();
        if (open) await rig.opened();
        for (const event of ends) if (rig.state !== 'closed') await rig.send(event);
        expect([rig.state, rig.closed, rig.clock.timers]).toEqual(['closed', 1, 0]);
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
