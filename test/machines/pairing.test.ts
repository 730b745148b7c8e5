import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type EnsureTokenOutcome, type PairingEvent, pairingMachine } from '../../machines/pairing.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure, PairOutcome } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Secret } from '../../src/protocol/secret.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(pairingMachine);
const EPOCH = Date.UTC(2026, 0, 1);
const MARK = 'SECRET-51c2';
const TEN_MINUTES = 600_000;
const DAY = 86_400_000;

interface Outcomes {
  ensureToken: EnsureTokenOutcome;
  requestCode: PairOutcome;
  reportEnrollmentLost: ReturnType<() => void>;
}

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  readonly actor;

  constructor() {
    const machine = pairingMachine.provide({
      actors: {
        ensureToken: this.desk.actor('ensureToken'),
        requestCode: this.desk.actor('requestCode'),
        reportEnrollmentLost: this.desk.actor('reportEnrollmentLost'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      inspect: cover.watch(machine),
      input: { env: { now: () => this.now, monotonic: () => this.now, random: () => 0.5 } },
    });
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
    await rig.desk.answer('ensureToken', ready);
  },
  'starting.renewingToken': async (rig) => {
    await ROUTES['starting.requesting']?.(rig);
    await rig.refuse('unauthorized');
  },
  'starting.requestingAgain': async (rig) => {
    await ROUTES['starting.renewingToken']?.(rig);
    await rig.desk.answer('ensureToken', ready);
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
    expect(rig.desk.lastInput('ensureToken')).toEqual({ fresh: false });
    await rig.desk.answer('ensureToken', ready);
    expect(rig.desk.lastInput('requestCode')).toEqual({ manual: true });
    await rig.grant();
    expect(rig.shown).toEqual(['codeShown', 'pairingCodeShown', null]);
    expect(rig.context.code?.pairingCode.reveal()).toBe(`${MARK}-code`);
  });

  it.each(['unauthorized', 'other'] as const)(
    'RC-47: after 401 or 403 it tries once more with a new token, then %s ends it',
    async (kind) => {
      const rig = await rigIn('starting.requesting');
      await rig.refuse('unauthorized');
      expect(rig.shown).toEqual(['starting.renewingToken', 'tokenRejected', 'tokenRejected']);
      expect(rig.desk.lastInput('ensureToken')).toEqual({ fresh: true });
      await rig.desk.answer('ensureToken', ready);
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
      await rig.desk.answer('ensureToken', { kind: 'notReady', failure: rig.failure('disabled') });
      expect(rig.shown).toEqual(['unpaired', 'disabled', 'disabled']);
    },
  );

  it.each(STARTING)('an error of the actor in %s ends it', async (state) => {
    const rig = await rigIn(state);
    const [src] = rig.desk.open;
    if (src !== 'ensureToken' && src !== 'requestCode' && src !== 'reportEnrollmentLost')
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
  });

  it('RC-5: it is never in a snapshot', async () => {
    type Step = (rig: Rig) => Promise<void>;
    const step = fc.constantFrom<Step>(
      (rig) => rig.send({ type: 'START', manual: true }),
      (rig) => rig.send({ type: 'CLAIMED' }),
      (rig) => rig.send({ type: 'RESET' }),
      (rig) => rig.clock.advance(TEN_MINUTES / 3),
      async (rig) => {
        if (rig.desk.open[0] === 'ensureToken') await rig.desk.answer('ensureToken', ready);
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
