import { describe, expect, it } from 'vitest';
import { createActor, fromCallback } from 'xstate';
import {
  type LinkFacts,
  type TokenRenewalEvent,
  type TokenRenewalInput,
  tokenRenewalMachine,
} from '../../machines/token-renewal.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Enrollment, Failure, RecoveryOutcome, RefreshOutcome } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Secret } from '../../src/protocol/secret.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(tokenRenewalMachine);
const HOUR = 3_600_000;
const S1: Enrollment = { serverId: 'S1', environmentId: 'E1', serverName: 'host' };
const S2: Enrollment = { serverId: 'S2', environmentId: 'E2', serverName: 'host' };
const ANNA = { accountId: 'anna', generation: 1 };
const CONNECTED: LinkFacts = {
  phase: 'connected',
  enrollment: S1,
  account: ANNA,
  tokenExpiresAt: HOUR,
  cause: 'the cause',
};

const failure = (reason: Reason): Failure => ({ reason, message: `it was ${reason}`, at: 1 });
const GRANTED: RefreshOutcome = {
  kind: 'granted',
  token: { secret: new Secret('SECRET-81aa'), expiresAt: HOUR },
};
const REFUSED: RefreshOutcome = { kind: 'unauthorized', failure: failure('backendUnauthorized') };
const gone = (byBackend: boolean): RefreshOutcome => ({
  kind: 'notFound',
  byBackend,
  failure: failure('backendNotFound'),
});
const RECOVERED: RecoveryOutcome = { kind: 'recovered', account: { accountId: 'anna', generation: 2 } };

interface Rig {
  readonly clock: TestClock;
  readonly desk: Desk<{ refresh: RefreshOutcome; recoverAuth: RecoveryOutcome }>;
  /** What was reported to remoteControl, by server id. */
  readonly reported: string[];
  change(facts: Partial<LinkFacts>): Promise<void>;
  readonly state: string;
  readonly output: unknown;
  readonly reason: Reason;
  readonly watched: boolean;
}

function rig(purpose: TokenRenewalInput['purpose'], breaks = false): Rig {
  const clock = new TestClock();
  const desk: Rig['desk'] = new Desk();
  const reported: string[] = [];
  let send: ((event: TokenRenewalEvent) => void) | null = null;
  const machine = tokenRenewalMachine.provide({
    actors: {
      refresh: desk.actor('refresh'),
      recoverAuth: desk.actor('recoverAuth'),
      watchLink: fromCallback(({ sendBack }) => {
        if (breaks) throw new Error('the watch broke');
        send = sendBack;
        return () => {
          send = null;
        };
      }),
    },
    actions: {
      reportRenewed: ({ context }) => reported.push(`renewed ${context.enrollment?.serverId}`),
      reportIdentityLost: ({ context }) => reported.push(`lost ${context.enrollment?.serverId}`),
    },
  });
  const env = { now: () => clock.now(), monotonic: () => clock.now(), random: () => 0.5 };
  const actor = createActor(machine, {
    clock,
    inspect: cover.watch(machine),
    input: { env, timing: DEFAULT_TIMING, purpose },
  });
  actor.subscribe({ error: () => undefined });
  actor.start();
  return {
    clock,
    desk,
    reported,
    change: async (facts) => {
      send?.({ type: 'LINK.CHANGED', facts: { ...CONNECTED, ...facts } });
      await settle();
    },
    get state() {
      return statePath(actor.getSnapshot().value);
    },
    get output() {
      return actor.getSnapshot().output;
    },
    get reason() {
      return actor.getSnapshot().context.decision.reason;
    },
    get watched() {
      return send !== null;
    },
  };
}

/** A renewal whose first request is in progress. */
async function renewing(purpose: TokenRenewalInput['purpose'] = 'replace'): Promise<Rig> {
  const at = rig(purpose);
  await at.change({});
  expect(at.state).toBe('renewing.requesting');
  return at;
}

const notReady = (reason: Reason, message: unknown = expect.any(String)) => ({
  kind: 'notReady',
  failure: expect.objectContaining({ reason, message }),
});

describe('before a request', () => {
  it.each(['use', 'replace', 'renew'] as const)(
    'RC-103: %s ends at once when remote control is off, even with a valid token',
    async (purpose) => {
      const at = rig(purpose);
      await at.change({ phase: 'off' });
      expect(at.output).toEqual(notReady('disabled', 'Remote control is switched off.'));
      expect(at.desk.count('refresh')).toBe(0);
    },
  );

  it.each(['working', 'resting', 'connected'] as const)(
    'RC-47: a token that is valid for long enough is used while the link is %s',
    async (phase) => {
      const at = rig('use');
      await at.change({ phase });
      expect(at.output).toEqual({ kind: 'ready' });
      expect([at.desk.count('refresh'), at.reported, at.watched]).toEqual([0, [], false]);
    },
  );

  it.each([
    ['has expired', DEFAULT_TIMING.refreshRequired],
    ['is missing', null],
  ])(
    'RC-47: while remote control is getting one, a token that %s is waited for',
    async (_, tokenExpiresAt) => {
      const at = rig('use');
      await at.change({ phase: 'working', tokenExpiresAt });
      expect([at.state, at.desk.count('refresh')]).toEqual(['settling', 0]);
      await at.change({ phase: 'connected' });
      expect(at.output).toEqual({ kind: 'ready' });
    },
  );

  it('RC-47: without an identity a valid token is not enough', async () => {
    const at = rig('use');
    await at.change({ phase: 'connected', enrollment: null });
    expect(at.state).toBe('settling');
  });

  it('RC-47: while remote control rests, the caller gets its cause', async () => {
    const at = rig('replace');
    await at.change({ phase: 'resting', cause: 'HTTP 503' });
    expect(at.output).toEqual(
      notReady('pairingUnavailable', 'Pairing is unavailable until enrollment completes: HTTP 503'),
    );
  });

  it('RC-47, RC-112: a link that does not come up is waited for no longer than its limit', async () => {
    const at = rig('replace');
    await at.change({ phase: 'working', cause: 'HTTP 500' });
    await at.clock.advance(DEFAULT_TIMING.identityWait - 1);
    expect(at.state).toBe('settling');
    await at.clock.advance(1);
    expect(at.output).toEqual(notReady('pairingUnavailable', expect.stringMatching(/: HTTP 500$/)));
    expect([at.clock.timers, at.watched]).toEqual([0, false]);
  });

  it('RC-24: a person may renew the token whatever the state of the link is', async () => {
    const at = rig('renew');
    await at.change({ phase: 'resting' });
    expect(at.state).toBe('renewing.requesting');
    expect(at.desk.lastInput('refresh')).toEqual({ account: ANNA, enrollment: S1 });
  });

  it('RC-24: without an identity there is nothing to renew', async () => {
    const at = rig('renew');
    await at.change({ phase: 'working', enrollment: null });
    expect(at.output).toEqual(notReady('identityMissing'));
  });

  it('a watch that breaks ends it', async () => {
    const at = rig('use', true);
    await settle();
    expect(at.output).toEqual(notReady('engineFault', expect.stringContaining('the watch broke')));
  });
});

describe('the request', () => {
  it.each(['use', 'replace'] as const)('RC-47: %s passes a new token to remoteControl', async (purpose) => {
    const at = rig(purpose);
    await at.change({ tokenExpiresAt: null });
    await at.desk.answer('refresh', GRANTED);
    expect([at.output, at.reported, at.reason]).toEqual([
      { kind: 'ready' },
      ['renewed S1'],
      'tokenRefreshed',
    ]);
  });

  it('RC-28: after a refused account token, the account recovers once and the request is repeated', async () => {
    const at = await renewing();
    await at.desk.answer('refresh', REFUSED);
    expect([at.state, at.reason]).toEqual(['renewing.recovering', 'backendUnauthorized']);
    await at.desk.answer('recoverAuth', RECOVERED);
    expect([at.state, at.reason]).toEqual(['renewing.requestingAgain', 'authRecovered']);
    await at.desk.answer('refresh', GRANTED);
    expect([at.output, at.reported]).toEqual([{ kind: 'ready' }, ['renewed S1']]);
  });

  it('RC-28: a token that is refused again ends it', async () => {
    const at = await renewing();
    await at.desk.answer('refresh', REFUSED);
    await at.desk.answer('recoverAuth', RECOVERED);
    await at.desk.answer('refresh', REFUSED);
    expect([at.output, at.desk.count('recoverAuth')]).toEqual([notReady('backendUnauthorized'), 1]);
  });

  it.each(['exhausted', 'transient'] as const)('RC-28: a recovery that is %s ends it', async (kind) => {
    const at = await renewing();
    await at.desk.answer('refresh', REFUSED);
    await at.desk.answer('recoverAuth', { kind, failure: failure('authRejected') });
    expect([at.output, at.desk.count('refresh')]).toEqual([notReady('authRejected'), 1]);
  });

  it('RC-22: a clear 404 is reported to remoteControl, for the identity of the request', async () => {
    const at = await renewing();
    await at.change({ enrollment: S2 });
    await at.desk.answer('refresh', gone(true));
    expect(at.output).toEqual({ kind: 'identityLost', failure: failure('backendNotFound') });
    expect(at.reported).toEqual(['lost S1']);
  });

  it('RC-22: a clear 404 of the second request is about the identity at that time', async () => {
    const at = await renewing();
    await at.desk.answer('refresh', REFUSED);
    await at.change({ enrollment: S2 });
    await at.desk.answer('recoverAuth', RECOVERED);
    await at.desk.answer('refresh', gone(true));
    expect(at.reported).toEqual(['lost S2']);
  });

  it('RC-20: a 404 of a proxy changes no identity', async () => {
    const at = await renewing();
    await at.desk.answer('refresh', gone(false));
    expect([at.output, at.reported]).toEqual([notReady('backendNotFound'), []]);
  });

  it.each(['conflict', 'transient', 'other'] as const)('RC-47: %s is not retried', async (kind) => {
    const at = await renewing();
    await at.desk.answer('refresh', { kind, failure: failure('backendUnavailable') });
    expect([at.output, at.desk.count('refresh')]).toEqual([notReady('backendUnavailable'), 1]);
  });

  it.each([0, 1, 2])('RC-43: remote control that is switched off in step %i cancels it', async (step) => {
    const at = await renewing();
    if (step > 0) await at.desk.answer('refresh', REFUSED);
    if (step > 1) await at.desk.answer('recoverAuth', RECOVERED);
    await at.change({ phase: 'off' });
    expect(at.output).toEqual(notReady('disabled', 'Remote control was switched off meanwhile.'));
    expect([at.desk.open, at.desk.aborted.length, at.clock.timers]).toEqual([[], 1, 0]);
  });

  it.each([0, 1, 2])(
    'RC-112: without an answer in step %i it ends, and the step is cancelled',
    async (step) => {
      const at = await renewing();
      await at.clock.advance(30_000);
      if (step > 0) await at.desk.answer('refresh', REFUSED);
      if (step > 1) await at.desk.answer('recoverAuth', RECOVERED);
      // The limit is for all steps together.
      await at.clock.advance(34_999);
      expect(at.state).toContain('renewing');
      await at.clock.advance(1);
      expect(at.output).toEqual(notReady('backendTimeout'));
      expect([at.desk.open, at.desk.aborted.length, at.reported]).toEqual([[], 1, []]);
    },
  );

  it.each([0, 1, 2])('an error of the adapter in step %i ends it', async (step) => {
    const at = await renewing();
    if (step > 0) await at.desk.answer('refresh', REFUSED);
    if (step > 1) await at.desk.answer('recoverAuth', RECOVERED);
    await at.desk.fail(step === 1 ? 'recoverAuth' : 'refresh', new Error('adapter bug'));
    expect(at.output).toEqual(notReady('engineFault', expect.stringContaining('adapter bug')));
  });
});

describe('cover', () => {
  it('the chart uses every name that it declares', () => {
    expect(unusedNames(tokenRenewalMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
