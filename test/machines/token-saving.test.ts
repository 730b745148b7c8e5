import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type TokenSavingEvent, tokenSavingMachine } from '../../machines/token-saving.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure, StoreOutcome } from '../../src/protocol/outcomes.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(tokenSavingMachine);
const full: Failure = { reason: 'authFileNotWritable', message: 'the disk is full', at: 1 };
const failed: StoreOutcome = { kind: 'failed', failure: full };

function rig() {
  const clock = new TestClock();
  const desk = new Desk<{ saveTokens: StoreOutcome }>();
  const machine = tokenSavingMachine.provide({ actors: { saveTokens: desk.actor('saveTokens') } });
  const env = { now: () => clock.now(), monotonic: () => clock.now(), random: () => 0.5 };
  const actor = createActor(machine, { clock, input: { env }, inspect: cover.watch(machine) }).start();
  return {
    clock,
    desk,
    send: async (event: TokenSavingEvent) => {
      actor.send(event);
      await settle();
    },
    get state() {
      return statePath(actor.getSnapshot().value);
    },
    get context() {
      return actor.getSnapshot().context;
    },
    get status() {
      return actor.getSnapshot().status;
    },
  };
}

const unsaved: TokenSavingEvent = { type: 'UNSAVED', failure: full };

describe('tokenSaving', () => {
  it('RC-112: a write that does not end is given up after 180 s, and tried again', async () => {
    const at = rig();
    await at.send(unsaved);
    await at.clock.advance(1_000);
    await at.clock.advance(179_999);
    expect(at.state).toBe('unsaved.saving');
    await at.clock.advance(1);
    expect([at.state, at.context.lastFailure?.reason]).toEqual(['unsaved.waiting', 'accountTimeout']);
    expect([at.desk.aborted, at.clock.nextIn]).toEqual([['saveTokens'], 2_000]);
  });

  it('RC-112: the last write ends with its limit, too', async () => {
    const at = rig();
    await at.send(unsaved);
    await at.send({ type: 'CLOSE' });
    await at.clock.advance(179_999);
    expect(at.state).toBe('closing');
    await at.clock.advance(1);
    expect([at.state, at.context.decision.reason]).toEqual(['closed', 'accountTimeout']);
  });

  it('ACC-113: saving is tried again after 1 s, then after up to 30 s, until it works', async () => {
    const at = rig();
    await at.send(unsaved);
    const pauses: number[] = [];
    for (let round = 0; round < 7; round += 1) {
      expect(at.state).toBe('unsaved.waiting');
      pauses.push(at.clock.nextIn ?? 0);
      await at.clock.advance(at.clock.nextIn ?? 0);
      await at.desk.answer('saveTokens', failed);
    }
    expect(pauses).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    expect(at.context.lastFailure).toEqual(full);
    await at.clock.advance(30_000);
    await at.desk.answer('saveTokens', { kind: 'done' });
    expect([at.state, at.context.lastFailure, at.context.decision.reason]).toEqual([
      'saved',
      null,
      'tokensSaved',
    ]);
  });

  it('ACC-113: the same failure again is no new decision', async () => {
    const at = rig();
    await at.send(unsaved);
    const { decision } = at.context;
    await at.clock.advance(1_000);
    await at.desk.answer('saveTokens', failed);
    expect(at.context.decision).toBe(decision);
    await at.clock.advance(2_000);
    await at.desk.fail('saveTokens', new Error('adapter bug'));
    expect(at.context.decision.reason).toBe('engineFault');
  });

  it('ACC-113: a refresh, a sign-in or a sign-out that changes the file ends the attempts', async () => {
    const at = rig();
    await at.send(unsaved);
    await at.clock.advance(1_000);
    await at.send({ type: 'SAVED' });
    expect([at.state, at.clock.timers]).toEqual(['saved', 0]);
    await at.send(unsaved);
    await at.send(unsaved);
    expect([at.state, at.clock.nextIn]).toEqual(['unsaved.waiting', 1_000]);
  });

  it('ACC-113: a refresh that finds nothing to write to is shown until a write is possible', async () => {
    for (const type of ['WRITABLE', 'SAVED'] as const) {
      const at = rig();
      await at.send({ type: 'REFUSED', failure: full });
      await at.send({ type: 'REFUSED', failure: full });
      expect([at.state, at.context.lastFailure, at.clock.timers]).toEqual(['refused', full, 0]);
      await at.send({ type });
      expect([at.state, at.context.lastFailure]).toEqual(['saved', null]);
    }
    const at = rig();
    await at.send({ type: 'REFUSED', failure: full });
    await at.send(unsaved);
    expect(at.state).toBe('unsaved.waiting');
  });

  it('ACC-113: another failure is recorded wherever it comes from, also while one is known', async () => {
    const gone: Failure = { reason: 'storeWriteFailed', message: 'the directory is gone', at: 2 };
    const at = rig();
    await at.send({ type: 'REFUSED', failure: full });
    await at.send({ type: 'REFUSED', failure: gone });
    expect([at.context.lastFailure, at.context.decision.reason]).toEqual([gone, gone.reason]);
    await at.send(unsaved);
    expect([at.context.lastFailure, at.context.decision.reason]).toEqual([full, full.reason]);
    await at.clock.advance(1_000);
    await at.send({ type: 'UNSAVED', failure: gone });
    expect([at.state, at.context.lastFailure]).toEqual(['unsaved.waiting', gone]);
    await at.clock.advance(1_000);
    await at.desk.answer('saveTokens', failed);
    expect([at.context.lastFailure, at.context.decision.reason, at.context.attempt]).toEqual([
      full,
      full.reason,
      1,
    ]);
    await at.send({ type: 'SAVED' });
    expect([at.context.lastFailure, at.context.attempt]).toEqual([null, 0]);
  });

  it('ACC-113: an engine that stops tries once more, and does not wait for more', async () => {
    for (const end of ['answer', 'fail'] as const) {
      const at = rig();
      await at.send(unsaved);
      await at.send({ type: 'CLOSE' });
      expect([at.state, at.desk.count('saveTokens')]).toEqual(['closing', 1]);
      if (end === 'answer') await at.desk.answer('saveTokens', failed);
      else await at.desk.fail('saveTokens', new Error('adapter bug'));
      expect([at.state, at.status]).toEqual(['closed', 'done']);
    }
    for (const first of [null, { type: 'REFUSED', failure: full }] as const) {
      const at = rig();
      if (first !== null) await at.send(first);
      await at.send({ type: 'CLOSE' });
      expect(at.state).toBe('closed');
    }
  });

  afterAll(() => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(tokenSavingMachine)).toEqual([]);
  });
});
