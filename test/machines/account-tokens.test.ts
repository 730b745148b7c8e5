import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { accountTokensMachine } from '../../machines/account-tokens/machine.js';
import type { TokenTask } from '../../machines/account-tokens/setup.js';
import type {
  LockAttempt,
  PlaceOutcome,
  RedeemOutcome,
  ReloadOutcome,
  StoreAccountOutcome,
  StoredAccount,
  StoredLookup,
  TokenRefreshOutcome,
} from '../../src/protocol/account.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

interface Outcomes {
  reload: ReloadOutcome;
  tryLock: LockAttempt;
  prepare: PlaceOutcome;
  redeem: RedeemOutcome;
  save: TokenRefreshOutcome;
  write: StoreAccountOutcome;
  revoke: unknown;
  lookUp: StoredLookup;
  remove: StoreAccountOutcome;
  adopt: StoreAccountOutcome;
  release: unknown;
}

const cover = new EdgeCover(accountTokensMachine);
const failure = (reason: Reason): Failure => ({ reason, message: `it was ${reason}`, at: 1 });
const stored = (generation: number): StoredAccount => ({
  kind: 'chatgpt',
  source: 'file',
  account: { accountId: 'anna', generation, email: null, plan: 'plus', userId: null },
  ineligible: null,
});
const same: ReloadOutcome = { kind: 'same', stored: stored(1), refreshable: true, adopted: false };
const reloaded: ReloadOutcome = { kind: 'reloaded', stored: stored(2) };
const skipped: ReloadOutcome = { kind: 'skipped', failure: failure('accountDiffersOnDisk') };
const busy: LockAttempt = { kind: 'busy', failure: failure('authFileNotWritable') };
const REFRESH: TokenTask = { kind: 'refresh', reason: 'forced', expired: null };
const KEY: TokenTask = { kind: 'store', irreplaceable: false };
const SIGN_IN: TokenTask = { kind: 'store', irreplaceable: true };
const SIGN_OUT: TokenTask = { kind: 'signOut' };

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  readonly actor;

  constructor(task: TokenTask) {
    const { desk } = this;
    const machine = accountTokensMachine.provide({
      actors: {
        reload: desk.actor('reload'),
        tryLock: desk.actor('tryLock'),
        prepare: desk.actor('prepare'),
        redeem: desk.actor('redeem'),
        save: desk.actor('save'),
        write: desk.actor('write'),
        revoke: desk.actor('revoke'),
        lookUp: desk.actor('lookUp'),
        remove: desk.actor('remove'),
        adopt: desk.actor('adopt'),
        release: desk.actor('release'),
      },
    });
    const env = { now: () => 1, monotonic: () => 1, random: () => 0 };
    this.actor = createActor(machine, {
      clock: this.clock,
      input: { env, file: 'auth.json', task, lockTimeout: 45_000, issuerTimeout: 30_000 },
      inspect: cover.watch(machine),
    });
    this.actor.start();
  }

  async close(): Promise<void> {
    this.actor.send({ type: 'CLOSE' });
    await settle();
  }

  get state(): string {
    return statePath(this.actor.getSnapshot().value);
  }

  /** The outcome, as soon as the lock is given back. */
  get outcome() {
    const outcome = this.actor.getSnapshot().context.outcome;
    return outcome !== null && 'failure' in outcome ? outcome.failure.reason : outcome?.kind;
  }

  async released(): Promise<unknown> {
    expect(this.state).toBe('releasing');
    await this.desk.answer('release', undefined);
    expect(this.state).toBe('done');
    return this.actor.getSnapshot().output;
  }

  /** A refresh up to this state. */
  async refresh(to: 'locking' | 'checking' | 'preparing' | 'redeeming' | 'saving'): Promise<this> {
    await this.desk.answer('reload', same);
    if (to === 'locking') return this;
    await this.desk.answer('tryLock', { kind: 'locked' });
    if (to === 'checking') return this;
    await this.desk.answer('reload', same);
    if (to === 'preparing') return this;
    await this.desk.answer('prepare', { kind: 'prepared' });
    if (to === 'redeeming') return this;
    await this.desk.answer('redeem', { kind: 'granted', stored: stored(2) });
    return this;
  }

  /** A sign-out, or a write, up to the lock and beyond. */
  async lock(): Promise<this> {
    if (this.state === 'signingOut.revoking') {
      await this.desk.answer('revoke', undefined);
      await this.desk.answer('lookUp', { kind: 'present' });
    }
    await this.desk.answer('tryLock', { kind: 'locked' });
    return this;
  }
}

const bug = new Error('bug');

describe('accountTokens: refresh', () => {
  it('ACC-48, ACC-113: reads, locks, reads again, proves the write, redeems, saves and unlocks', async () => {
    const rig = await new Rig(REFRESH).refresh('saving');
    expect(rig.state).toBe('refreshing.saving');
    await rig.desk.answer('save', { kind: 'refreshed', stored: stored(3) });
    expect(await rig.released()).toEqual({ kind: 'refreshed', stored: stored(3) });
    expect(rig.actor.getSnapshot().context.decision.reason).toBe('tokensRefreshed');
  });

  it('ACC-48, ACC-50: newer tokens, or another account, in the file end it without a lock', async () => {
    for (const outcome of [reloaded, skipped]) {
      const rig = new Rig(REFRESH);
      await rig.desk.answer('reload', outcome);
      expect([rig.state, rig.actor.getSnapshot().output]).toEqual(['done', outcome]);
    }
    const broken = new Rig(REFRESH);
    await broken.desk.fail('reload', bug);
    expect([broken.state, broken.outcome]).toEqual(['done', 'engineFault']);
  });

  it('ACC-54: credentials that were refused for good, or without a refresh token, are not redeemed', async () => {
    const expired = failure('refreshTokenExpired');
    const known = new Rig({ kind: 'refresh', reason: 'forced', expired });
    await known.desk.answer('reload', same);
    expect(known.actor.getSnapshot().output).toEqual({ kind: 'permanent', failure: expired });
    const none = new Rig(REFRESH);
    await none.desk.answer('reload', { ...same, refreshable: false });
    expect([none.state, none.outcome]).toEqual(['done', 'refreshTokenMissing']);
  });

  it('ACC-48: tokens that the watch has just adopted are new enough for a forced refresh, not for another', async () => {
    const forced = new Rig(REFRESH);
    await forced.desk.answer('reload', { ...same, adopted: true });
    expect(forced.actor.getSnapshot().output).toEqual({ kind: 'reloaded', stored: stored(1) });
    const due = new Rig({ kind: 'refresh', reason: 'proactive_expiry', expired: null });
    await due.desk.answer('reload', { ...same, adopted: true });
    expect(due.state).toBe('locking.trying');
  });

  it('ACC-59: a lock that another process holds is tried every 25 ms, for 45 s in all', async () => {
    const rig = await new Rig(REFRESH).refresh('locking');
    await rig.desk.answer('tryLock', busy);
    expect([rig.state, rig.clock.nextIn]).toEqual(['locking.pausing', 25]);
    await rig.clock.advance(25);
    await rig.desk.answer('tryLock', busy);
    await rig.clock.advance(44_974);
    expect(rig.state).toBe('locking.trying');
    await rig.clock.advance(1);
    expect(await rig.released()).toEqual(
      busy.kind === 'busy' ? { kind: 'failed', failure: busy.failure } : 0,
    );
    // The lock itself may not respond.
    const silent = await new Rig(REFRESH).refresh('locking');
    await silent.clock.advance(45_000);
    expect([silent.state, silent.outcome]).toEqual(['releasing', 'authFileNotWritable']);
  });

  it('ACC-59: a lock that cannot be used ends it', async () => {
    const rig = await new Rig(REFRESH).refresh('locking');
    await rig.desk.answer('tryLock', { kind: 'failed', failure: failure('authFileNotWritable') });
    expect([rig.state, rig.outcome]).toEqual(['releasing', 'authFileNotWritable']);
    const broken = await new Rig(REFRESH).refresh('locking');
    await broken.desk.fail('tryLock', bug);
    expect([broken.state, broken.outcome]).toEqual(['releasing', 'engineFault']);
  });

  it('ACC-48: the process that held the lock may have refreshed the tokens', async () => {
    const rig = await new Rig(REFRESH).refresh('checking');
    await rig.desk.answer('reload', reloaded);
    expect(await rig.released()).toEqual(reloaded);
  });

  it('ACC-113: nothing is redeemed if nothing can be written', async () => {
    const rig = await new Rig(REFRESH).refresh('preparing');
    await rig.desk.answer('prepare', { kind: 'failed', failure: failure('authFileNotWritable') });
    expect([rig.outcome, rig.desk.count('redeem')]).toEqual(['authFileNotWritable', 0]);
  });

  it('ACC-17, ACC-53: a failure leaves the tokens; a refusal stands if the file has nothing newer', async () => {
    const later = await new Rig(REFRESH).refresh('redeeming');
    await later.desk.answer('redeem', { kind: 'failed', failure: failure('issuerFailed') });
    expect([later.state, later.outcome]).toEqual(['releasing', 'issuerFailed']);
    for (const found of [same, skipped, bug]) {
      const rig = await new Rig(REFRESH).refresh('redeeming');
      await rig.desk.answer('redeem', { kind: 'permanent', failure: failure('refreshTokenExpired') });
      if (found instanceof Error) await rig.desk.fail('reload', found);
      else await rig.desk.answer('reload', found);
      expect(await rig.released()).toEqual({ kind: 'permanent', failure: failure('refreshTokenExpired') });
    }
  });

  it('ACC-48: a token that another program used is waited for, 1 s at most', async () => {
    const rig = await new Rig(REFRESH).refresh('redeeming');
    await rig.desk.answer('redeem', { kind: 'permanent', failure: failure('refreshTokenReused') });
    await rig.desk.answer('reload', same);
    expect([rig.state, rig.clock.nextIn]).toEqual(['refreshing.otherProgram.pausing', 25]);
    await rig.clock.advance(25);
    await rig.desk.answer('reload', reloaded);
    expect(await rig.released()).toEqual(reloaded);
    for (const how of ['time', 'close'] as const) {
      const late = await new Rig(REFRESH).refresh('redeeming');
      await late.desk.answer('redeem', { kind: 'permanent', failure: failure('refreshTokenReused') });
      await late.desk.answer('reload', same);
      if (how === 'close') await late.close();
      else await late.clock.advance(1_000);
      expect([late.state, late.outcome]).toEqual(['releasing', 'refreshTokenReused']);
    }
  });

  it('ACC-113: tokens that were issued are a success, also if the write breaks or takes too long', async () => {
    const broken = await new Rig(REFRESH).refresh('saving');
    await broken.desk.fail('save', bug);
    expect(await broken.released()).toEqual({ kind: 'refreshed', stored: stored(2) });
    const slow = await new Rig(REFRESH).refresh('saving');
    await slow.close();
    expect([slow.state, slow.desk.aborted]).toEqual(['refreshing.saving', []]);
    await slow.clock.advance(60_000);
    expect(await slow.released()).toEqual({ kind: 'refreshed', stored: stored(2) });
  });

  it.each([
    ['checking', 'reload'],
    ['preparing', 'prepare'],
    ['redeeming', 'redeem'],
  ] as const)(
    'in %s an adapter that breaks, stays silent, or an engine that stops ends it',
    async (state, src) => {
      for (const how of ['break', 'silence', 'close'] as const) {
        const rig = await new Rig(REFRESH).refresh(state);
        expect(rig.state).toBe(`refreshing.${state}`);
        if (how === 'break') await rig.desk.fail(src, bug);
        else if (how === 'close') await rig.close();
        else await rig.clock.advance(state === 'redeeming' ? 35_000 : 10_000);
        const slow = state === 'redeeming' ? 'issuerUnreachable' : 'authFileNotWritable';
        expect([rig.state, rig.outcome]).toEqual([
          'releasing',
          { break: 'engineFault', silence: slow, close: 'stopped' }[how],
        ]);
      }
    },
  );

  it('while it reads, or waits for the lock, an engine that stops ends it', async () => {
    for (const rig of [new Rig(REFRESH), await new Rig(REFRESH).refresh('locking')]) {
      await rig.close();
      expect([rig.state, rig.outcome]).toEqual(['releasing', 'stopped']);
    }
    const slow = new Rig(REFRESH);
    await slow.clock.advance(10_000);
    expect(slow.outcome).toBe('authFileNotWritable');
  });

  it('a lock that cannot be given back does not hold the outcome back', async () => {
    const rig = await new Rig(KEY).lock();
    await rig.desk.answer('write', { kind: 'stored', stored: stored(1) });
    await rig.desk.fail('release', bug);
    expect(rig.state).toBe('done');
    const slow = await new Rig(KEY).lock();
    await slow.desk.answer('write', { kind: 'stored', stored: stored(1) });
    await slow.clock.advance(5_000);
    expect([slow.state, slow.actor.getSnapshot().output?.kind]).toEqual(['done', 'stored']);
  });
});

describe('accountTokens: write and sign-out', () => {
  it('ACC-28: an API key is written under the lock', async () => {
    const rig = await new Rig(KEY).lock();
    await rig.desk.answer('write', { kind: 'stored', stored: { kind: 'apiKey' } });
    expect(await rig.released()).toEqual({ kind: 'stored', stored: { kind: 'apiKey' } });
    expect(rig.actor.getSnapshot().context.decision.reason).toBe('tokensSaved');
    const broken = await new Rig(KEY).lock();
    await broken.desk.fail('write', bug);
    expect(broken.outcome).toBe('engineFault');
    const slow = await new Rig(KEY).lock();
    await slow.clock.advance(60_000);
    expect(slow.outcome).toBe('authFileNotWritable');
  });

  it('ACC-76: an engine that stops finishes the write of a sign-in, not that of an API key', async () => {
    const key = await new Rig(KEY).lock();
    await key.close();
    expect([key.state, key.outcome]).toEqual(['releasing', 'stopped']);
    const signIn = await new Rig(SIGN_IN).lock();
    await signIn.close();
    expect([signIn.state, signIn.desk.aborted]).toEqual(['writing', []]);
  });

  it('ACC-55: a sign-out revokes once, then deletes under the lock', async () => {
    const rig = await new Rig(SIGN_OUT).lock();
    expect(rig.state).toBe('removing');
    await rig.desk.answer('remove', {
      kind: 'stored',
      stored: { kind: 'none', failure: failure('authMissing') },
    });
    await rig.released();
    expect([rig.desk.count('revoke'), rig.actor.getSnapshot().context.decision.reason]).toEqual([
      1,
      'signedOut',
    ]);
  });

  it('ACC-55: a revocation that breaks or takes too long does not keep the file', async () => {
    const broken = new Rig(SIGN_OUT);
    await broken.desk.fail('revoke', bug);
    await broken.desk.fail('lookUp', bug);
    expect(broken.state).toBe('locking.trying');
    const slow = new Rig(SIGN_OUT);
    await slow.clock.advance(30_000);
    expect(slow.state).toBe('signingOut.lookingUp');
    await slow.clock.advance(10_000);
    expect([slow.state, slow.outcome]).toEqual(['releasing', 'authFileNotWritable']);
  });

  it('ACC-56: with nothing stored only memory is cleared', async () => {
    for (const how of ['answer', 'break', 'silence'] as const) {
      const rig = new Rig(SIGN_OUT);
      await rig.desk.answer('revoke', undefined);
      await rig.desk.answer('lookUp', { kind: 'absent' });
      if (how === 'answer') await rig.desk.answer('adopt', { kind: 'stored', stored: { kind: 'apiKey' } });
      else if (how === 'break') await rig.desk.fail('adopt', bug);
      else await rig.clock.advance(10_000);
      expect([rig.state, rig.desk.count('tryLock')]).toEqual(['releasing', 0]);
    }
  });

  it('an engine that stops, a broken adapter and a silent disk end a sign-out', async () => {
    const early = new Rig(SIGN_OUT);
    await early.close();
    expect([early.state, early.outcome]).toEqual(['releasing', 'stopped']);
    const closed = await new Rig(SIGN_OUT).lock();
    await closed.close();
    expect(closed.outcome).toBe('stopped');
    const broken = await new Rig(SIGN_OUT).lock();
    await broken.desk.fail('remove', bug);
    expect(broken.outcome).toBe('engineFault');
    const slow = await new Rig(SIGN_OUT).lock();
    await slow.clock.advance(60_000);
    expect(slow.outcome).toBe('authFileNotWritable');
  });
});

afterAll(() => {
  expect(cover.untaken).toEqual([]);
  expect(unusedNames(accountTokensMachine)).toEqual([]);
});
