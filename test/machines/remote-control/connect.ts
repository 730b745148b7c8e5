import { describe, expect, it } from 'vitest';
import { ANNA, MINUTE, Rig, S1, S2 } from './rig.js';
import { rigIn } from './routes.js';

describe('connecting', () => {
  it('RC-9, RC-17: enables, enrolls, persists the identity and connects, each step with its input', async () => {
    const rig = new Rig();
    expect(rig.shown).toEqual(['idle', 'disabled', 'starting']);
    await rig.send({ type: 'ENABLE', by: 'start', durable: false });
    expect(rig.shown).toEqual(['active.loadingAuth.reading', 'connecting', 'enabled']);
    expect(rig.desk.lastInput('loadAuth')).toEqual({ reload: false });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA });
    expect(rig.desk.lastInput('loadEnrollment')).toEqual({
      socketUrl: 'wss://backend.test/server',
      accountId: 'anna',
      clientName: null,
    });
    await rig.load(null);
    expect(rig.state).toBe('active.enrolling.requesting');
    expect(rig.desk.lastInput('enroll')).toEqual({ account: ANNA });
    await rig.answer('enroll', { kind: 'granted', enrollment: S1, token: rig.token() });
    expect(rig.shown).toEqual(['active.enrolling.persisting', 'connecting', 'enrolled']);
    expect(rig.desk.lastInput('saveEnrollment')).toMatchObject({ enrollment: S1, preference: 'unset' });
    await rig.answer('saveEnrollment', { kind: 'done' });
    expect(rig.state).toBe('active.connecting');
    expect(rig.desk.lastInput('dial')).toEqual({ enrollment: S1, token: rig.context.token });
    await rig.open();
    expect(rig.shown).toEqual(['active.connected', 'connected', 'connected']);
    expect(rig.report).toMatchObject({ environmentId: 'E1', serverId: 'S1', openedAt: rig.now });
    expect(rig.desk.open).toEqual([]);
  });

  it('RC-17: the link gets the socket that was dialed', async () => {
    const rig = await rigIn('active.connecting');
    await rig.answer('dial', { kind: 'open', socket: 7 });
    const { link } = rig.actor.getSnapshot().children;
    expect(link?.getSnapshot()).toMatchObject({ context: { socket: 7 } });
  });

  it('RC-9: an identity is not used before it is persisted', async () => {
    const rig = await rigIn('active.enrolling.persisting');
    await rig.pass(5 * MINUTE);
    expect(rig.desk.count('dial')).toBe(0);
  });

  it('RC-15: with a stored identity a restart refreshes and connects, but does not enroll', async () => {
    const rig = new Rig();
    await rig.toRefreshing();
    expect(rig.shown).toEqual(['active.refreshing', 'connecting', 'enabled']);
    expect(rig.desk.lastInput('refresh')).toEqual({ account: ANNA, enrollment: S1 });
    await rig.renew();
    expect(rig.shown).toEqual(['active.connecting', 'connecting', 'tokenRefreshed']);
    await rig.open();
    expect(rig.desk.count('enroll')).toBe(0);
  });

  it('RC-16: after a clean close it connects again with the same token, without a refresh', async () => {
    const rig = new Rig();
    await rig.toConnected();
    const { token } = rig.context;
    await rig.closeLink();
    expect(rig.shown).toEqual(['active.backingOff.reconnecting', 'connecting', 'linkClosed']);
    await rig.timeInState();
    expect(rig.state).toBe('active.connecting');
    expect(rig.desk.lastInput('dial')).toEqual({ enrollment: S1, token });
    expect(rig.desk.count('refresh')).toBe(1);
  });

  it('RC-41: a lost link is reported with its lifetime, and counts as a failure', async () => {
    const rig = new Rig();
    await rig.toConnected();
    await rig.pass(5_000);
    await rig.closeLink(false);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'linkLost']);
    expect(rig.report.lastFailure?.message).toBe('The link ended after 5 s (close code 1006).');
    expect(rig.report.openedAt).toBeNull();
    expect([rig.sockets, rig.context.socket]).toEqual([0, null]);
  });

  it('an error in the link chart is treated as a lost link', async () => {
    const rig = new Rig({ linkBreaks: true });
    await rig.toConnected();
    await rig.pass(10_000);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'engineFault']);
    expect(rig.report.lastFailure?.message).toContain('the link chart broke');
  });
});

describe('refresh windows', () => {
  /** Starts an attempt when the token is valid for this long, ms. */
  async function attemptWith(left: number): Promise<Rig> {
    const rig = new Rig({ timing: { handshakeTimeout: MINUTE } });
    const pause = 750;
    await rig.toConnecting(left + pause);
    await rig.refuseDial('failed');
    expect(await rig.timeInState()).toBe(pause);
    return rig;
  }

  it.each([
    [-1, 'active.refreshing'],
    [30_000, 'active.refreshing'],
    [30_001, 'active.refreshing'],
    [300_000, 'active.refreshing'],
    [300_001, 'active.connecting'],
  ])('RC-13: a token that is valid for %d ms leads to %s', async (left, state) => {
    expect((await attemptWith(left)).state).toBe(state);
  });

  it.each([
    [30_000, 'active.backingOff.deferred', 'errored'],
    // An attempt after a failure stays errored. RC-25
    [30_001, 'active.connecting', 'errored'],
  ])(
    'RC-14: after a transient refresh failure, a token that is valid for %d ms leads to %s',
    async (left, state, status) => {
      const rig = await attemptWith(60_000);
      await rig.pass(60_000 - left);
      await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendTimeout') });
      expect(rig.shown).toEqual([state, status, 'backendTimeout']);
    },
  );

  it.each([
    [30_000, {}, 'active.backingOff.failed', 'errored'],
    [30_001, {}, 'active.connecting', 'errored'],
    [30_001, { httpStatus: 400 }, 'active.backingOff.failed', 'errored'],
  ])(
    'RC-14: a refresh without a response is transient if the token is valid for %d ms; with a bad response %j it is not',
    async (left, answered, state, status) => {
      const rig = await attemptWith(60_000);
      await rig.pass(60_000 - left);
      await rig.answer('refresh', { kind: 'other', failure: rig.failure('networkUnreachable', answered) });
      expect(rig.shown).toEqual([state, status, 'networkUnreachable']);
    },
  );

  it.each([
    [0, 24_000, -1, 'active.connecting'],
    [0, 24_000, 0, 'active.refreshing'],
    [0.999_999, 36_000, -1, 'active.connecting'],
    [0.999_999, 36_000, 0, 'active.refreshing'],
  ])(
    'RC-14: with random value %d a proactive refresh is deferred for %d ms; %d ms around that leads to %s',
    async (random, deferral, off, state) => {
      const rig = await attemptWith(200_000);
      rig.randomValue = random;
      await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendUnavailable') });
      expect(rig.state).toBe('active.connecting');
      rig.randomValue = 0;
      const pause = 1_000;
      await rig.pass(deferral - pause + off);
      await rig.refuseDial('failed');
      expect(await rig.timeInState()).toBe(pause);
      expect(rig.state).toBe(state);
    },
  );

  it('RC-14: without a valid token it waits for the deferral and does not dial', async () => {
    for (const [random, deferral] of [
      [0, 24_000],
      [0.999_999, 36_000],
    ] as const) {
      const rig = new Rig();
      rig.randomValue = random;
      await rig.toRefreshing();
      await rig.answer('refresh', { kind: 'transient', failure: rig.failure('backendUnavailable') });
      expect(rig.shown).toEqual(['active.backingOff.deferred', 'errored', 'backendUnavailable']);
      expect(rig.report.nextAttemptAt).toBe(rig.now + deferral);
      expect(await rig.timeInState()).toBe(deferral);
      expect(rig.state).toBe('active.refreshing');
      expect(rig.desk.count('dial')).toBe(0);
    }
  });

  it('RC-13: right after enrolling, a token that is about to expire is refreshed first', async () => {
    const rig = new Rig();
    await rig.toEnrolling();
    await rig.grant(S1, 300_000);
    expect(rig.state).toBe('active.refreshing');
    await rig.renew();
    expect(rig.state).toBe('active.connecting');
  });

  it('RC-13: a token that expires while the link is open does not end the link', async () => {
    const rig = new Rig();
    await rig.toConnected(MINUTE * 6);
    for (let minutes = 0; minutes < 8; minutes += 1) await rig.stabilize();
    expect(rig.state).toBe('active.connected');
    expect(rig.desk.count('refresh')).toBe(1);
  });

  it('RC-10: after any other refresh failure it backs off and keeps the identity', async () => {
    const rig = await rigIn('active.refreshing');
    await rig.answer('refresh', { kind: 'other', failure: rig.failure('identityMismatch') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'identityMismatch']);
    expect(rig.context.enrollment).toEqual(S1);
  });

  it.each([
    ['refresh', 'active.refreshing'],
    ['enroll', 'active.enrolling.requesting'],
    ['dial', 'active.connecting'],
    ['refresh', 'active.verifyingEnrollment'],
    ['loadEnrollment', 'active.loadingEnrollment.reading'],
    ['enroll', 'active.reenrolling'],
    ['recoverAuth', 'active.recoveringAuth'],
  ] as const)('an error of the actor %s in %s is reported, followed by backoff', async (src, state) => {
    const rig = await rigIn(state);
    await rig.fail(src);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'engineFault']);
    expect(rig.report.lastFailure?.message).toBe('An adapter failed unexpectedly: adapter bug');
  });

  it('RC-12: after a failed enrollment it backs off', async () => {
    const rig = await rigIn('active.enrolling.requesting');
    await rig.answer('enroll', { kind: 'conflict', failure: rig.failure('backendConflict') });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendConflict']);
    await rig.timeInState();
    expect(rig.state).toBe('active.enrolling.requesting');
    await rig.grant(S2);
    expect(rig.report.serverId).toBe('S2');
  });
});
