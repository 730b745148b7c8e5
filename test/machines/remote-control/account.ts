import { describe, expect, it } from 'vitest';
import type { AuthOutcome } from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { ANNA, ANNA_2, BERT, Rig, S1, S2 } from './rig.js';
import { ROUTES, rigIn } from './routes.js';

const unusable = (rig: Rig, reason: Reason = 'authMissing'): AuthOutcome => ({
  kind: 'ineligible',
  failure: rig.failure(reason),
});
const usable = (account = ANNA): AuthOutcome => ({ kind: 'usable', account });

describe('waiting for a sign-in', () => {
  it.each(['authMissing', 'authApiKeyOnly', 'authUnreadable', 'authNoAccountId'] as const)(
    'RC-26: with %s the source is read again once, then polled each second',
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

  it('RC-26: the second read may find a sign-in', async () => {
    const rig = await rigIn('active.loadingAuth.reloading');
    await rig.answer('loadAuth', usable());
    expect(rig.state).toBe('active.loadingEnrollment.reading');
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'anna' });
  });

  it.each([
    ['a sign-in', { type: 'AUTH.CHANGED', account: ANNA }, 'authChanged'],
    ['enable', { type: 'ENABLE', by: 'request', durable: false }, 'enabled'],
    ['a wake-up', { type: 'WAKE' }, 'authMissing'],
  ] as const)('RC-26: %s ends the wait at once', async (_, event, reason) => {
    const rig = await rigIn('active.awaitingAuth.missing');
    await rig.send(event);
    expect(rig.shown).toEqual(['active.loadingAuth.reading', 'connecting', reason]);
    await rig.answer('loadAuth', usable());
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it('RC-26: after an error of the account adapter it reads again, then polls', async () => {
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

  it('RC-27: if a sign-in is required, a start without one stops the engine and reports why', async () => {
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

  it('RC-27: it is required only at the start: after a later sign-out it waits', async () => {
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

describe('an account that the backend refuses', () => {
  it('RC-28: one recovery step for each attempt; the first pause is short, then it backs off', async () => {
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

  it('RC-28: a refused enrollment starts recovery, too', async () => {
    const rig = await rigIn('active.enrolling.requesting');
    await rig.answer('enroll', { kind: 'unauthorized', failure: rig.failure('backendUnauthorized') });
    expect(rig.shown).toEqual(['active.recoveringAuth', 'connecting', 'backendUnauthorized']);
    await rig.answer('recoverAuth', { kind: 'recovered', account: ANNA_2 });
    await rig.timeInState();
    expect(rig.desk.lastInput('enroll')).toEqual({ account: ANNA_2 });
  });

  it('RC-28: when recovery is exhausted the source is read again, and the refused tokens are retried with backoff', async () => {
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

  it('RC-28, ACC-88: the failure that ended recovery stays the reason while it waits', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('refreshTokenExpired') });
    await rig.answer('loadAuth', usable());
    expect(rig.shown).toEqual(['active.awaitingAuth.refused', 'connecting', 'refreshTokenExpired']);
    expect(rig.report.lastFailure?.reason).toBe('refreshTokenExpired');
  });

  it('RC-28: new tokens in the source are tried at once', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', usable(ANNA_2));
    expect(rig.state).toBe('active.refreshing');
  });

  it('RC-26, RC-28: another account in the source is used when recovery is exhausted', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', usable(BERT));
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['authChanged']);
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
  });

  it('RC-28: generation 0 does not count as refused', async () => {
    const rig = await rigIn('active.loadingAuth.reloading');
    await rig.answer('loadAuth', usable({ accountId: 'anna', generation: 0 }));
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it('RC-28: a transient failure of a step is retried with backoff', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'transient', failure: rig.failure('authRecoveryFailed') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'authRecoveryFailed']);
  });

  it('ACC-46: a request to enable fails when recovery finds another account', async () => {
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

  it('RC-29: a newer sign-in during recovery is used at once', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
    expect(rig.shown).toEqual(['active.refreshing', 'connecting', 'authChanged']);
    expect(rig.desk.aborted).toEqual(['recoverAuth']);
    expect(rig.desk.lastInput('refresh')).toMatchObject({ account: ANNA_2 });
  });

  it('RC-7: when recovery finds another account, its own identity is used without a pause', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'recovered', account: BERT });
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['authChanged']);
    expect(rig.context).toMatchObject({ enrollment: 'unknown', token: null, persistedServerId: null });
  });

  it('RC-28: one account after another from recovery, all of them refused, do not become a storm', async () => {
    const rig = await rigIn('active.recoveringAuth');
    const pauses: number[] = [];
    for (const account of [BERT, ANNA, BERT, ANNA]) {
      await rig.answer('recoverAuth', { kind: 'recovered', account });
      if (rig.state.startsWith('active.backingOff')) pauses.push(await rig.timeInState());
      await rig.load(S2);
      await rig.refuseRefresh();
    }
    expect(pauses).toEqual([750, 1_500, 3_000]);
  });
});

describe('another account', () => {
  it('RC-7: it clears identity and token, closes virtual clients, and loads its own identity', async () => {
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

  it.each(Object.keys(ROUTES).filter((state) => state.startsWith('active.')))(
    'RC-7, RC-29: in %s another account is loaded, and after a sign-out it waits',
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

  it('RC-7: it notices another account that signed in while remote control was off', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.signIn(BERT);
    expect(rig.shown).toEqual(['active.loadingEnrollment.reading', 'connecting', 'authChanged']);
    expect(rig.dropped).toEqual(['disabled', 'authChanged']);
    expect(rig.desk.lastInput('loadEnrollment')).toMatchObject({ accountId: 'bert' });
  });

  it('RC-7, RC-44: a preference does not apply to another account', async () => {
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

  it('RC-26: a newer token of the same account does not interrupt an attempt or a link', async () => {
    for (const state of ['active.connected', 'active.refreshing', 'active.connecting']) {
      const rig = await rigIn(state);
      const before = rig.actor.getSnapshot();
      await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
      expect(rig.actor.getSnapshot()).toBe(before);
    }
  });

  it('RC-26: a sign-out while it waits for a sign-in restarts the wait', async () => {
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
