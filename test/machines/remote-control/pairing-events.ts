import { describe, expect, it } from 'vitest';
import { enrollmentOf } from '../../../machines/remote-control/context.js';
import { BERT, Rig, S1, S2 } from './rig.js';
import { ROUTES, rigIn } from './routes.js';

const ACTIVE = Object.keys(ROUTES).filter((state) => state.startsWith('active.'));
/** States in which the current identity is S1. */
const WITH_IDENTITY = [
  'active.awaitingAuth.refused',
  'active.loadingEnrollment.updating',
  'active.enrolling.persisting',
  'active.enrolling.notPersisted',
  'active.refreshing',
  'active.connecting',
  'active.connected',
  'active.tokenInvalid.pausing',
  'active.verifyingEnrollment',
  'active.reenrolling',
  'active.recoveringAuth',
  'active.backingOff.failed',
  'active.backingOff.reconnecting',
  'active.backingOff.handover',
  'active.backingOff.recovered.pausing',
  'active.backingOff.deferred',
  'active.backingOff.retryAfter',
];

describe('TOKEN.RENEWED', () => {
  it.each(ACTIVE)('RC-47: in %s the token is used only if it is for the current identity', async (state) => {
    const rig = await rigIn(state);
    expect(enrollmentOf(rig.context)?.serverId).toBe(WITH_IDENTITY.includes(state) ? 'S1' : undefined);
    const { token: old } = rig.context;
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S2, token: rig.token() });
    expect(rig.context.token).toBe(old);
    const token = rig.token();
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token });
    expect(rig.context.token).toBe(WITH_IDENTITY.includes(state) ? token : old);
    expect(rig.state).toBe(state === 'active.refreshing' ? 'active.connecting' : state);
  });

  it('RC-47: it ends a refresh in progress, which would be a second one', async () => {
    const rig = await rigIn('active.refreshing');
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token: rig.token() });
    expect(rig.shown).toEqual(['active.connecting', 'connecting', 'tokenRefreshed']);
    expect(rig.desk.aborted).toEqual(['refresh']);
  });

  it('RC-19, RC-47: after a refused token it is used instead of a refresh', async () => {
    const rig = await rigIn('active.tokenInvalid.pausing');
    const token = rig.token();
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token });
    await rig.timeInState();
    expect(rig.state).toBe('active.connecting');
    expect(rig.desk.lastInput('dial')).toEqual({ enrollment: S1, token });
  });

  it('RC-7: a token for an identity of the earlier account is ignored', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.answer('loadAuth', { kind: 'usable', account: BERT });
    await rig.load(null);
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token: rig.token() });
    expect(rig.state).toBe('active.enrolling.requesting');
    expect(rig.context).toMatchObject({ enrollment: 'none', token: null });
  });
});

describe('ENROLLMENT.LOST', () => {
  const lost = (rig: Rig, serverId: string) =>
    rig.send({ type: 'ENROLLMENT.LOST', serverId, failure: rig.failure('backendNotFound') });

  it.each(ACTIVE)(
    'RC-22, RC-47: in %s it changes nothing for another identity than the current one',
    async (state) => {
      const rig = await rigIn(state);
      const before = rig.actor.getSnapshot();
      await lost(rig, 'S9');
      expect(rig.actor.getSnapshot()).toBe(before);
    },
  );

  it.each(WITH_IDENTITY.filter((state) => state !== 'active.awaitingAuth.refused'))(
    'RC-47: in %s a new identity is requested once',
    async (state) => {
      const rig = await rigIn(state);
      const later = state === 'active.backingOff.retryAfter';
      await lost(rig, 'S1');
      await lost(rig, 'S1');
      expect(rig.state).toBe(later ? state : 'active.reenrolling');
      expect(rig.report.reason).toBe(state === 'active.reenrolling' ? 'serverGone' : 'backendNotFound');
      expect(rig.desk.open).toEqual(later ? [] : ['enroll']);
      expect(rig.context).toMatchObject({ lostServerId: 'S1', token: null });
      expect(rig.sockets).toBe(0);
    },
  );

  it('RC-26, RC-47: while it waits for a sign-in, the identity is only marked; the next attempt replaces it', async () => {
    const rig = await rigIn('active.awaitingAuth.refused');
    await lost(rig, 'S1');
    expect(rig.shown).toEqual(['active.awaitingAuth.refused', 'connecting', 'authRejected']);
    await rig.timeInState();
    await rig.answer('loadAuth', { kind: 'usable', account: { accountId: 'anna', generation: 3 } });
    expect(rig.state).toBe('active.reenrolling');
  });

  it('RC-47: a token that pairing got for it proves that the backend knows it', async () => {
    const rig = await rigIn('active.backingOff.retryAfter');
    await lost(rig, 'S1');
    await rig.send({ type: 'TOKEN.RENEWED', enrollment: S1, token: rig.token() });
    await rig.timeInState();
    expect(rig.state).toBe('active.connecting');
  });

  it('RC-43: after disable it changes nothing', async () => {
    const rig = new Rig();
    await rig.toConnected();
    await rig.send({ type: 'DISABLE', durable: false });
    await lost(rig, 'S1');
    expect(rig.shown).toEqual(['idle', 'disabled', 'disabled']);
  });
});
