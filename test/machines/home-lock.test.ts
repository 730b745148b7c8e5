import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { homeLockMachine } from '../../machines/home-lock.js';
import { statePath } from '../../src/protocol/decision.js';
import type {
  FormerHolderOutcome,
  HolderOutcome,
  LockAttemptOutcome,
  StepOutcome,
} from '../../src/protocol/engine-life.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

interface Outcomes {
  tryLock: LockAttemptOutcome;
  readHolder: HolderOutcome;
  checkFormer: FormerHolderOutcome;
  writeInfo: StepOutcome;
  release: unknown;
}

const cover = new EdgeCover(homeLockMachine);
const inUse: Failure = { reason: 'homeInUse', message: 'pid 7 uses it', at: 1 };
const unusable: Failure = { reason: 'homeLockFailed', message: 'the lock is a directory', at: 1 };
const bug = new Error('bug');

async function rig() {
  const clock = new TestClock();
  const desk = new Desk<Outcomes>();
  const machine = homeLockMachine.provide({
    actors: {
      tryLock: desk.actor('tryLock'),
      readHolder: desk.actor('readHolder'),
      checkFormer: desk.actor('checkFormer'),
      writeInfo: desk.actor('writeInfo'),
      release: desk.actor('release'),
    },
  });
  const env = { now: () => clock.now(), monotonic: () => clock.now(), random: () => 0.5 };
  const actor = createActor(machine, { clock, input: { env }, inspect: cover.watch(machine) }).start();
  await settle();
  return {
    clock,
    desk,
    get state() {
      return statePath(actor.getSnapshot().value);
    },
    get output() {
      return actor.getSnapshot().output;
    },
    get reason() {
      return actor.getSnapshot().context.decision.reason;
    },
    /** All attempts of one round find the lock busy; the pauses between them. */
    async busy() {
      const pauses: number[] = [];
      for (;;) {
        await desk.answer('tryLock', { kind: 'busy' });
        if (this.state !== 'locking.pausing') return pauses;
        pauses.push(clock.nextIn ?? 0);
        await clock.advance(clock.nextIn ?? 0);
      }
    },
  };
}

describe('homeLock', () => {
  it('RC-8: takes a free home, and writes who holds it', async () => {
    const at = await rig();
    await at.desk.answer('tryLock', { kind: 'locked' });
    expect([at.state, at.desk.open]).toEqual(['checking', ['checkFormer']]);
    await at.desk.answer('checkFormer', { kind: 'gone' });
    expect([at.state, at.desk.open]).toEqual(['writing', ['writeInfo']]);
    await at.desk.answer('writeInfo', { kind: 'done' });
    expect([at.state, at.output, at.reason, at.clock.timers]).toEqual([
      'held',
      { kind: 'held' },
      'homeLocked',
      0,
    ]);
  });

  it('RC-8: two engines that start together do not refuse each other: the lock is tried 8 times', async () => {
    const at = await rig();
    expect(await at.busy()).toEqual(Array.from({ length: 7 }, () => 37.5));
    expect([at.state, at.desk.count('tryLock'), at.reason]).toEqual(['identifying.reading', 8, 'homeBusy']);
  });

  it('RC-8: a lock that becomes free during the attempts is taken', async () => {
    const at = await rig();
    await at.desk.answer('tryLock', { kind: 'busy' });
    expect(at.state).toBe('locking.pausing');
    await at.clock.advance(37.5);
    await at.desk.answer('tryLock', { kind: 'locked' });
    expect(at.state).toBe('checking');
  });

  it('RC-8: the engine that holds the home is named as soon as its pid is known', async () => {
    const at = await rig();
    await at.busy();
    await at.desk.answer('readHolder', { kind: 'unknown' });
    expect([at.state, at.clock.nextIn]).toEqual(['identifying.pausing', 20]);
    await at.clock.advance(20);
    expect(at.state).toBe('identifying.reading');
    await at.desk.answer('readHolder', { kind: 'named', failure: inUse });
    expect([at.state, at.output, at.reason]).toEqual([
      'refused',
      { kind: 'refused', failure: inUse },
      'homeInUse',
    ]);
    expect(at.desk.open).toEqual([]);
  });

  it('RC-8: an engine that was just ending is waited for once, and then another one may have the home', async () => {
    const at = await rig();
    await at.busy();
    await at.clock.advance(999);
    expect(at.state).toBe('identifying.reading');
    await at.clock.advance(1);
    expect([at.state, at.desk.aborted]).toEqual(['locking.trying', ['readHolder']]);
    expect(await at.busy()).toHaveLength(7);
    expect(at.state).toBe('identifying.reading');
    await at.clock.advance(1_000);
    expect(at.output).toMatchObject({
      kind: 'refused',
      failure: { reason: 'homeInUse', message: expect.stringContaining('its pid is unknown') },
    });
    expect([at.reason, at.clock.timers]).toEqual(['homeInUse', 0]);
  });

  it('RC-8: in the second round the home is taken if it is free', async () => {
    const at = await rig();
    await at.busy();
    await at.clock.advance(1_000);
    await at.desk.answer('tryLock', { kind: 'locked' });
    expect(at.state).toBe('checking');
  });

  it('RC-8: an engine whose lock file was deleted keeps its home, and the new lock is given back', async () => {
    const at = await rig();
    await at.desk.answer('tryLock', { kind: 'locked' });
    await at.desk.answer('checkFormer', { kind: 'alive', failure: inUse });
    expect([at.state, at.reason, at.output]).toEqual(['releasing', 'homeInUse', undefined]);
    await at.desk.answer('release', undefined);
    expect([at.state, at.output]).toEqual(['refused', { kind: 'refused', failure: inUse }]);
  });

  it('a lock file that cannot be used is an error at once', async () => {
    for (const way of ['answer', 'fail'] as const) {
      const at = await rig();
      if (way === 'answer') await at.desk.answer('tryLock', { kind: 'failed', failure: unusable });
      else await at.desk.fail('tryLock', bug);
      expect([at.state, at.reason]).toEqual(['refused', way === 'answer' ? 'homeLockFailed' : 'engineFault']);
    }
  });

  it('a failed reading of the holder ends the attempt', async () => {
    const at = await rig();
    await at.busy();
    await at.desk.fail('readHolder', bug);
    expect([at.state, at.reason]).toEqual(['refused', 'engineFault']);
  });

  it('what fails after the lock was taken gives it back', async () => {
    const former = await rig();
    await former.desk.answer('tryLock', { kind: 'locked' });
    await former.desk.fail('checkFormer', bug);
    expect([former.state, former.reason]).toEqual(['releasing', 'engineFault']);
    for (const way of ['answer', 'fail'] as const) {
      const at = await rig();
      await at.desk.answer('tryLock', { kind: 'locked' });
      await at.desk.answer('checkFormer', { kind: 'gone' });
      if (way === 'answer') await at.desk.answer('writeInfo', { kind: 'failed', failure: unusable });
      else await at.desk.fail('writeInfo', bug);
      expect([at.state, at.reason]).toEqual([
        'releasing',
        way === 'answer' ? 'homeLockFailed' : 'engineFault',
      ]);
      await at.desk.fail('release', bug);
      expect(at.state).toBe('refused');
    }
  });

  it('RC-112: a file system that does not respond ends each step after 10 s', async () => {
    const at = await rig();
    await at.clock.advance(9_999);
    expect(at.state).toBe('locking.trying');
    await at.clock.advance(1);
    expect([at.state, at.reason]).toEqual(['refused', 'homeLockTimeout']);
    for (const step of ['checkFormer', 'writeInfo'] as const) {
      const later = await rig();
      await later.desk.answer('tryLock', { kind: 'locked' });
      if (step === 'writeInfo') await later.desk.answer('checkFormer', { kind: 'gone' });
      await later.clock.advance(9_999);
      expect(later.desk.open).toEqual([step]);
      await later.clock.advance(1);
      expect([later.state, later.reason, later.desk.open]).toEqual([
        'releasing',
        'homeLockTimeout',
        ['release'],
      ]);
      await later.clock.advance(9_999);
      expect(later.state).toBe('releasing');
      await later.clock.advance(1);
      expect([later.state, later.clock.timers]).toEqual(['refused', 0]);
    }
  });

  afterAll(() => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(homeLockMachine)).toEqual([]);
  });
});
