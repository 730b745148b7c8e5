import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type PairingEvent, type PairingResponse, pairingMachine } from '../../machines/pairing.js';
import type { TokenRenewalOutput, tokenRenewalMachine } from '../../machines/token-renewal.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure, PairOutcome } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Secret } from '../../src/protocol/secret.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(pairingMachine);
const EPOCH = Date.UTC(2026, 0, 1);
const MARK = 'SECRET-51c2';
const TEN_MINUTES = 600_000;
const DAY = 86_400_000;

interface Outcomes {
  tokenRenewal: TokenRenewalOutput;
  requestCode: PairOutcome;
  reportEnrollmentLost: ReturnType<() => void>;
}

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  readonly actor;
  /** What the callers were answered. */
  readonly responses: PairingResponse[] = [];

  constructor() {
    const machine = pairingMachine.provide({
      actors: {
        // A scripted actor with the output of the chart in its place.
        tokenRenewal: this.desk.actor('tokenRenewal') as unknown as typeof tokenRenewalMachine,
        requestCode: this.desk.actor('requestCode'),
        reportEnrollmentLost: this.desk.actor('reportEnrollmentLost'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      inspect: cover.watch(machine),
      input: {
        env: { now: () => this.now, monotonic: () => this.now, random: () => 0.5 },
        timing: DEFAULT_TIMING,
      },
    });
    this.actor.on('*', (response) => this.responses.push(response));
    this.actor.start();
  }

  get now(): number {
    return EPOCH + this.clock.now();
  }

  get state(): string {
    return statePath(this.actor.getSnapshot().value);
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  get shown() {
    return [this.state, this.context.decision.reason, this.context.lastFailure?.reason ?? null];
  }

  async send(event: PairingEvent): Promise<void> {
    this.actor.send(event);
    await settle();
  }

  failure(reason: Reason): Failure {
    return { reason, message: `it was ${reason}`, at: this.now };
  }

  async refuse(kind: 'unauthorized' | 'notFound' | 'other' | 'transient'): Promise<void> {
    const reasons = {
      unauthorized: 'tokenRejected',
      notFound: 'backendNotFound',
      other: 'pairingFailed',
      transient: 'backendUnavailable',
    } as const;
    const failure = this.failure(reasons[kind]);
    await this.desk.answer(
      'requestCode',
      kind === 'notFound' ? { kind, byBackend: true, failure } : { kind, failure },
    );
  }

  async grant(lifetime = TEN_MINUTES): Promise<void> {
    await this.desk.answer('requestCode', {
      kind: 'granted',
      code: {
        pairingCode: new Secret(`${MARK}-code`),
        manualPairingCode: new Secret(`${MARK}-manual`),
        environmentId: 'E1',
        expiresAt: this.now + lifetime,
      },
    });
  }
}

type Run = (rig: Rig) => Promise<void>;
const ready = { kind: 'ready' } as const;

const ROUTES: Readonly<Record<string, Run>> = {
  unpaired: async () => undefined,
  'starting.ensuringToken': (rig) => rig.send({ type: 'START', manual: false }),
  'starting.requesting': async (rig) => {
    await rig.send({ type: 'START', manual: true });
    await rig.desk.answer('tokenRenewal', ready);
  },
  'starting.renewingToken': async (rig) => {
    await ROUTES['starting.requesting']?.(rig);
    await rig.refuse('unauthorized');
  },
  'starting.requestingAgain': async (rig) => {
    await ROUTES['starting.renewingToken']?.(rig);
    await rig.desk.answer('tokenRenewal', ready);
  },
  'starting.losingIdentity': async (rig) => {
    await ROUTES['starting.requesting']?.(rig);
    await rig.refuse('notFound');
  },
  codeShown: async (rig) => {
    await ROUTES['starting.requesting']?.(rig);
    await rig.grant();
  },
  claimed: async (rig) => {
    await ROUTES.codeShown?.(rig);
    await rig.send({ type: 'CLAIMED' });
  },
  expired: async (rig) => {
    await ROUTES.codeShown?.(rig);
    await rig.clock.advance(TEN_MINUTES);
  },
};

async function rigIn(state: string): Promise<Rig> {
  const rig = new Rig();
  await ROUTES[state]?.(rig);
  expect(rig.state).toBe(state);
  return rig;
}

const STARTING = Object.keys(ROUTES).filter((state) => state.startsWith('starting.'));

describe('requesting a code', () => {
  it('RC-47: it ensures a valid token, then requests and shows the code', async () => {
    const rig = new Rig();
    await rig.send({ type: 'START', manual: true });
    expect(rig.shown).toEqual(['starting.ensuringToken', 'pairingStarted', null]);
    expect(rig.desk.lastInput('tokenRenewal')).toMatchObject({ purpose: 'use' });
    await rig.desk.answer('tokenRenewal', ready);
    expect(rig.desk.lastInput('requestCode')).toEqual({ manual: true });
    await rig.grant();
    expect(rig.shown).toEqual(['codeShown', 'pairingCodeShown', null]);
    expect(rig.context.code?.pairingCode.reveal()).toBe(`${MARK}-code`);
    expect(rig.responses).toMatchObject([{ type: 'PAIRING.GRANTED', code: { environmentId: 'E1' } }]);
  });

  it.each(['unauthorized', 'other'] as const)(
    'RC-47: after 401 or 403 it tries once more with a new token, then %s ends it',
    async (kind) => {
      const rig = await rigIn('starting.requesting');
      await rig.refuse('unauthorized');
      expect(rig.shown).toEqual(['starting.renewingToken', 'tokenRejected', 'tokenRejected']);
      expect(rig.desk.lastInput('tokenRenewal')).toMatchObject({ purpose: 'replace' });
      await rig.desk.answer('tokenRenewal', ready);
      expect(rig.desk.lastInput('requestCode')).toEqual({ manual: true });
      await rig.refuse(kind);
      const reason = kind === 'other' ? 'pairingFailed' : 'tokenRejected';
      expect(rig.shown).toEqual(['unpaired', reason, reason]);
      expect(rig.desk.count('requestCode')).toBe(2);
    },
  );

  it('RC-47: the second response may grant the code', async () => {
    const rig = await rigIn('starting.requestingAgain');
    await rig.grant();
    expect(rig.shown.slice(0, 2)).toEqual(['codeShown', 'pairingCodeShown']);
    expect(rig.context.code?.environmentId).toBe('E1');
  });

  it.each(['starting.requesting', 'starting.requestingAgain'])(
    'RC-47: a 404 in %s reports the lost identity, and pairing is unavailable',
    async (state) => {
      const rig = await rigIn(state);
      await rig.refuse('notFound');
      expect(rig.state).toBe('starting.losingIdentity');
      expect(rig.desk.lastInput('reportEnrollmentLost')).toMatchObject({
        failure: { reason: 'backendNotFound' },
      });
      await rig.desk.answer('reportEnrollmentLost', undefined);
      expect(rig.shown).toEqual(['unpaired', 'pairingUnavailable', 'pairingUnavailable']);
      expect(rig.context.lastFailure?.message).toContain('until enrollment completes');
    },
  );

  it.each(['other', 'transient'] as const)('RC-47: %s is not retried', async (kind) => {
    const rig = await rigIn('starting.requesting');
    await rig.refuse(kind);
    const reason = kind === 'other' ? 'pairingFailed' : 'backendUnavailable';
    expect(rig.shown).toEqual(['unpaired', reason, reason]);
  });

  it.each(['starting.ensuringToken', 'starting.renewingToken'])(
    'RC-47: without a token in %s it ends with the reason',
    async (state) => {
      const rig = await rigIn(state);
      await rig.desk.answer('tokenRenewal', { kind: 'notReady', failure: rig.failure('disabled') });
      expect(rig.shown).toEqual(['unpaired', 'disabled', 'disabled']);
      expect(rig.responses).toMatchObject([{ type: 'PAIRING.REFUSED', failure: { reason: 'disabled' } }]);
    },
  );

  it.each(['starting.ensuringToken', 'starting.renewingToken'])(
    'RC-22: in %s an identity that the backend does not know ends it',
    async (state) => {
      const rig = await rigIn(state);
      await rig.desk.answer('tokenRenewal', {
        kind: 'identityLost',
        failure: rig.failure('backendNotFound'),
      });
      expect(rig.shown).toEqual(['unpaired', 'pairingUnavailable', 'pairingUnavailable']);
      expect(rig.responses).toMatchObject([{ failure: { reason: 'pairingUnavailable' } }]);
    },
  );

  it.each(['starting.requesting', 'starting.requestingAgain', 'starting.losingIdentity'])(
    'RC-112: in %s an answer that does not arrive ends it after the limit of a request',
    async (state) => {
      const rig = await rigIn(state);
      await rig.clock.advance(DEFAULT_TIMING.requestTimeout + 4_999);
      expect(rig.state).toBe(state);
      await rig.clock.advance(1);
      expect(rig.shown).toEqual(['unpaired', 'backendTimeout', 'backendTimeout']);
      expect([rig.desk.open, rig.responses.length, rig.clock.timers]).toEqual([[], 1, 0]);
    },
  );

  it.each(STARTING)('an error of the actor in %s ends it', async (state) => {
    const rig = await rigIn(state);
    const [src] = rig.desk.open;
    if (src !== 'tokenRenewal' && src !== 'requestCode' && src !== 'reportEnrollmentLost')
      throw new Error(`${src}?`);
    await rig.desk.fail(src, state.length % 2 === 0 ? new Error('adapter bug') : 'text');
    expect(rig.shown).toEqual(['unpaired', 'engineFault', 'engineFault']);
  });

  it.each(STARTING)('RC-47: a second START in %s changes nothing', async (state) => {
    const rig = await rigIn(state);
    const before = rig.actor.getSnapshot();
    await rig.send({ type: 'START', manual: false });
    await rig.send({ type: 'CLAIMED' });
    expect(rig.actor.getSnapshot()).toBe(before);
  });
});

describe('the code', () => {
  it('RC-48: it is cleared when it is claimed', async () => {
    const rig = await rigIn('codeShown');
    await rig.send({ type: 'CLAIMED' });
    expect(rig.shown).toEqual(['claimed', 'pairingClaimed', null]);
    expect([rig.context.code, rig.clock.timers]).toEqual([null, 0]);
  });

  it('RC-47: it expires exactly when the backend said, and is cleared', async () => {
    const rig = await rigIn('codeShown');
    await rig.clock.advance(TEN_MINUTES - 1);
    expect(rig.state).toBe('codeShown');
    await rig.clock.advance(1);
    expect(rig.shown).toEqual(['expired', 'pairingExpired', null]);
    expect(rig.context.code).toBeNull();
  });

  it.each([-5_000, 0])('RC-47: one that is valid for %d ms expires at once', async (lifetime) => {
    const rig = await rigIn('starting.requesting');
    await rig.grant(lifetime);
    await rig.clock.advance(0);
    expect(rig.state).toBe('expired');
  });

  it('RC-47: one that is valid for longer than a timer can take does not expire at once', async () => {
    const rig = await rigIn('starting.requesting');
    await rig.grant(100 * DAY);
    await rig.clock.advance(20 * DAY);
    expect(rig.state).toBe('codeShown');
  });

  it.each(['codeShown', 'claimed', 'expired'])('RC-47: in %s a new one can be requested', async (state) => {
    const rig = await rigIn(state);
    await rig.send({ type: 'START', manual: false });
    expect(rig.shown).toEqual(['starting.ensuringToken', 'pairingStarted', null]);
    expect([rig.context.code, rig.context.manual]).toEqual([null, false]);
  });

  it.each(Object.keys(ROUTES))('RC-47: in %s it is cleared when the identity is gone', async (state) => {
    const rig = await rigIn(state);
    await rig.send({ type: 'RESET' });
    expect(rig.shown).toEqual(['unpaired', 'pairingUnavailable', 'pairingUnavailable']);
    expect([rig.context.code, rig.desk.open, rig.clock.timers]).toEqual([null, [], 0]);
    // A request in progress is answered, and only that.
    const answered = ['codeShown', 'claimed', 'expired'].includes(state) || STARTING.includes(state);
    expect(rig.responses.length).toBe(answered ? 1 : 0);
  });

  it('RC-193: a code ends when another identity replaces the one that it belongs to', async () => {
    const rig = await rigIn('codeShown');
    await rig.send({ type: 'IDENTITY.REPLACED' });
    expect(rig.shown).toEqual(['unpaired', 'pairingUnavailable', 'pairingUnavailable']);
    expect([rig.context.code, rig.clock.timers]).toEqual([null, 0]);
  });

  it.each(['starting.requesting', 'starting.requestingAgain'])(
    'RC-193: in %s the request starts again for the new identity',
    async (state) => {
      const rig = await rigIn(state);
      await rig.send({ type: 'IDENTITY.REPLACED' });
      expect(rig.shown.slice(0, 2)).toEqual(['starting.ensuringToken', 'identityReplaced']);
      expect([rig.desk.open, rig.responses]).toEqual([['tokenRenewal'], []]);
      await rig.desk.answer('tokenRenewal', ready);
      await rig.grant();
      expect([rig.state, rig.responses.length]).toEqual(['codeShown', 1]);
    },
  );

  it.each(['unpaired', 'claimed', 'expired', 'starting.ensuringToken', 'starting.renewingToken'])(
    'RC-193: in %s a new identity changes nothing',
    async (state) => {
      const rig = await rigIn(state);
      const before = rig.shown;
      await rig.send({ type: 'IDENTITY.REPLACED' });
      expect(rig.shown).toEqual(before);
    },
  );

  it('RC-5: it is never in a snapshot', async () => {
    type Step = (rig: Rig) => Promise<void>;
    const step = fc.constantFrom<Step>(
      (rig) => rig.send({ type: 'START', manual: true }),
      (rig) => rig.send({ type: 'CLAIMED' }),
      (rig) => rig.send({ type: 'RESET' }),
      (rig) => rig.clock.advance(TEN_MINUTES / 3),
      async (rig) => {
        if (rig.desk.open[0] === 'tokenRenewal') await rig.desk.answer('tokenRenewal', ready);
      },
      async (rig) => {
        if (rig.desk.open[0] === 'requestCode') await rig.grant();
      },
      async (rig) => {
        if (rig.desk.open[0] === 'requestCode') await rig.refuse('unauthorized');
      },
      async (rig) => {
        if (rig.desk.open[0] === 'requestCode') await rig.refuse('notFound');
      },
      async (rig) => {
        if (rig.desk.open[0] === 'reportEnrollmentLost')
          await rig.desk.answer('reportEnrollmentLost', undefined);
      },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const rig = new Rig();
        for (const one of steps) {
          await one(rig);
          const snapshot = rig.actor.getSnapshot();
          expect(snapshot.status).toBe('active');
          expect(JSON.stringify([snapshot.context, rig.actor.getPersistedSnapshot()])).not.toContain(MARK);
          expect(rig.desk.open.length).toBe(snapshot.hasTag('busy') ? 1 : 0);
          expect(snapshot.context.code === null).toBe(rig.state !== 'codeShown');
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('cover', () => {
  it('the chart uses every name that it declares', () => {
    expect(unusedNames(pairingMachine)).toEqual([]);
  });

  it('the tests take every transition', () => {
    expect(cover.untaken).toEqual([]);
  });
});
