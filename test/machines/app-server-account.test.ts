import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type AppServerAccountEvent, appServerAccountMachine } from '../../machines/app-server-account.js';
import type { ConnectAccountOutcome, HandOverOutcome } from '../../src/protocol/app-server-account.js';
import { statePath } from '../../src/protocol/decision.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(appServerAccountMachine);
const failed = {
  kind: 'failed',
  failure: { reason: 'appServerAccountRefused', message: 'no', at: 0 },
} as const;

interface Outcomes {
  connect: ConnectAccountOutcome;
  handOver: HandOverOutcome;
  renew: ReturnType<() => void>;
  signOutAgent: ReturnType<() => void>;
  restart: ReturnType<() => void>;
}

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  readonly done: string[] = [];
  readonly actor;

  constructor() {
    const note = (name: string) => () => {
      this.done.push(name);
    };
    const machine = appServerAccountMachine.provide({
      actors: {
        connect: this.desk.actor('connect'),
        handOver: this.desk.actor('handOver'),
        renew: this.desk.actor('renew'),
        signOutAgent: this.desk.actor('signOutAgent'),
        restart: this.desk.actor('restart'),
      },
      actions: {
        refuseTokens: note('refuseTokens'),
        disconnect: note('disconnect'),
        releaseClients: note('releaseClients'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      inspect: cover.watch(machine),
      input: { env: { now: () => this.clock.now(), monotonic: () => this.clock.now(), random: () => 0.5 } },
    });
    this.actor.start();
  }

  get shown(): string {
    const { value, context } = this.actor.getSnapshot();
    return `${statePath(value)} ${context.decision.reason}`;
  }

  get state(): string {
    return statePath(this.actor.getSnapshot().value);
  }

  async send(...types: (AppServerAccountEvent['type'] | AppServerAccountEvent)[]): Promise<this> {
    for (const type of types) {
      const event = typeof type === 'string' ? ({ type } as AppServerAccountEvent) : type;
      this.actor.send(event);
      await settle();
    }
    return this;
  }
}

const changed = (shared: boolean, running: boolean, onDisk: boolean): AppServerAccountEvent => ({
  type: 'CHANGED',
  shared,
  running,
  onDisk,
});
const SHARED = changed(true, true, true);
const PER_CLIENT = changed(false, true, true);

/** Leads into each state. */
const ROUTES: Readonly<Record<string, () => Promise<Rig>>> = {
  idle: async () => new Rig(),
  connecting: async () => new Rig().send('NEEDED'),
  handingOver: async () => {
    const rig = await new Rig().send('NEEDED');
    await rig.desk.answer('connect', { kind: 'unclaimed' });
    return rig;
  },
  'following.settled': async () => {
    const rig = await in_('handingOver');
    await rig.desk.answer('handOver', { kind: 'accepted' });
    return rig;
  },
  replacing: async () => (await in_('following.settled')).send(SHARED),
  'following.renewing': async () => (await in_('following.settled')).send('ASKED'),
  'following.fresh': async () => {
    const rig = await in_('following.renewing');
    await rig.desk.answer('renew', undefined);
    return rig;
  },
  separate: async () => {
    const rig = await in_('connecting');
    await rig.desk.answer('connect', { kind: 'keepsOwn' });
    return rig;
  },
  'restarting.signingOutAgent': async () => new Rig().send('SIGNED_OUT'),
  'restarting.ending': async () => {
    const rig = await in_('restarting.signingOutAgent');
    await rig.desk.answer('signOutAgent', undefined);
    return rig;
  },
  holding: async () => {
    const rig = await in_('restarting.ending');
    await rig.desk.answer('restart', undefined);
    return rig;
  },
};

async function in_(state: string): Promise<Rig> {
  const rig = await ROUTES[state]?.();
  if (rig === undefined) throw new Error(`no route to ${state}`);
  expect(rig.state).toBe(state);
  return rig;
}

describe('appServerAccount', () => {
  it('RC-112: tokens that do not arrive are refused after 200 s, and may be requested again', async () => {
    const rig = await in_('following.renewing');
    await rig.clock.advance(199_999);
    expect(rig.shown).toBe('following.renewing appServerAccountRenewing');
    await rig.clock.advance(1);
    expect(rig.shown).toBe('following.settled accountTimeout');
    expect([rig.done.at(-1), rig.desk.aborted]).toEqual(['refuseTokens', ['renew']]);
    await rig.send('ASKED');
    expect(rig.state).toBe('following.renewing');
  });

  it('ACC-103: another sign-in at the app server, or a refusal, leaves the agent with its own', async () => {
    expect((await in_('separate')).shown).toBe('separate appServerAccountOwn');
    const refused = await in_('connecting');
    await refused.desk.answer('connect', failed);
    expect(refused.shown).toBe('separate appServerAccountRefused');
    const later = await in_('handingOver');
    await later.desk.answer('handOver', failed);
    expect(later.shown).toBe('separate appServerAccountRefused');
    expect((await (await in_('separate')).send('NEEDED')).state).toBe('separate');
  });

  it.each([
    ['connecting', 5_000],
    ['handingOver', 10_000],
  ])('ACC-103: a mute app server ends %s after %d ms', async (state, limit) => {
    const rig = await in_(state);
    await rig.clock.advance(limit - 1);
    expect(rig.state).toBe(state);
    await rig.clock.advance(1);
    expect(rig.shown).toBe('separate appServerAccountSilent');
  });

  it('ACC-103: one that keeps the account before a switch is ended, one that keeps older tokens is not', async () => {
    const switched = () => in_('replacing');
    const refused = await switched();
    await refused.desk.answer('handOver', failed);
    expect(refused.shown).toBe('restarting.signingOutAgent appServerAccountRefused');
    const mute = await switched();
    await mute.clock.advance(10_000);
    expect(mute.shown).toBe('restarting.signingOutAgent appServerAccountSilent');
    const broken = await switched();
    await broken.desk.fail('handOver', new Error('adapter bug'));
    expect(broken.shown).toBe('restarting.signingOutAgent engineFault');
    const accepted = await switched();
    await accepted.desk.answer('handOver', { kind: 'accepted' });
    expect(accepted.shown).toBe('following.settled appServerAccountShared');
    await accepted.send('RENEWED');
    await accepted.desk.answer('handOver', failed);
    expect(accepted.state).toBe('separate');
    const twice = await (await in_('handingOver')).send(SHARED);
    await twice.desk.answer('handOver', failed);
    expect(twice.state).toBe('restarting.signingOutAgent');
  });

  it('ACC-101: a change while clients are held ends the children again, and says why', async () => {
    const rig = await (await in_('holding')).send(PER_CLIENT);
    expect(rig.shown).toBe('restarting.signingOutAgent appServerAccountChanged');
  });

  it.each([
    ['idle', SHARED, 'connecting'],
    ['idle', PER_CLIENT, 'restarting.signingOutAgent'],
    ['idle', changed(false, false, true), 'idle'],
    ['idle', changed(false, true, false), 'idle'],
    ['connecting', SHARED, 'connecting'],
    ['handingOver', SHARED, 'replacing'],
    ['replacing', SHARED, 'replacing'],
    ['replacing', { type: 'RENEWED' } as const, 'replacing'],
    ['handingOver', { type: 'RENEWED' } as const, 'handingOver'],
    ['following.settled', SHARED, 'replacing'],
    ['following.settled', { type: 'RENEWED' } as const, 'handingOver'],
    ['following.renewing', { type: 'RENEWED' } as const, 'following.renewing'],
    ['separate', SHARED, 'restarting.signingOutAgent'],
    ['separate', changed(true, false, true), 'separate'],
    ['holding', SHARED, 'connecting'],
    ['holding', PER_CLIENT, 'restarting.signingOutAgent'],
    ['holding', changed(false, false, false), 'holding'],
    ['holding', { type: 'NEEDED' } as const, 'connecting'],
  ])('ACC-101: in %s, %j leads to %s', async (state, event, target) => {
    expect((await (await in_(state)).send(event)).state).toBe(target);
  });

  it.each(Object.keys(ROUTES))('ACC-102: a sign-out in %s ends the children', async (state) => {
    const rig = await in_(state);
    await rig.send('SIGNED_OUT');
    expect(rig.state).toMatch(state === 'restarting.ending' ? /^restarting\.ending$/ : /^restarting\./);
  });

  it('ACC-102: what hangs does not keep the sign-out from its end; clients are released once', async () => {
    const rig = await in_('restarting.signingOutAgent');
    await rig.clock.advance(2_000);
    expect(rig.state).toBe('restarting.ending');
    await rig.clock.advance(10_000);
    expect(rig.state).toBe('holding');
    await rig.clock.advance(15_000);
    expect(rig.state).toBe('idle');
    expect(rig.done.filter((name) => name === 'releaseClients')).toEqual(['releaseClients']);
    expect((await (await in_('holding')).send('RELEASE')).shown).toBe('idle appServerAccountIdle');
  });

  it('ACC-104: fresh tokens are not renewed again for 30 s', async () => {
    const rig = await in_('following.fresh');
    await rig.send('ASKED');
    expect([rig.state, rig.done.at(-1)]).toEqual(['following.fresh', 'refuseTokens']);
    await rig.clock.advance(30_000);
    expect((await rig.send('ASKED', 'ASKED')).state).toBe('following.renewing');
  });

  it.each([
    ['connecting', 'connect', 'separate engineFault'],
    ['handingOver', 'handOver', 'separate engineFault'],
    ['following.renewing', 'renew', 'following.settled engineFault'],
    ['restarting.signingOutAgent', 'signOutAgent', 'restarting.ending engineFault'],
    ['restarting.ending', 'restart', 'holding engineFault'],
  ] as const)('an error of the actor in %s is recorded', async (state, src, shown) => {
    const rig = await in_(state);
    await rig.desk.fail(src, new Error('adapter bug'));
    expect(rig.shown).toBe(shown);
  });

  it.each(Object.keys(ROUTES))(
    'ACC-103: in %s, the end of the child forgets what it was given',
    async (state) => {
      const rig = await in_(state);
      await rig.send('GONE');
      expect(rig.state).toBe(/^(?:restarting|holding)/.test(state) ? state : 'idle');
    },
  );

  it('the chart uses every name that it declares, and the tests take every transition', () => {
    expect(unusedNames(appServerAccountMachine)).toEqual([]);
    expect(cover.untaken).toEqual([]);
  });
});
