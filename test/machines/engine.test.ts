import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { engineMachine } from '../../machines/engine/machine.js';
import type { EngineEvent } from '../../machines/engine/setup.js';
import { statePath } from '../../src/protocol/decision.js';
import type { StepOutcome } from '../../src/protocol/engine-life.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

/** The steps of a start, each with its state. */
const PREPARING = [
  ['checkOptions', 'preparing.checkingOptions'],
  ['openHome', 'preparing.openingHome'],
  ['openStore', 'preparing.openingStore'],
  ['takeHome', 'preparing.lockingHome'],
  ['wire', 'preparing.wiring'],
] as const;
const OPENING = [
  ['startRemoteControl', 'opening.startingRemoteControl'],
  ['openControl', 'opening.openingControl'],
  ['openMetrics', 'opening.openingMetrics'],
  ['openListener', 'opening.openingListener'],
  ['awaitDecision', 'opening.awaitingDecision'],
] as const;
const START = [...PREPARING, ...OPENING];
/** The parts that end after remote control, in their order, with their limits, ms. */
const CLOSING = [
  ['settle', 'stopping.settling', 5_000],
  ['closeAccess', 'stopping.closingAccess', 2_500],
  ['closeAppServer', 'stopping.closingAppServer', 2_500],
  ['closeStore', 'stopping.closingStore', 3_750],
  ['releaseHome', 'stopping.releasingHome', 1_250],
] as const;

type Step = (typeof START)[number][0];
type Outcomes = Record<Step | 'settle' | 'endRemoteControl', StepOutcome> &
  Record<'closeAccess' | 'closeAppServer' | 'closeStore' | 'releaseHome', unknown>;

const cover = new EdgeCover(engineMachine);
const DONE: StepOutcome = { kind: 'done' };
const wrong: Failure = { reason: 'startFailed', message: 'it was wrong', at: 1 };
const noSignIn: Failure = { reason: 'authMissing', message: 'nobody is signed in', at: 1 };
const FAILED: StepOutcome = { kind: 'failed', failure: wrong };
const bug = new Error('bug');

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  /** Calls of the host and reports, in their order. */
  readonly log: string[] = [];
  readonly actor;

  constructor() {
    const { desk, clock, log } = this;
    const machine = engineMachine.provide({
      actors: {
        checkOptions: desk.actor('checkOptions'),
        openHome: desk.actor('openHome'),
        openStore: desk.actor('openStore'),
        takeHome: desk.actor('takeHome'),
        wire: desk.actor('wire'),
        startRemoteControl: desk.actor('startRemoteControl'),
        openControl: desk.actor('openControl'),
        openMetrics: desk.actor('openMetrics'),
        openListener: desk.actor('openListener'),
        awaitDecision: desk.actor('awaitDecision'),
        settle: desk.actor('settle'),
        endRemoteControl: desk.actor('endRemoteControl'),
        closeAccess: desk.actor('closeAccess'),
        closeAppServer: desk.actor('closeAppServer'),
        closeStore: desk.actor('closeStore'),
        releaseHome: desk.actor('releaseHome'),
      },
      actions: {
        admitClients: () => log.push('admit'),
        refuseClients: () => log.push('refuse'),
      },
    });
    const env = { now: () => clock.now(), monotonic: () => clock.now(), random: () => 0.5 };
    this.actor = createActor(machine, {
      clock,
      input: { env, timing: { shutdownTimeout: 5_000 } },
      inspect: cover.watch(machine),
    });
    this.actor.on('STARTED', () => log.push('STARTED'));
    this.actor.on('ENDED', ({ failure }) => log.push(`ENDED ${failure?.reason ?? null}`));
    this.actor.start();
  }

  get state() {
    return statePath(this.actor.getSnapshot().value);
  }

  get decision() {
    return this.actor.getSnapshot().context.decision;
  }

  get output() {
    return this.actor.getSnapshot().output;
  }

  get tags() {
    return [...this.actor.getSnapshot().tags];
  }

  async send(event: EngineEvent) {
    this.actor.send(event);
    await settle();
  }

  /** Starts, up to this step, which is in progress. */
  async until(step: Step | 'running') {
    await this.send({ type: 'START' });
    for (const [name, state] of START) {
      expect([this.state, this.desk.open]).toEqual([state, [name]]);
      if (name === step) return this;
      await this.desk.answer(name, DONE);
    }
    return this;
  }

  /** Everything ends without a failure, in order. */
  async close({ remote = true } = {}) {
    if (remote) {
      expect([this.state, this.desk.open]).toEqual(['stopping.endingRemoteControl', ['endRemoteControl']]);
      await this.desk.answer('endRemoteControl', DONE);
    }
    for (const [name, state] of CLOSING) {
      expect([this.state, this.desk.open]).toEqual([state, [name]]);
      await this.desk.answer(name, DONE);
    }
  }

  /** The store and the home are closed after a start that failed early. */
  async undo() {
    expect([this.state, this.desk.open]).toEqual(['undoing.closingStore', ['closeStore']]);
    await this.desk.answer('closeStore', undefined);
    expect([this.state, this.desk.open]).toEqual(['undoing.releasingHome', ['releaseHome']]);
    await this.desk.answer('releaseHome', undefined);
  }
}

const running = () => new Rig().until('running');

describe('the start of an engine', () => {
  it('takes its steps in order, and accepts clients when all have succeeded', async () => {
    const at = await running();
    expect([at.state, at.tags, at.log, at.decision.reason]).toEqual([
      'running',
      ['ready'],
      ['admit', 'STARTED'],
      'engineRuns',
    ]);
    expect([at.clock.timers, at.desk.open, at.output]).toEqual([0, [], undefined]);
  });

  it('happens once', async () => {
    const at = new Rig();
    expect(at.actor.getSnapshot().can({ type: 'START' })).toBe(true);
    await at.until('openHome');
    expect(at.actor.getSnapshot().can({ type: 'START' })).toBe(false);
    const never = new Rig();
    await never.send({ type: 'STOP' });
    expect([never.state, never.output, never.tags, never.decision.reason]).toEqual([
      'stopped',
      { failure: null },
      ['ending'],
      'stopped',
    ]);
    expect([never.log, never.desk.open]).toEqual([[], []]);
  });

  it('RC-2, RC-6, RC-8c: a check that fails before anything is open ends it', async () => {
    for (const [step] of PREPARING.slice(0, 3)) {
      for (const way of ['answer', 'fail'] as const) {
        const at = await new Rig().until(step);
        if (way === 'answer') await at.desk.answer(step, FAILED);
        else await at.desk.fail(step, bug);
        const reason = way === 'answer' ? 'startFailed' : 'engineFault';
        expect([at.state, at.tags, at.decision.reason], step).toEqual(['failed', ['ending'], reason]);
        expect([at.output?.failure?.reason, at.log, at.desk.open]).toEqual([reason, [], []]);
      }
    }
  });

  it('RC-8: a home that is taken closes the store again, then the home, and reports no end', async () => {
    for (const step of ['takeHome', 'wire'] as const) {
      for (const way of ['answer', 'fail'] as const) {
        const at = await new Rig().until(step);
        if (way === 'answer') await at.desk.answer(step, FAILED);
        else await at.desk.fail(step, bug);
        expect(at.tags).toEqual(['ending']);
        await at.undo();
        const reason = way === 'answer' ? 'startFailed' : 'engineFault';
        expect([at.state, at.output?.failure?.reason, at.log], step).toEqual(['failed', reason, []]);
        expect(at.decision.reason).toBe(reason);
      }
    }
  });

  it('RC-218: a step before anything is open fails after 30 s', async () => {
    for (const [step, state] of PREPARING.slice(0, 3)) {
      const at = await new Rig().until(step);
      await at.clock.advance(29_999);
      expect(at.state).toBe(state);
      await at.clock.advance(1);
      expect([at.state, at.decision.reason, at.output?.failure?.reason], step).toEqual([
        'failed',
        'startTimeout',
        'startTimeout',
      ]);
      expect(at.desk.aborted).toEqual([step]);
    }
  });

  it('RC-218: a step that does not end closes what was opened before it', async () => {
    for (const [step, limit, what] of [
      ['takeHome', 60_000, 'Taking the home directory'],
      ['wire', 30_000, 'Creating the parts of the engine'],
    ] as const) {
      const at = await new Rig().until(step);
      await at.clock.advance(limit - 1);
      expect(at.desk.open).toEqual([step]);
      await at.clock.advance(1);
      expect(at.decision).toMatchObject({ reason: 'startTimeout', detail: `${what} did not end in time.` });
      await at.undo();
      expect([at.state, at.output?.failure?.message]).toEqual(['failed', `${what} did not end in time.`]);
    }
  });

  it('RC-219: what does not close after a failed check does not keep the rest', async () => {
    const at = await new Rig().until('takeHome');
    await at.desk.answer('takeHome', FAILED);
    await at.clock.advance(3_749);
    expect(at.state).toBe('undoing.closingStore');
    await at.clock.advance(1);
    expect([at.state, at.decision.reason]).toEqual(['undoing.releasingHome', 'stopTimeout']);
    await at.clock.advance(1_249);
    expect(at.state).toBe('undoing.releasingHome');
    await at.clock.advance(1);
    expect([at.state, at.output]).toEqual(['failed', { failure: wrong }]);
    expect(at.decision.detail).toContain('release of the home');

    const broken = await new Rig().until('takeHome');
    await broken.desk.answer('takeHome', FAILED);
    await broken.desk.fail('closeStore', bug);
    expect([broken.state, broken.decision.reason]).toEqual(['undoing.releasingHome', 'engineFault']);
    await broken.desk.fail('releaseHome', new Error('the home is broken, too'));
    expect([broken.state, broken.output, broken.decision.detail]).toEqual([
      'failed',
      { failure: wrong },
      expect.stringContaining('the home is broken, too'),
    ]);
  });

  it('what cannot be opened stops everything that was started', async () => {
    for (const [step] of OPENING) {
      for (const way of ['answer', 'fail'] as const) {
        const at = await new Rig().until(step);
        if (way === 'answer') await at.desk.answer(step, FAILED);
        else await at.desk.fail(step, bug);
        await at.close();
        const reason = way === 'answer' ? 'startFailed' : 'engineFault';
        expect([at.state, at.output?.failure?.reason, at.log], step).toEqual([
          'failed',
          reason,
          ['refuse', `ENDED ${reason}`],
        ]);
      }
    }
  });

  it('RC-218: what does not open in 30 s stops everything that was started', async () => {
    const names = ['Starting remote control', 'Opening the control socket', 'Opening the metrics'];
    for (const [index, name] of [...names, 'Opening the listener'].entries()) {
      const [step] = OPENING[index]!;
      const at = await new Rig().until(step);
      await at.clock.advance(29_999);
      expect(at.desk.open).toEqual([step]);
      await at.clock.advance(1);
      expect(at.decision).toMatchObject({ reason: 'startTimeout', detail: `${name} did not end in time.` });
      await at.close();
      expect([at.state, at.output?.failure?.reason]).toEqual(['failed', 'startTimeout']);
    }
  });

  it('RC-45: the decision of remote control has no deadline: a client over stdio may come later', async () => {
    const at = await new Rig().until('awaitDecision');
    expect(at.clock.timers).toBe(0);
  });

  it('RC-27: remote control that ends during the start is the reason for its failure', async () => {
    for (const [step] of OPENING) {
      const at = await new Rig().until(step);
      await at.send({ type: 'REMOTE.ENDED', failure: noSignIn });
      expect([at.decision.reason, at.tags]).toEqual(['authMissing', ['ending']]);
      await at.close();
      expect([at.state, at.output]).toEqual(['failed', { failure: noSignIn }]);
    }
    const calm = await new Rig().until('openControl');
    await calm.send({ type: 'REMOTE.ENDED', failure: null });
    expect(calm.decision.reason).toBe('stopped');
    await calm.close();
    expect([calm.state, calm.output]).toEqual(['stopped', { failure: null }]);
    const faulty = await new Rig().until('openControl');
    await faulty.send({ type: 'REMOTE.FAULT', failure: wrong });
    await faulty.close();
    expect([faulty.state, faulty.output]).toEqual(['failed', { failure: wrong }]);
  });

  it('RC-77: a client over stdio that leaves during the start ends it', async () => {
    for (const failure of [null, wrong]) {
      const at = await new Rig().until('awaitDecision');
      await at.send({ type: 'STDIO.ENDED', failure });
      await at.close();
      expect([at.state, at.output, at.log]).toEqual([
        failure === null ? 'stopped' : 'failed',
        { failure },
        ['refuse', `ENDED ${failure?.reason ?? null}`],
      ]);
    }
  });

  it('a stop before anything runs waits for the step in progress, then closes what it left', async () => {
    for (const [step] of PREPARING) {
      const at = await new Rig().until(step);
      await at.send({ type: 'STOP' });
      expect([at.tags, at.decision.reason, at.log]).toEqual([['ending'], 'stopped', ['refuse']]);
      await at.close({ remote: false });
      expect([at.state, at.output, at.log], step).toEqual([
        'stopped',
        { failure: null },
        ['refuse', 'ENDED null'],
      ]);
      expect(at.desk.count('endRemoteControl')).toBe(0);
    }
  });

  it('a step that fails after a stop was requested is still reported', async () => {
    const at = await new Rig().until('takeHome');
    await at.send({ type: 'STOP' });
    await at.desk.answer('settle', FAILED);
    expect([at.state, at.decision.reason]).toEqual(['stopping.closingAccess', 'startFailed']);
    for (const [name] of CLOSING.slice(1)) await at.desk.answer(name, DONE);
    expect([at.state, at.output]).toEqual(['failed', { failure: wrong }]);
  });

  it('a stop while something opens ends remote control first', async () => {
    for (const [step] of OPENING) {
      const at = await new Rig().until(step);
      await at.send({ type: 'STOP' });
      expect([at.decision.reason, at.log]).toEqual(['stopped', ['refuse']]);
      await at.close();
      expect([at.state, at.output], step).toEqual(['stopped', { failure: null }]);
    }
  });
});

describe('the end of an engine', () => {
  it('RC-46: everything ends in order, each part after the one before', async () => {
    const at = await running();
    await at.send({ type: 'STOP' });
    expect([at.tags, at.decision.reason]).toEqual([['ending'], 'stopped']);
    await at.close();
    expect([at.state, at.tags, at.output, at.log]).toEqual([
      'stopped',
      ['ending'],
      { failure: null },
      ['admit', 'STARTED', 'refuse', 'ENDED null'],
    ]);
    expect([at.clock.timers, at.decision.reason]).toEqual([0, 'stopped']);
  });

  it('a second stop changes nothing, in whatever state the first one is', async () => {
    const at = await running();
    await at.send({ type: 'STOP' });
    await at.send({ type: 'STOP' });
    expect([at.state, at.desk.count('endRemoteControl')]).toEqual(['stopping.endingRemoteControl', 1]);
    await at.desk.answer('endRemoteControl', DONE);
    for (const [name, state] of CLOSING) {
      await at.send({ type: 'STOP' });
      await at.send({ type: 'REMOTE.ENDED', failure: null });
      expect([at.state, at.desk.count(name)]).toEqual([state, 1]);
      await at.desk.answer(name, DONE);
    }
    expect([at.state, at.log]).toEqual(['stopped', ['admit', 'STARTED', 'refuse', 'ENDED null']]);
  });

  it('RC-27, RC-77: the end of remote control or of stdio ends the engine, and a failure is its reason', async () => {
    for (const type of ['REMOTE.ENDED', 'STDIO.ENDED'] as const) {
      for (const failure of [null, noSignIn]) {
        const at = await running();
        await at.send({ type, failure });
        expect(at.decision.reason).toBe(failure?.reason ?? 'stopped');
        await at.close();
        expect([at.state, at.output]).toEqual([failure === null ? 'stopped' : 'failed', { failure }]);
      }
    }
  });

  it('remote control that ends with a failure after the stop is the reason of the end', async () => {
    const at = await running();
    await at.send({ type: 'STOP' });
    await at.desk.answer('endRemoteControl', { kind: 'failed', failure: noSignIn });
    expect([at.state, at.decision.reason]).toEqual(['stopping.settling', 'authMissing']);
    for (const [name] of CLOSING) await at.desk.answer(name, DONE);
    expect(at.output).toEqual({ failure: noSignIn });
  });

  it('RC-219: a part that does not end in its time does not keep the next one', async () => {
    const at = await running();
    await at.send({ type: 'STOP' });
    await at.clock.advance(5_999);
    expect(at.state).toBe('stopping.endingRemoteControl');
    await at.clock.advance(1);
    expect(at.decision.detail).toContain('Remote control did not end in time');
    for (const [index, [name, state, limit]] of CLOSING.entries()) {
      expect([at.state, at.desk.open]).toEqual([state, [name]]);
      await at.clock.advance(limit - 1);
      expect(at.state).toBe(state);
      await at.clock.advance(1);
      const what = ['A step of the start', 'The local access', 'The app server', 'The enrollment store'];
      expect(at.decision).toMatchObject({
        reason: 'stopTimeout',
        detail: expect.stringContaining(what[index] ?? 'The release of the home directory'),
      });
    }
    expect([at.state, at.output, at.log.at(-1)]).toEqual(['stopped', { failure: null }, 'ENDED null']);
  });

  it('RC-219: a part that fails while it ends does not keep the next one, and the failure is reported', async () => {
    const at = await running();
    await at.send({ type: 'STOP' });
    for (const name of ['endRemoteControl', ...CLOSING.map(([closing]) => closing)] as const) {
      await at.desk.fail(name, new Error(`${name} is broken`));
      expect(at.decision).toMatchObject({
        reason: 'engineFault',
        detail: expect.stringContaining(`${name} is broken`),
      });
    }
    expect([at.state, at.output]).toEqual(['stopped', { failure: null }]);
  });

  afterAll(() => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(engineMachine)).toEqual([]);
  });
});
