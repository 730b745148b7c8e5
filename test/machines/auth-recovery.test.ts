import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { authRecoveryMachine, type RecoveryMode } from '../../machines/auth-recovery.js';
import { statePath } from '../../src/protocol/decision.js';
import type { RecoveryOutcome } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

interface Outcomes {
  reload: RecoveryOutcome;
  refresh: RecoveryOutcome;
  requestExternalTokens: RecoveryOutcome;
}
const cover = new EdgeCover(authRecoveryMachine);
const recovered: RecoveryOutcome = { kind: 'recovered', account: { accountId: 'a', generation: 2 } };
const failed = (kind: 'transient' | 'exhausted', reason: Reason): RecoveryOutcome => ({
  kind,
  failure: { reason, message: 'why', at: 1 },
});

function rig(mode: RecoveryMode) {
  const clock = new TestClock();
  const desk = new Desk<Outcomes>();
  const machine = authRecoveryMachine.provide({
    actors: {
      reload: desk.actor('reload'),
      refresh: desk.actor('refresh'),
      requestExternalTokens: desk.actor('requestExternalTokens'),
    },
  });
  const actor = createActor(machine, {
    clock,
    input: { env: { now: () => 1, monotonic: () => 1, random: () => 0.5 }, mode, accountId: 'a' },
    inspect: cover.watch(machine),
  }).start();
  const steps: RecoveryOutcome[] = [];
  actor.on('STEP', ({ outcome }) => steps.push(outcome));
  return {
    clock,
    desk,
    /** The responses to NEXT. */
    steps,
    stop: () => actor.send({ type: 'STOP' }),
    next: async (renewedTokenRejected = false) => {
      actor.send({ type: 'NEXT', renewedTokenRejected });
      await settle();
    },
    get state() {
      return statePath(actor.getSnapshot().value);
    },
    get outcome() {
      return actor.getSnapshot().context.outcome;
    },
    get reason() {
      return actor.getSnapshot().context.decision.reason;
    },
  };
}

describe('authRecovery', () => {
  it('ACC-65: managed: reload, refresh, then exhausted', async () => {
    const at = rig('managed');
    await at.next();
    expect(at.desk.lastInput('reload')).toEqual({ accountId: 'a' });
    await at.desk.answer('reload', recovered);
    expect([at.state, at.outcome?.kind]).toEqual(['managed.toRefresh', 'recovered']);
    await at.next();
    expect(at.outcome).toBeNull();
    await at.desk.answer('refresh', recovered);
    expect([at.state, at.reason]).toEqual(['exhausted', 'authRecovered']);
    await at.next();
    expect(at.outcome).toMatchObject({ kind: 'exhausted', failure: { reason: 'authRejected' } });
  });

  it.each([
    ['managed', 0, 'managed.reloading', 'managed.toRefresh'],
    ['managed', 1, 'managed.refreshing', 'managed.toRefresh'],
    ['external', 0, 'external.requesting', 'external.ready'],
  ] as const)('RC-112: %s, step %i: %s ends after 190 s, in %s', async (mode, steps, waiting, next) => {
    const at = rig(mode);
    await at.next();
    if (steps > 0) {
      await at.desk.answer('reload', recovered);
      await at.next();
    }
    expect(at.state).toBe(waiting);
    await at.clock.advance(189_999);
    expect([at.state, at.outcome]).toEqual([waiting, null]);
    await at.clock.advance(1);
    expect([at.state, at.reason]).toEqual([next, 'accountTimeout']);
    expect(at.outcome).toMatchObject({ kind: 'transient', failure: { reason: 'accountTimeout' } });
    expect([at.desk.open, at.clock.timers]).toEqual([[], 0]);
  });

  it('RC-28: tokens of a refresh that are refused are not refreshed again', async () => {
    const at = rig('managed');
    await at.next(true);
    await at.desk.answer('reload', recovered);
    await at.next(true);
    expect([at.state, at.reason]).toEqual(['exhausted', 'authRejected']);
    expect(at.outcome).toMatchObject({ kind: 'exhausted', failure: { reason: 'authRejected' } });
  });

  it('ACC-50, ACC-65: a reload that is skipped ends it, and its reason stays', async () => {
    const at = rig('managed');
    await at.next();
    await at.desk.answer('reload', failed('exhausted', 'accountDiffersOnDisk'));
    await at.next();
    expect([at.state, at.outcome]).toMatchObject([
      'exhausted',
      { failure: { reason: 'accountDiffersOnDisk' } },
    ]);
  });

  it('ACC-54: a transient failure of the issuer may be retried, a permanent one ends it', async () => {
    const at = rig('managed');
    await at.next();
    await at.desk.answer('reload', recovered);
    await at.next();
    await at.desk.answer('refresh', failed('transient', 'issuerUnreachable'));
    expect([at.state, at.reason]).toEqual(['managed.toRefresh', 'issuerUnreachable']);
    await at.next();
    await at.desk.answer('refresh', failed('exhausted', 'refreshTokenRevoked'));
    expect([at.state, at.reason]).toEqual(['exhausted', 'refreshTokenRevoked']);
  });

  it('ACC-66: external: one successful request; a failed one may be repeated, unless the parent app is gone', async () => {
    const at = rig('external');
    await at.next();
    await at.desk.answer('requestExternalTokens', failed('transient', 'parentSilent'));
    expect(at.state).toBe('external.ready');
    await at.next();
    await at.desk.answer('requestExternalTokens', recovered);
    expect(at.state).toBe('exhausted');
    const other = rig('external');
    await other.next();
    await other.desk.answer('requestExternalTokens', failed('exhausted', 'parentGone'));
    expect([other.state, other.reason]).toEqual(['exhausted', 'parentGone']);
  });

  it('ACC-64, ACC-67: without a sign-in that can be recovered there are no steps', async () => {
    const at = rig('none');
    await at.next();
    expect(at.outcome).toMatchObject({ kind: 'exhausted', failure: { reason: 'authRejected' } });
  });

  it('ACC-64: each step is answered once, with its outcome', async () => {
    const at = rig('managed');
    await at.next();
    expect(at.steps).toEqual([]);
    await at.desk.answer('reload', recovered);
    await at.next();
    await at.desk.answer('refresh', failed('transient', 'issuerUnreachable'));
    await at.next(true);
    await at.next();
    expect(at.steps.map(({ kind }) => kind)).toEqual(['recovered', 'transient', 'exhausted', 'exhausted']);
    const external = rig('external');
    await external.next();
    await external.clock.advance(190_000);
    await external.next();
    await external.desk.fail('requestExternalTokens', new Error('bug'));
    expect(external.steps.map((step) => 'failure' in step && step.failure.reason)).toEqual([
      'accountTimeout',
      'engineFault',
    ]);
  });

  it.each([
    ['managed', 'reload', 0],
    ['managed', 'refresh', 1],
    ['external', 'requestExternalTokens', 0],
  ] as const)('RC-28: a stop ends %s; during %s only after the step', async (mode, call, before) => {
    const at = rig(mode);
    if (before > 0) {
      await at.next();
      await at.desk.answer('reload', recovered);
    }
    await at.next();
    at.stop();
    await at.desk.answer(call, recovered);
    expect(at.steps.at(-1)).toEqual(recovered);
    expect(at.desk.aborted).toEqual([]);
    at.stop();
    await at.next();
    expect([at.state, at.steps.length]).toEqual(['stopped', before + 1]);
  });

  it('an error of an actor is a transient failure', async () => {
    const managed = rig('managed');
    await managed.next();
    await managed.desk.fail('reload', new Error('bug'));
    expect(managed.outcome).toMatchObject({ kind: 'transient', failure: { reason: 'engineFault' } });
    await managed.next();
    await managed.desk.fail('refresh', 'text');
    expect(managed.state).toBe('managed.toRefresh');
    const external = rig('external');
    await external.next();
    await external.desk.fail('requestExternalTokens', new Error('bug'));
    expect(external.state).toBe('external.ready');
  });

  afterAll(() => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(authRecoveryMachine)).toEqual([]);
  });
});
