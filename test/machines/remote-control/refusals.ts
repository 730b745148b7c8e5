import { describe, expect, it } from 'vitest';
import { ANNA, MINUTE, Rig, S1, S2, S3 } from './rig.js';
import { rigIn } from './routes.js';

describe('a refused server token', () => {
  it('RC-19: it clears only the token, waits 0.1 to 0.5 s the first time, and refreshes the same identity', async () => {
    for (const [random, pause] of [
      [0, 100],
      [0.999_999, 500],
    ] as const) {
      const rig = new Rig();
      rig.randomValue = random;
      await rig.toConnecting();
      await rig.refuseDial('tokenRejected');
      expect(rig.shown).toEqual(['active.tokenInvalid.pausing', 'connecting', 'tokenRejected']);
      expect(rig.context).toMatchObject({ token: null, enrollment: S1 });
      expect(rig.report.nextAttemptAt).toBe(rig.now + pause);
      expect(await rig.timeInState()).toBe(pause);
      expect(rig.state).toBe('active.refreshing');
      expect(rig.desk.lastInput('refresh')).toEqual({ account: ANNA, enrollment: S1 });
      expect(rig.desk.count('recoverAuth')).toBe(0);
    }
  });

  it('RC-19: repeated refusals back off, until a link was stable', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const pauses: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      await rig.refuseDial('tokenRejected');
      pauses.push(await rig.timeInState());
      await rig.renew();
    }
    expect(pauses).toEqual([300, 750, 1_500, 3_000]);
    await rig.open();
    await rig.stabilize();
    await rig.closeLink();
    await rig.timeInState();
    await rig.refuseDial('tokenRejected');
    expect(await rig.timeInState()).toBe(300);
  });
});

describe('a lost identity', () => {
  it('RC-20, RC-22: a clear 404 leads to a new identity, which replaces the old one without a pause', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    await rig.refuseDial('serverGone');
    expect(rig.shown).toEqual(['active.reenrolling', 'connecting', 'serverGone']);
    expect(rig.context).toMatchObject({ enrollment: S1, persistedServerId: 'S1', token: null });
    expect(rig.dropped).toEqual([]);
    await rig.answer('enroll', { kind: 'granted', enrollment: S2, token: rig.token() });
    expect(rig.dropped).toEqual(['serverGone']);
    expect(rig.shown).toEqual(['active.enrolling.persisting', 'connecting', 'identityReplaced']);
    expect(rig.desk.lastInput('saveEnrollment')).toEqual({
      key: { socketUrl: 'wss://backend.test/server', accountId: 'anna', clientName: null },
      enrollment: S2,
      preference: 'unset',
    });
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.state).toBe('active.connecting');
    expect(rig.clock.now()).toBe(0);
    expect(rig.desk.lastInput('dial')).toMatchObject({ enrollment: S2 });
  });

  it('RC-20a: status says which environment replaced which', async () => {
    const rig = await rigIn('active.reenrolling');
    expect(rig.report.replacedIdentity).toBeNull();
    await rig.answer('enroll', { kind: 'granted', enrollment: S2, token: rig.token() });
    expect(rig.report.replacedIdentity).toEqual({ from: 'E1', to: 'E2', at: rig.now });
    expect(rig.report.detail).toBe('Environment E2 replaced E1. Each controller must be paired again.');
  });

  it('RC-20a: a new server in the same environment needs no new pairing', async () => {
    const rig = await rigIn('active.reenrolling');
    await rig.answer('enroll', {
      kind: 'granted',
      enrollment: { ...S2, environmentId: 'E1' },
      token: rig.token(),
    });
    expect(rig.report).toMatchObject({ replacedIdentity: null, reason: 'enrolled', serverId: 'S2' });
  });

  it('RC-20: while each route answers 404, the identity stays and is tried again', async () => {
    const rig = await rigIn('active.refreshing');
    const pauses: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      await rig.loseIdentity();
      await rig.answer('enroll', {
        kind: 'notFound',
        byBackend: true,
        failure: rig.failure('backendNotFound'),
      });
      expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendRoutesMissing']);
      pauses.push(await rig.timeInState());
      expect(rig.state).toBe('active.refreshing');
    }
    expect(pauses).toEqual([750, 1_500, 3_000]);
    await rig.renew();
    expect(rig.desk.lastInput('dial')).toMatchObject({ enrollment: S1 });
    expect([rig.dropped, rig.report.replacedIdentity]).toEqual([[], null]);
  });

  it('RC-20: a 404 that is not of the backend proves nothing', async () => {
    const rig = await rigIn('active.refreshing');
    await rig.loseIdentity(false);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendNotFound']);
    await rig.timeInState();
    expect(rig.state).toBe('active.refreshing');
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-20: a new identity that is not granted is requested again, also after another sign-in', async () => {
    const rig = await rigIn('active.reenrolling');
    await rig.answer('enroll', { kind: 'transient', failure: rig.failure('backendUnavailable') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendUnavailable']);
    await rig.timeInState();
    expect(rig.state).toBe('active.reenrolling');
    await rig.answer('enroll', { kind: 'unauthorized', failure: rig.failure('backendUnauthorized') });
    await rig.answer('recoverAuth', { kind: 'recovered', account: ANNA });
    await rig.timeInState();
    expect(rig.state).toBe('active.reenrolling');
    expect(rig.context.enrollment).toEqual(S1);
  });

  it('RC-20: a 404 of a refresh does the same', async () => {
    const rig = await rigIn('active.refreshing');
    await rig.loseIdentity();
    expect(rig.shown).toEqual(['active.reenrolling', 'connecting', 'backendNotFound']);
  });

  it('RC-20: it backs off when the backend loses each new identity', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const pauses: number[] = [];
    for (const next of [S2, S3, S1, S2, S3, S1, S2, S3]) {
      await rig.refuseDial('serverGone');
      await rig.grant(next);
      if (rig.state === 'active.connecting') {
        pauses.push(0);
        continue;
      }
      expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'serverGone']);
      pauses.push(await rig.timeInState());
    }
    expect(pauses).toEqual([0, 750, 1_500, 3_000, 6_000, 12_000, 22_500, 22_500]);
  });

  it('RC-20: it backs off, too, when the refresh after enrolling returns 404', async () => {
    const rig = await rigIn('active.refreshing');
    const pauses: number[] = [];
    for (const next of [S2, S3, S1]) {
      await rig.loseIdentity();
      await rig.grant(next, 60_000);
      pauses.push(rig.state === 'active.refreshing' ? 0 : await rig.timeInState());
      expect(rig.state).toBe('active.refreshing');
    }
    expect(pauses).toEqual([0, 750, 1_500]);
  });

  it('RC-6: it does not use the new identity before the store has it', async () => {
    const rig = await rigIn('active.reenrolling');
    await rig.answer('enroll', { kind: 'granted', enrollment: S2, token: rig.token() });
    await rig.answer('saveEnrollment', { kind: 'failed', failure: rig.failure('storeWriteFailed') });
    expect(rig.shown).toEqual(['active.enrolling.notPersisted', 'errored', 'storeWriteFailed']);
    await rig.timeInState();
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.desk.lastInput('dial')).toMatchObject({ enrollment: S2 });
    expect(rig.desk.count('enroll')).toBe(1);
  });
});

describe('an ambiguous 404', () => {
  it('RC-21: it verifies by a refresh; if that succeeds, the identity stays and it backs off', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    await rig.refuseDial('ambiguousNotFound');
    expect(rig.shown).toEqual(['active.verifyingEnrollment', 'connecting', 'ambiguousNotFound']);
    expect(rig.desk.lastInput('refresh')).toEqual({ account: ANNA, enrollment: S1 });
    const before = rig.context.token;
    await rig.renew();
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'identityVerified']);
    expect(rig.context.enrollment).toEqual(S1);
    expect(rig.context.token).not.toBe(before);
    await rig.timeInState();
    expect(rig.state).toBe('active.connecting');
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-21: if the refresh returns 404, it enrolls again', async () => {
    const rig = await rigIn('active.verifyingEnrollment');
    await rig.loseIdentity();
    expect(rig.shown).toEqual(['active.reenrolling', 'connecting', 'backendNotFound']);
  });

  it('RC-21: if the refresh fails in another way, identity and token stay', async () => {
    const rig = await rigIn('active.verifyingEnrollment');
    const { token } = rig.context;
    await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendTimeout') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendTimeout']);
    expect(rig.context).toMatchObject({ enrollment: S1, token });
  });

  it('RC-21, RC-28: if the refresh refuses the account, the next attempt verifies again', async () => {
    const rig = await rigIn('active.verifyingEnrollment');
    await rig.refuseRefresh();
    expect(rig.shown).toEqual(['active.recoveringAuth', 'connecting', 'backendUnauthorized']);
    await rig.answer('recoverAuth', { kind: 'recovered', account: ANNA });
    await rig.timeInState();
    expect(rig.state).toBe('active.refreshing');
  });

  it('RC-21: repeated ones back off', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const pauses: number[] = [];
    for (let round = 0; round < 4; round += 1) {
      await rig.refuseDial('ambiguousNotFound');
      await rig.renew();
      pauses.push(await rig.timeInState());
    }
    expect(pauses).toEqual([750, 1_500, 3_000, 6_000]);
  });
});

describe('another engine on a copy of this home', () => {
  /** Another connection replaces the link; then this engine connects again. */
  async function replacedAndBack(rig: Rig): Promise<void> {
    await rig.replaceLink();
    await rig.timeInState();
    await rig.open();
  }

  it('RC-110: the third replaced link since the last stable one is a duplicate installation', async () => {
    const rig = new Rig();
    await rig.toConnected();
    await rig.replaceLink();
    expect(rig.shown).toEqual(['active.backingOff.reconnecting', 'connecting', 'linkReplaced']);
    await rig.timeInState();
    await rig.open();
    await replacedAndBack(rig);
    await rig.replaceLink();
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'duplicateInstallation']);
    expect(rig.report.lastFailure?.message).toContain('took the connection 3 times');
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-110: a stable link ends the count', async () => {
    const rig = new Rig();
    await rig.toConnected();
    await replacedAndBack(rig);
    await replacedAndBack(rig);
    await rig.stabilize();
    await rig.replaceLink();
    expect(rig.report.reason).toBe('linkReplaced');
  });

  it('RC-110: conflicts that alternate with links are one, too', async () => {
    const rig = new Rig();
    await rig.toConnected();
    const seen: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      await rig.closeLink(false);
      await rig.timeInState();
      await rig.refuseDial('conflict');
      seen.push(rig.report.reason);
      await rig.timeInState();
      await rig.open();
    }
    expect(seen).toEqual(['connectionConflict', 'connectionConflict', 'duplicateInstallation']);
  });

  it('RC-110: a conflict that lasts longer than a dead connection is one', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const from = rig.now;
    const seen: string[] = [];
    while (rig.now - from < 170_000) {
      await rig.refuseDial('conflict');
      seen.push(rig.report.reason);
      await rig.timeInState();
    }
    const first = seen.indexOf('duplicateInstallation');
    expect(new Set(seen.slice(0, first))).toEqual(new Set(['connectionConflict']));
    expect(new Set(seen.slice(first))).toEqual(new Set(['duplicateInstallation']));
    expect(first).toBeGreaterThan(7);
  });

  it('RC-110: --on-conflict reenroll gets another identity, whose conflicts count from the beginning', async () => {
    const rig = new Rig({ onConflict: 'reenroll' });
    await rig.toConnected();
    await replacedAndBack(rig);
    await replacedAndBack(rig);
    await rig.replaceLink();
    expect(rig.shown).toEqual(['active.reenrolling', 'connecting', 'duplicateInstallation']);
    await rig.grant(S2);
    await rig.open();
    await rig.replaceLink();
    expect(rig.report.reason).toBe('linkReplaced');
  });

  it('RC-110: --on-conflict exit ends the engine', async () => {
    const rig = new Rig({ onConflict: 'exit' });
    await rig.toConnected();
    await replacedAndBack(rig);
    await replacedAndBack(rig);
    await rig.replaceLink();
    expect(rig.state).toBe('stopping');
    await rig.answer('drain', undefined);
    expect(rig.actor.getSnapshot().output?.failure?.reason).toBe('duplicateInstallation');
  });
});

describe('a conflict', () => {
  it('RC-24: two quick retries after 0.5 s and 1 s, then errored with backoff', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const seen: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      await rig.refuseDial('conflict');
      const { state, status, reason } = rig.report;
      seen.push([state, status, reason, await rig.timeInState()]);
    }
    expect(seen).toEqual([
      ['active.backingOff.handover', 'connecting', 'connectionConflict', 500],
      ['active.backingOff.handover', 'connecting', 'connectionConflict', 1_000],
      ['active.backingOff.failed', 'errored', 'connectionConflict', 750],
      ['active.backingOff.failed', 'errored', 'connectionConflict', 1_500],
    ]);
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-110: conflicts in a row, without a link between them, are no takeovers', async () => {
    const rig = await rigIn('active.connecting');
    for (let conflicts = 1; conflicts <= 3; conflicts += 1) {
      await rig.refuseDial('conflict');
      expect([conflicts, rig.context.failureCounters.takeovers]).toEqual([conflicts, 0]);
      await rig.timeInState();
    }
  });

  it('RC-24: --on-conflict reenroll enrolls again after the quick retries', async () => {
    const rig = new Rig({ onConflict: 'reenroll' });
    await rig.toConnecting();
    for (let round = 0; round < 2; round += 1) {
      await rig.refuseDial('conflict');
      await rig.timeInState();
    }
    await rig.refuseDial('conflict');
    expect(rig.shown).toEqual(['active.reenrolling', 'connecting', 'connectionConflict']);
    await rig.grant(S2);
    expect(rig.state).toBe('active.connecting');
    // The new identity has the same conflict: it backs off.
    await rig.refuseDial('conflict');
    await rig.grant(S3);
    expect(rig.state).toBe('active.backingOff.failed');
  });

  it('RC-24: --on-conflict exit stops the engine and reports why', async () => {
    const rig = new Rig({ onConflict: 'exit' });
    await rig.toConnecting();
    for (let round = 0; round < 2; round += 1) {
      await rig.refuseDial('conflict');
      await rig.timeInState();
    }
    await rig.refuseDial('conflict');
    expect(rig.shown).toEqual(['stopping', 'disabled', 'connectionConflict']);
    await rig.answer('drain', undefined);
    expect(rig.actor.getSnapshot().output).toMatchObject({ failure: { reason: 'connectionConflict' } });
  });

  it('RC-24: after a stable link there are quick retries again', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    for (let round = 0; round < 3; round += 1) {
      await rig.refuseDial('conflict');
      await rig.timeInState();
    }
    await rig.open();
    await rig.stabilize();
    await rig.closeLink();
    await rig.timeInState();
    await rig.refuseDial('conflict');
    expect(rig.state).toBe('active.backingOff.handover');
  });

  it('RC-43: disable cancels a pending quick retry', async () => {
    const rig = await rigIn('active.backingOff.handover');
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.pass(MINUTE);
    expect(rig.shown).toEqual(['idle', 'disabled', 'disabled']);
  });
});
