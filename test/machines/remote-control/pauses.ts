import { describe, expect, it } from 'vitest';
import { ANNA_2, BERT, MINUTE, type RcEvent, Rig } from './rig.js';
import { rigIn } from './routes.js';

/** The upper bound of each pause, ms. */
const LIMITS = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000];

async function failedPauses(rig: Rig, rounds: number): Promise<number[]> {
  const pauses: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await rig.refuseDial('failed');
    pauses.push(await rig.timeInState());
  }
  return pauses;
}

describe('the reconnect backoff', () => {
  it.each([
    ['minimum', 0, LIMITS.map((all) => all / 2)],
    ['maximum', 0.999_999_9, LIMITS],
  ])(
    'RC-25: %s: each pause is between half and all of 1, 2, 4, 8, 16, 30, 30 s',
    async (_, random, pauses) => {
      const rig = new Rig();
      rig.randomValue = random;
      await rig.toConnecting();
      expect(await failedPauses(rig, LIMITS.length)).toEqual(pauses);
    },
  );

  it('RC-25, RC-42: it reports errored after a failure, and the time of the next attempt', async () => {
    const rig = await rigIn('active.backingOff.failed');
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'networkUnreachable']);
    expect(rig.report.nextAttemptAt).toBe(rig.now + 750);
    await rig.timeInState();
    expect(rig.shown).toEqual(['active.connecting', 'errored', 'retrying']);
    expect(rig.report.nextAttemptAt).toBeNull();
    await rig.open();
    expect(rig.report.status).toBe('connected');
    await rig.closeLink();
    expect(rig.report.status).toBe('connecting');
  });

  it('RC-25: an open link does not reset the backoff, nor do 60 s without a pong or frame after them', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    expect(await failedPauses(rig, 3)).toEqual([750, 1_500, 3_000]);
    await rig.open();
    await rig.pass(9_000);
    await rig.closeLink(false);
    expect(await rig.timeInState()).toBe(6_000);
    await rig.open();
    await rig.pass(10_000);
    await rig.link({ type: 'PONG' });
    await rig.pass(49_999);
    await rig.link({ type: 'PONG' });
    await rig.pass(1);
    await rig.closeLink(false);
    expect(await rig.timeInState()).toBe(12_000);
  });

  it.each(['PONG', 'FRAMES'] as const)(
    'RC-25: a %s after 60 s makes the link stable and resets the backoff',
    async (type) => {
      const rig = new Rig();
      await rig.toConnecting();
      await failedPauses(rig, 3);
      await rig.open();
      for (let pings = 0; pings < 5; pings += 1) {
        await rig.pass(10_000);
        await rig.link({ type: 'PONG' });
      }
      await rig.pass(10_000);
      expect(rig.report.reason).toBe('connected');
      await rig.link({ type });
      expect(rig.shown).toEqual(['active.connected', 'connected', 'linkProven']);
      await rig.closeLink(false);
      expect(rig.report.reason).toBe('linkLost');
      expect(await rig.timeInState()).toBe(750);
    },
  );

  it('RC-25: if the peer accepts and closes repeatedly, it backs off with the reason "flapping"', async () => {
    const rig = new Rig();
    await rig.toConnected();
    const seen: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      await rig.closeLink();
      seen.push([rig.report.status, rig.report.reason, await rig.timeInState()]);
      await rig.open();
    }
    expect(seen).toEqual([
      ['connecting', 'linkClosed', 750],
      ['connecting', 'flapping', 1_500],
      ['connecting', 'flapping', 3_000],
      ['connecting', 'flapping', 6_000],
    ]);
  });

  it('RC-25: if an unstable link is lost again, the reason is "flapping", and errored', async () => {
    const rig = new Rig();
    await rig.toConnected();
    await rig.closeLink(false);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'linkLost']);
    await rig.timeInState();
    await rig.open();
    await rig.pass(2_000);
    await rig.closeLink(false);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'flapping']);
    expect(rig.report.lastFailure).toMatchObject({
      reason: 'linkLost',
      message: 'The link ended after 2 s (close code 1006).',
    });
  });

  it('RC-25, RC-41: repeated ping timeouts keep their reason', async () => {
    const rig = new Rig();
    await rig.toConnected();
    for (let round = 0; round < 2; round += 1) {
      await rig.pass(60_800);
      expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'pongTimeout']);
      await rig.timeInState();
      await rig.open();
    }
  });
});

describe('events that end a pause early', () => {
  const TRIGGERS: [string, RcEvent, string][] = [
    ['a wake-up', { type: 'WAKE' }, 'wokeUp'],
    ['a change of the network', { type: 'NETWORK.CHANGED' }, 'wokeUp'],
    ['a newer sign-in', { type: 'AUTH.CHANGED', account: ANNA_2 }, 'authChanged'],
    ['enable', { type: 'ENABLE', by: 'request', durable: false }, 'enabled'],
  ];
  const PAUSES: [string, string][] = [
    ['active.backingOff.failed', 'active.connecting'],
    ['active.backingOff.reconnecting', 'active.connecting'],
    ['active.backingOff.handover', 'active.connecting'],
    ['active.backingOff.recovered.pausing', 'active.refreshing'],
    ['active.backingOff.deferred', 'active.refreshing'],
    ['active.tokenInvalid.pausing', 'active.refreshing'],
  ];
  const table = PAUSES.flatMap(([from, to]) =>
    // The backend has refused the token with an HTTP response, so the network works.
    TRIGGERS.filter(
      ([, { type }]) => type !== 'NETWORK.CHANGED' || from !== 'active.tokenInvalid.pausing',
    ).map(([what, event, reason]) => ({ from, to, what, event, reason })),
  );

  it.each(table)('RC-25, RC-25a: $what ends $from at once', async ({ from, to, event, reason }) => {
    const rig = await rigIn(from);
    await rig.send(event);
    expect(rig.state).toBe(to);
    expect(rig.report.reason).toBe(reason);
    expect(rig.report.nextAttemptAt).toBeNull();
  });

  it('RC-109: a change of the network leaves a pause after a response of the backend as it is', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const failure = rig.failure('backendUnavailable', { httpStatus: 503 });
    await rig.answer('dial', { kind: 'failed', failure });
    for (let times = 0; times < 3; times += 1) await rig.send({ type: 'NETWORK.CHANGED' });
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'backendUnavailable']);
    await rig.send({ type: 'WAKE' });
    expect(rig.state).toBe('active.connecting');
  });

  it('RC-109: a change of the network ends one pause an attempt', async () => {
    const rig = await rigIn('active.backingOff.handover');
    await rig.send({ type: 'NETWORK.CHANGED' });
    expect(rig.state).toBe('active.connecting');
    await rig.answer('dial', { kind: 'conflict', failure: rig.failure('connectionConflict') });
    expect(rig.state).toBe('active.backingOff.handover');
    await rig.send({ type: 'NETWORK.CHANGED' });
    expect(rig.state).toBe('active.backingOff.handover');
  });

  it('RC-25: a pause that ended early still counts as an attempt', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    for (let round = 0; round < 3; round += 1) {
      await rig.refuseDial('failed');
      await rig.send({ type: 'WAKE' });
    }
    await rig.refuseDial('failed');
    expect(await rig.timeInState()).toBe(6_000);
  });

  it('RC-26: the sign-in that ended the pause is used', async () => {
    const rig = await rigIn('active.backingOff.deferred');
    await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
    expect(rig.desk.lastInput('refresh')).toMatchObject({ account: ANNA_2 });
  });

  it('RC-25a: a change of the network probes an open link', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'NETWORK.CHANGED' });
    expect(rig.commands).toEqual(['PING']);
  });

  it('RC-25a: a wake-up probes an open link and closes it after 5 s without a pong', async () => {
    const rig = await rigIn('active.connected');
    await rig.send({ type: 'WAKE' });
    expect(rig.commands).toEqual(['PING']);
    await rig.pass(4_999);
    expect(rig.commands).toEqual(['PING']);
    await rig.pass(1);
    expect(rig.commands).toEqual(['PING', 'CLOSE']);
    await rig.pass(800);
    expect(rig.shown).toEqual(['active.backingOff.failed', 'errored', 'wakeProbeFailed']);
  });
});

describe('Retry-After', () => {
  /** A rig in `backingOff.retryAfter` with a Retry-After of one minute. */
  async function rateLimited(random = 0): Promise<Rig> {
    const rig = new Rig();
    await rig.toRefreshing();
    rig.randomValue = random;
    const failure = rig.failure('backendRateLimited', { retryAfterAt: rig.now + MINUTE });
    await rig.answer('refresh', { kind: 'transient', failure });
    expect(rig.shown).toEqual(['active.backingOff.retryAfter', 'errored', 'backendRateLimited']);
    return rig;
  }

  it.each([
    [0, 60_000],
    [0.999_999_9, 90_000],
  ])('RC-25: with random value %d it waits %d ms: never less, and up to 30 s more', async (random, pause) => {
    const rig = await rateLimited(random);
    expect(rig.report.nextAttemptAt).toBe(rig.now + pause);
    expect(await rig.timeInState()).toBe(pause);
    expect(rig.shown).toEqual(['active.refreshing', 'errored', 'retrying']);
  });

  it.each([
    ['enroll', 'active.enrolling.requesting'],
    ['dial', 'active.connecting'],
    ['refresh', 'active.verifyingEnrollment'],
  ] as const)('RC-12, RC-25: it is honored in a response to %s in %s', async (src, state) => {
    const rig = await rigIn(state);
    rig.randomValue = 0;
    const failure = rig.failure('backendUnavailable', { retryAfterAt: rig.now + MINUTE });
    await (src === 'dial'
      ? rig.answer('dial', { kind: 'failed', failure })
      : rig.answer(src, { kind: 'transient', failure }));
    expect(rig.shown).toEqual(['active.backingOff.retryAfter', 'errored', 'backendUnavailable']);
    expect(await rig.timeInState()).toBe(MINUTE);
  });

  it('RC-14: it takes precedence over the deferral, even with a valid token', async () => {
    const rig = new Rig();
    await rig.toConnecting(4 * MINUTE);
    await rig.refuseDial('failed');
    await rig.timeInState();
    rig.randomValue = 0;
    const failure = rig.failure('backendRateLimited', { retryAfterAt: rig.now + MINUTE });
    await rig.answer('refresh', { kind: 'transient', failure });
    expect(rig.state).toBe('active.backingOff.retryAfter');
    await rig.pass(MINUTE - 1);
    expect(rig.desk.open).toEqual([]);
  });

  it('RC-12: one in the past is ignored', async () => {
    const rig = await rigIn('active.refreshing');
    const failure = rig.failure('backendRateLimited', { retryAfterAt: rig.now });
    await rig.answer('refresh', { kind: 'transient', failure });
    expect(rig.state).toBe('active.backingOff.deferred');
  });

  const EVENTS: [string, RcEvent][] = [
    ['a wake-up', { type: 'WAKE' }],
    ['a change of the network', { type: 'NETWORK.CHANGED' }],
    ['enable', { type: 'ENABLE', by: 'request', durable: true }],
    ['a newer sign-in', { type: 'AUTH.CHANGED', account: ANNA_2 }],
  ];

  it.each(EVENTS)('RC-25: %s does not shorten it or change its random part', async (_, event) => {
    const rig = await rateLimited(0.5);
    const until = rig.now + 75_000;
    rig.randomValue = 0;
    for (let times = 0; times < 3; times += 1) {
      await rig.pass(10_000);
      await rig.send(event);
      expect(rig.shown).toEqual(['active.backingOff.retryAfter', 'errored', 'backendRateLimited']);
      expect(rig.report.nextAttemptAt).toBe(until);
      expect(rig.desk.open).toEqual([]);
    }
    expect(await rig.timeInState()).toBe(45_000);
  });

  it('RC-25: disable and enable do not shorten it', async () => {
    const rig = await rateLimited();
    await rig.send({ type: 'DISABLE', durable: false });
    await rig.pass(10_000);
    await rig.signIn();
    expect(rig.state).toBe('active.backingOff.retryAfter');
    expect(await rig.timeInState()).toBe(50_000);
    expect(rig.state).toBe('active.refreshing');
  });

  it('RC-25: another account, a sign-out and a sign-in do not shorten it', async () => {
    const rig = await rateLimited();
    await rig.send({ type: 'AUTH.CHANGED', account: BERT });
    await rig.answer('loadAuth', { kind: 'usable', account: BERT });
    expect(rig.state).toBe('active.backingOff.retryAfter');
    await rig.send({ type: 'AUTH.CHANGED', account: null });
    expect(rig.shown).toEqual(['active.awaitingAuth.missing', 'connecting', 'authMissing']);
    await rig.send({ type: 'AUTH.CHANGED', account: ANNA_2 });
    await rig.answer('loadAuth', { kind: 'usable', account: ANNA_2 });
    expect(rig.state).toBe('active.backingOff.retryAfter');
    expect(await rig.timeInState()).toBe(MINUTE);
    expect(rig.state).toBe('active.loadingEnrollment.reading');
  });

  it('RC-25: a lost identity does not shorten it; a new one is requested afterwards', async () => {
    const rig = await rateLimited();
    await rig.send({ type: 'ENROLLMENT.LOST', serverId: 'S1', failure: rig.failure('backendNotFound') });
    expect(rig.state).toBe('active.backingOff.retryAfter');
    expect(rig.desk.count('enroll')).toBe(0);
    expect(await rig.timeInState()).toBe(MINUTE);
    expect(rig.state).toBe('active.reenrolling');
  });

  it('RC-25, RC-25a: it runs on the monotonic clock: neither a wake-up nor a correction of the clock changes it', async () => {
    const rig = await rateLimited();
    await rig.pass(30_000);
    for (const shift of [1_000 * MINUTE, -1_000 * MINUTE]) {
      rig.wallShift = shift;
      await rig.send({ type: 'WAKE' });
      expect(rig.state).toBe('active.backingOff.retryAfter');
      expect(rig.report.nextAttemptAt).toBe(rig.now + 30_000);
    }
    expect(await rig.timeInState()).toBe(30_000);
    expect(rig.state).toBe('active.refreshing');
  });
});

describe('the public status between attempts', () => {
  it('RC-25: it stays errored from the first failure until a link opens', async () => {
    const rig = new Rig();
    await rig.toConnecting();
    const statuses = new Set<string>();
    const watching = rig.actor.subscribe(() => statuses.add(rig.report.status));
    await rig.refuseDial('failed');
    statuses.clear();
    await rig.timeInState();
    await failedPauses(rig, 5);
    expect(statuses).toEqual(new Set(['errored']));
    await rig.open();
    watching.unsubscribe();
    expect(rig.report.status).toBe('connected');
  });

  it.each([
    ['a client enables it again', { type: 'ENABLE', by: 'request', durable: false }],
    ['the user signs out', { type: 'AUTH.CHANGED', account: null }],
    ['another account signs in', { type: 'AUTH.CHANGED', account: BERT }],
  ] as const)('RC-25: it is connecting when %s', async (_, event) => {
    const rig = await rigIn('active.backingOff.failed');
    await rig.send(event);
    expect(rig.report.status).toBe('connecting');
  });
});
