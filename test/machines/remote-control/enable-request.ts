import { describe, expect, it } from 'vitest';
import type { AuthOutcome } from '../../../src/protocol/outcomes.js';
import { ANNA, BERT, Rig, S1 } from './rig.js';
import { rigIn } from './routes.js';

const unusable = (rig: Rig): AuthOutcome => ({ kind: 'ineligible', failure: rig.failure('authMissing') });
const usable = (account = ANNA): AuthOutcome => ({ kind: 'usable', account });

describe('a durable request to enable', () => {
  async function requested(): Promise<Rig> {
    const rig = new Rig();
    await rig.send({ type: 'ENABLE', by: 'request', durable: true });
    return rig;
  }

  it('ACC-69: without a sign-in it returns to idle with the reason', async () => {
    const rig = await requested();
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.actor.getSnapshot().hasTag('beforeIdentity')).toBe(true);
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.shown).toEqual(['idle', 'disabled', 'authMissing']);
    expect(rig.report.lastFailure?.reason).toBe('authMissing');
  });

  it('RC-26: an ephemeral request waits for a sign-in, as a start does', async () => {
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
    'ACC-69: it takes all recovery steps before it fails as %s',
    async (kind) => {
      const rig = await requested();
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

  it('ACC-69: with an identity it stays on and waits', async () => {
    const rig = await requested();
    await rig.answer('loadAuth', usable());
    await rig.load(S1, 'on');
    await rig.refuseRefresh();
    await rig.answer('recoverAuth', { kind: 'transient', failure: rig.failure('authRecoveryFailed') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'authRecoveryFailed']);
  });

  it('ACC-69: a start does not return to idle', async () => {
    const rig = await rigIn('active.recoveringAuth');
    await rig.answer('recoverAuth', { kind: 'exhausted', failure: rig.failure('authRejected') });
    await rig.answer('loadAuth', unusable(rig));
    expect(rig.state).toBe('active.awaitingAuth.missing');
  });

  it('ACC-69: a request after a start does not make it fail', async () => {
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
    'active.backingOff.retryAfter',
    'active.enrolling.notPersisted',
    'active.awaitingAuth.missing',
  ])(
    'ACC-69: once %s is reached the request has succeeded: after a later refusal it waits',
    async (state) => {
      const rig = await requested();
      if (state === 'active.awaitingAuth.missing') {
        await rig.send({ type: 'AUTH.CHANGED', account: null });
      } else {
        await rig.answer('loadAuth', usable());
        if (state === 'active.enrolling.notPersisted') {
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
          if (state === 'active.backingOff.retryAfter') {
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
    },
  );

  it('ACC-69: tokens that were refused before are tried once more for a new request', async () => {
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
