import { describe, expect, it } from 'vitest';
import type { AuthOutcome } from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { ANNA, ANNA_2, BERT, Rig, S1, S2 } from './rig.js';
import { rigIn, WAYS } from './ways.js';

const unusable = (rig: Rig, reason: Reason = 'authMissing'): AuthOutcome => ({
  kind: 'unusable',
  failure: rig.failure(reason),
});
const usable = (account = ANNA): AuthOutcome => ({ kind: 'usable', account });

describe('a usable sign-in', () => {
  it.each(['authMissing', 'authApiKeyOnly', 'authUnreadable', 'authNoAccountId'] as const)(
    'RC-26: with %s the source is read again once, then it is looked at each second',
    async (reason) => {
      const rig = new Rig();
      await rig.send({ type: 'ENABLE', by: 'start', durable: false });
      await rig.answer('loadAuth', unusable(rig, reason));
      expect(rig.state).toBe('active.loadingAuth.reloading');
      expect(rig.desk.lastInput('loadAuth')).toEqual({ reload: true });
      await rig.answer('loadAuth', unusable(rig, reason));
      expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', reason]);
      for (let seconds = 0; seconds < 3; seconds += 1) {
        expect(rig.report.nextAttemptAt).toBe(rig.now + 1_000);
        expect(await rig.timeInState()).toBe(1_000);
        expect(rig.desk.lastInput('loadAuth')).toEqual({ reload: true });
        await rig.answer('loadAuth', unusable(rig, reason));
      }
      await rig.timeInState();
      await rig.answer('loadAuth', usable());
      expect(rig.state).toBe('active.loadingEnrollment.reading');
    },
  );

  it('RC-26: the second reading may bring what the first did not', async () => {
    const rig = await rigIn('active.loadingAuth.reloading');
    await rig.answer('loadAuth', usable());
    expect(rig.state).toBe('active.loadingEnrollment.reading');
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'anna' });
  });

  it.each([
    ['a sign-in', { type: 'AUTH.CHANGED', account: ANNA }, 'authChanged'],
    ['enable', { type: 'ENABLE', by: 'request', durable: false }, 'enabled'],
    ['a wake-up', { type: 'WAKE' }, 'authMissing'],
  ] as const)('RC-26: %s ends the waiting at once', async (_, event, reason) => {
    const rig = await rigIn('active.awaitingAuth.missing');
    await rig.send(event);
    expect(rig.shown).toEqual(['active.loadingAuth.reading', 'connecting', reason]);
    await rig.answer('loadAuth', usable());
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it('RC-26: a fault of the account adapter is told, read again, and waited out', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'start', durable: false });
    await rig.fail('loadAuth');
    expect(rig.shown).toEqual(['active.loadingAuth.reloading', 'connecting', 'engineFault']);
    await rig.fail('loadAuth');
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'engineFault']);
    await rig.send({ type: 'WAKE' });
    await rig.answer('loadAuth', unusable(rig));
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.report.reason).toBe('authMissing');
    await rig.timeInState();
    await rig.fail('loadAuth');
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'engineFault']);
  });

  it('RC-27: where it must be ready, a start without one ends the engine and says why', async () => {
    const rig = new Rig({ authStartup: 'ready' });
    await rig.send({ type: 'ENABLE', by: 'start', durable: false });
    await rig.answer('loadAuth', unusable(rig, 'authApiKeyOnly'));
    await rig.answer('loadAuth', unusable(rig, 'authApiKeyOnly'));
    expect(rig.shown).toEqual(['stopping', 'disabled', 'authApiKeyOnly']);
    await rig.answer('drain', undefined);
    expect(rig.actor.getSnapshot()).toMatchObject({
      status: 'done',
      output: { failure: { reason: 'authApiKeyOnly' } },
    });
  });

  it('RC-27: it must be ready at the start only: a sign-out later is waited out', async () => {
    const rig = new Rig({ authStartup: 'ready' });
    await rig.toConnected();
    await rig.send({ type: 'AUTH.CHANGED', account: null });
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'authMissing']);
    expect(rig.dropped).toEqual(['authMissing']);
    expect(rig.context).toMatchObject({
      account: null,
      enrollment: 'unknown',
      token: null,
      persistedServerId: null,
    });
    await rig.timeInState();
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.state).toBe('active.awaitingAuth.missing');
  });
});

describe('the account that the backend refused', () => {
  it('RC-28: one recovery step an attempt; after the first the pause is short, then it is the ladder', async () => {
    const rig = await rigIn('active.recoveringAuth');
    expect(rig.shown).toEqual(['active.recoveringAuth', 'connecting', 'backendUnauthorized']);
    const pauses: number[] = [];
    for (const generation of [2, 3, 4]) {
      await rig.answer('recoverAuth', { kind: 'recovered', account: { accountId: 'anna', generation } });
      expect(rig.shown).toEqual(['active.backingOff.recovered.pausing', 'connecting', 'authRecovered']);
      expect(rig.report.nextAttemptAt).not.toBeNull();
      pauses.push(await rig.timeInState());
      expect(rig.desk.lastInput('refresh')).toMatchObject({ account: { generation } });
      await rig.refuseRefresh();
    }
    expect(pauses).toEqual([300, 750, 1_500]);
  });

  it('RC-28: the same after a refused enrollment', async () => {
    const rig = await rigIn('active.enrolling.requesting');
    await rig.answer('enroll', { kind: 'unauthorized', failure: rig.failure('backendUnauthorized') });
    expect(rig.shown).toEqual(['active.recoveringAuth', 'connecting', 'backendUnauthorized']);
    await rig.answer('recoverAuth', { kind: 'recovered', account: ANNA_2 });
    await rig.timeInState();
    expect(rig.desk.lastInput('enroll')).toEqual({ account: ANNA_2 });
  });

  it('RC-28: when recovery is used up the source is read again, and the refused tokens wait on the ladder', async () => {
    const rig = await rigIn('active.recoveringAuth');
    const pauses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
      expect(rig.shown).toEqual(['active.loadingAuth.reloading', 'connecting', 'authRejected']);
      await rig.answer('loadAuth', usable());
      expect(rig.shown).toEqual(['active.awaitingAuth.refused', 'connecting', 'authRejected']);
      expect(rig.report.nextAttemptAt).not.toBeNull();
      pauses.push(await rig.timeInState());
      await rig.answer('loadAuth', usable());
      await rig.refuseRefresh();
    }
    expect(pauses).toEqual([750, 1_500, 3_000]);
  });

  it('RC-28, ACC-88: what ended recovery stays the reason while the refused tokens wait', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('refreshTokenExpired') });
    await rig.answer('loadAuth', usable());
    expect(rig.shown).toEqual(['active.awaitingAuth.refused', 'connecting', 'refreshTokenExpired']);
    expect(rig.report.lastFailure?.reason).toBe('refreshTokenExpired');
  });

  it('RC-28: tokens that are new in the source are tried at once', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', usable(ANNA_2));
    expect(rig.state).toBe('active.refreshing');
  });

  it('RC-26, RC-28: another account in the source is taken when recovery is used up', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', usable(BERT));
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['authChanged']);
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
  });

  it('RC-28: no generation has been refused before one was', async () => {
    const rig = await rigIn('active.loadingAuth.reloading');
    await rig.answer('loadAuth', usable({ accountId: 'anna', generation: 0 }));
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it('RC-28: a step that fails for now is tried again on the ladder', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'transient', failure: rig.failure('authRecoveryFailed') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'authRecoveryFailed']);
  });

  it('ACC-46: a recovery that brings another account ends a request to enable: it meant the one before', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', usable());
    await rig.answer('loadEnrollment', { kind: 'none', preference: 'unset' });
    await rig.answer('enroll', { kind: 'unauthorized', failure: rig.failure('backendUnauthorized') });
    await rig.answer('recoverAuth', { kind: 'recovered', account: BERT });
    expect(rig.shown).toEqual(['idle', 'disabled', 'authChanged']);
    expect(rig.report.lastFailure?.message).toBe('remote control authentication changed');
    expect(rig.desk.count('enroll')).toBe(1);
    expect(rig.context).toMatchObject({ account: BERT, enrollment: 'unknown' });
  });

  it('RC-29: a newer sign-in that comes from outside meanwhile is used at once', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
    expect(rig.shown).toEqual(['active.refreshing', 'connecting', 'authChanged']);
    expect(rig.desk.aborted).toEqual(['recoverAuth']);
    expect(rig.desk.lastInput('refresh')).toMatchObject({ account: ANNA_2 });
  });

  it('RC-7: a recovery that brings another account uses that account’s own identity, without a pause', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'recovered', account: BERT });
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['authChanged']);
    expect(rig.context).toMatchObject({ enrollment: 'unknown', token: null, persistedServerId: null });
  });
});

describe('another account', () => {
  it('RC-7: it drops identity, token and remote clients, and reads its own key', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    expect(rig.shown).toEqual(['active.loadingAuth.reading', 'connecting', 'authChanged']);
    expect([rig.dropped, rig.sockets]).toEqual([['authChanged'], 0]);
    await rig.answer('loadAuth', usable(BERT));
    expect(rig.context).toMatchObject({ enrollment: 'unknown', token: null, account: BERT });
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
    await rig.load(S2);
    expect(rig.desk.lastInput('refresh')).toEqual({ account: BERT, enrollment: S2 });
  });

  it.each(Object.keys(WAYS).filter((state) => state.startsWith('active.')))(
    'RC-7, RC-29: in %s another account is looked at, and a sign-out is waited out',
    async (state) => {
      const changed = await rigIn(state);
      await changed.send({ type: 'AUTH.CHANGED', account: BERT });
      expect(changed.shown).toEqual(['active.loadingAuth.reading', 'connecting', 'authChanged']);
      expect([changed.desk.open, changed.sockets]).toEqual([['loadAuth'], 0]);
      const signedOut = await rigIn(state);
      await signedOut.send({ type: 'AUTH.CHANGED', account: null });
      expect(signedOut.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'authMissing']);
      expect([signedOut.desk.open, signedOut.sockets]).toEqual([[], 0]);
    },
  );

  it('RC-7: an account that was exchanged while remote control was off is noticed', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.signIn(BERT);
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['disabled', 'authChanged']);
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
  });

  it('RC-7, RC-44: the wish of one account is not carried over to another', async () => {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', usable());
    await rig.load(S1, 'on');
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.answer('loadAuth', usable(BERT));
    await rig.load(S2, 'off');
    expect(rig.desk.count('saveEnrollment')).toBe(0);
    expect(rig.context.preference).toBe('off');
  });

  it('RC-26: a newer token of the same account does not disturb an attempt or a link', async () => {
    for (const state of ['active.connected', 'active.refreshing', 'active.connecting']) {
      const rig = await rigIn(state);
      const before = rig.actor.getSnapshot();
      await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
      expect(rig.actor.getSnapshot()).toBe(before);
    }
  });

  it('RC-26: a sign-out while it waits for a sign-in starts the waiting over', async () => {
    const rig = await rigIn('active.awaitingAuth.refused');
    await rig.send({ type: 'AUTH.CHANGED', account: null });
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'authMissing']);
    expect([rig.report.accountId, rig.dropped]).toEqual([null, ['authMissing']]);
    await rig.timeInState();
    await rig.answer('loadAuth', usable());
    expect(rig.shown).toEqual(['active.awaitingAuth.refused', 'connecting', 'authRejected']);
    expect(rig.report.accountId).toBe('anna');
  });
});

describe('a request to enable, on trial', () => {
  async function asked(): Promise<Rig> {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    return rig;
  }

  it('ACC-69: without a sign-in it goes back to idle, and the reason stays', async () => {
    const rig = await asked();
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.actor.getSnapshot().hasTag('beforeIdentity')).toBe(true);
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.shown).toEqual(['idle', 'disabled', 'authMissing']);
    expect(rig.report.lastFailure?.reason).toBe('authMissing');
  });

  it('RC-26: a request for now is no activation: it waits for a sign-in, as after a start', async () => {
    const rig = new Rig({ authStartup: 'ready' });
    await rig.send({ type: 'ENABLE', by: 'request', durable: false });
    await rig.answer('loadAuth', unusable(rig));
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'authMissing']);
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.answer('loadAuth', usable(BERT));
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it.each(['exhausted', 'transient'] as const)(
    'ACC-69: it runs all steps of a recovery before it gives up as %s',
    async (kind) => {
      const rig = await asked();
      await rig.answer('loadAuth', usable());
      await rig.load(null);
      const refused = () =>
        rig.answer('enroll', { kind: 'unauthorized', failure: rig.failure('backendUnauthorized') });
      for (const generation of [2, 3]) {
        await refused();
        await rig.answer('recoverAuth', { kind: 'recovered', account: { accountId: 'anna', generation } });
        expect(rig.actor.getSnapshot().hasTag('beforeIdentity')).toBe(true);
        await rig.timeInState();
      }
      await refused();
      await rig.answer('recoverAuth', { kind, failure: rig.failure('authRejected') });
      expect(rig.shown).toEqual(['idle', 'disabled', 'authRejected']);
    },
  );

  it('ACC-69: where there is an identity nothing is undone: it stays on, and waits', async () => {
    const rig = await asked();
    await rig.answer('loadAuth', usable());
    await rig.load(S1, 'on');
    await rig.refuseRefresh();
    await rig.answer('recoverAuth', { kind: 'transient', failure: rig.failure('authRecoveryFailed') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'authRecoveryFailed']);
  });

  it('ACC-69: a start never goes back to idle for it', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.state).toBe('active.awaitingAuth.missing');
  });

  it('ACC-69: a request while it is on by the start does not put it on trial', async () => {
    const rig = await rigIn('active.loadingAuth.reading');
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', unusable(rig));
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.state).toBe('active.awaitingAuth.missing');
  });

  it.each([
    'active.connecting',
    'active.backingOff.failed',
    'active.backingOff.deferred',
    'active.backingOff.asTold',
    'active.enrolling.notKept',
    'active.awaitingAuth.missing',
  ])('ACC-69: once %s was reached, the request was granted: a later refusal is waited out', async (state) => {
    const rig = await asked();
    if (state === 'active.awaitingAuth.missing') {
      await rig.send({ type: 'AUTH.CHANGED', account: null });
    } else {
      await rig.answer('loadAuth', usable());
      if (state === 'active.enrolling.notKept') {
        await rig.load(null);
        await rig.answer('enroll', { kind: 'granted', enrollment: S1, token: rig.token() });
        await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
      } else {
        await rig.load(S1, 'on');
        const retryAfterAt = rig.now + 1_000;
        if (state === 'active.connecting') await rig.renew();
        if (state === 'active.backingOff.failed') {
          await rig.answer('refresh', { kind: 'other', failure: rig.failure('backendBadAnswer') });
        }
        if (state === 'active.backingOff.deferred') {
          await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendTimeout') });
        }
        if (state === 'active.backingOff.asTold') {
          const failure = rig.failure('backendTimeout', { retryAfterAt });
          await rig.answer('refresh', { kind: 'transient', failure });
        }
      }
    }
    expect(rig.state).toBe(state);
    expect(rig.actor.getSnapshot().hasTag('beforeIdentity')).toBe(false);
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.answer('loadAuth', unusable(rig));
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.state).toBe('active.awaitingAuth.missing');
  });

  it('ACC-69: tokens that were refused before are tried once more for whoever asks', async () => {
    const rig = await rigIn('active.awaitingAuth.refused');
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    await rig.answer('loadAuth', unusable(rig));
    await rig.answer('loadAuth', usable());
    expect(rig.state).toBe('active.refreshing');
    await rig.refuseRefresh();
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    expect(rig.state).toBe('active.loadingAuth.reloading');
  });
});
