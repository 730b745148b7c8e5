import { describe, expect, it } from 'vitest';
import { createActor, fromPromise, setup } from 'xstate';
import { listenerConnectionMachine } from '../../machines/listener-connection.js';
import { statesPassed } from '../../src/inspector/page/model.js';
import { UNKNOWN_EVENT } from '../../src/inspector/projection.js';
import { Recorder } from '../../src/inspector/recorder.js';
import { type Entry, Timeline } from '../../src/inspector/timeline.js';
import { decideWithChart } from '../../src/listener/auth/upgrade-decision.js';
import { NOTHING_PRESENTED, type UpgradeFacts } from '../../src/protocol/authority.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { SharedChart } from '../../src/session/shared-chart.js';
import { TestRun } from '../support/shared-run.js';

const MARK = 'MARKED-sEcReT-81726354';

/** A chart with a secret in every place that can hold one. */
const leaky = setup({
  types: {
    context: {} as { token: string; decision: { reason: string; detail: string } },
    events: {} as { type: 'GO' | 'FAIL' | 'STAY' | 'END'; token: string },
    input: {} as { token: string },
    output: {} as { token: string },
  },
  actors: {
    fetchToken: fromPromise<{ token: string }, { token: string }>(async ({ input }) => ({
      token: input.token,
    })),
    failing: fromPromise<void, { token: string }>(async ({ input }) => {
      throw new Error(input.token);
    }),
  },
}).createMachine({
  id: 'leaky',
  context: ({ input }) => ({ token: input.token, decision: { reason: 'connected', detail: input.token } }),
  initial: 'idle',
  output: ({ context }) => ({ token: context.token }),
  states: {
    idle: { on: { GO: 'fetching', FAIL: 'failing', STAY: {} } },
    fetching: {
      invoke: {
        id: 'fetchToken',
        src: 'fetchToken',
        input: ({ context }) => ({ token: context.token }),
        onDone: 'idle',
      },
    },
    failing: {
      invoke: {
        id: 'failing',
        src: 'failing',
        input: ({ context }) => ({ token: context.token }),
        onDone: 'idle',
        onError: 'ended',
      },
    },
    ended: { type: 'final' },
  },
});

function startLeaky(recorder: Recorder) {
  const actor = createActor(leaky, { id: 'leaky', input: { token: MARK } });
  recorder.actor(actor);
  actor.start();
  return actor;
}

const all = ({ timeline }: Recorder): Entry[] => timeline.slice(timeline.first, timeline.next);
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('the recorder', () => {
  it('records the actor, edge, state and reason of each step, and the duration of the state before', async () => {
    let now = 1_000;
    const recorder = new Recorder(new Timeline(), () => now);
    const actor = startLeaky(recorder);
    now = 1_250;
    actor.send({ type: 'GO', token: MARK });
    await settle();
    const steps = all(recorder).filter(({ kind }) => kind === 'step');
    expect(
      steps.map(({ event, active, edges, reason, lasted }) => ({ event, active, edges, reason, lasted })),
    ).toEqual([
      { event: 'xstate.init', active: ['leaky.idle'], edges: [], reason: 'connected', lasted: null },
      {
        event: 'GO',
        active: ['leaky.fetching'],
        edges: ['leaky.idle GO 0'],
        reason: 'connected',
        lasted: 250,
      },
      {
        event: 'xstate.done.actor.fetchToken',
        active: ['leaky.idle'],
        edges: ['leaky.fetching xstate.done.actor.fetchToken 0'],
        reason: 'connected',
        lasted: 0,
      },
    ]);
    const born = all(recorder).flatMap((entry) => entry.born ?? []);
    expect(born.map(({ name, kind, chart, parent }) => ({ name, kind, chart, parent }))).toEqual([
      { name: 'leaky', kind: 'machine', chart: 'leaky', parent: null },
      { name: 'fetchToken', kind: 'task', chart: null, parent: 1 },
    ]);
    actor.stop();
    expect(all(recorder).at(-1)).toMatchObject({ kind: 'ended', status: 'stopped', actor: 1 });
  });

  it('stores no context, payload, input, output, error or unknown event type', async () => {
    const recorder = new Recorder();
    const actor = startLeaky(recorder);
    for (const type of ['STAY', 'GO'] as const) actor.send({ type, token: MARK });
    await settle();
    actor.send({ type: MARK, token: MARK } as never);
    actor.send({ type: 'FAIL', token: MARK });
    await settle();
    const stored = JSON.stringify([all(recorder), recorder.timeline.base]);
    expect(stored).toContain(UNKNOWN_EVENT);
    expect(stored).toContain('leaky.ended');
    expect(stored).not.toContain(MARK);
    expect(recorder.internalErrors).toBe(0);
  });

  it('a reason that is not in the vocabulary is not recorded', () => {
    const recorder = new Recorder();
    const actor = createActor(leaky.provide({}), { id: 'leaky', input: { token: MARK } });
    recorder.actor(actor);
    actor.start();
    const { context } = actor.getSnapshot();
    Object.assign(context.decision, { reason: MARK });
    actor.send({ type: 'STAY', token: '' });
    expect(JSON.stringify(all(recorder))).not.toContain(MARK);
  });

  it('an error in the recorder does not reach the engine', () => {
    const recorder = new Recorder(new Timeline(), () => {
      throw new Error('no clock');
    });
    const actor = startLeaky(recorder);
    actor.send({ type: 'GO', token: MARK });
    expect(actor.getSnapshot().value).toBe('fetching');
    expect(recorder.internalErrors).toBeGreaterThan(0);
    actor.stop();
  });

  it('identical steps in short succession become one entry with a count, until it is sent to a page', () => {
    const recorder = new Recorder();
    const actor = startLeaky(recorder);
    for (let i = 0; i < 1_000; i += 1) actor.send({ type: 'STAY', token: '' });
    const counted = () =>
      all(recorder)
        .filter(({ event }) => event === 'STAY')
        .map(({ count }) => count);
    // A slow host may need more than one entry.
    expect(counted().reduce((sum, count) => sum + count)).toBe(1_000);
    expect(counted().length).toBeLessThan(20);
    const before = counted();
    recorder.markSent(recorder.timeline.next);
    actor.send({ type: 'STAY', token: '' });
    expect(counted()).toEqual([...before, 1]);
    actor.stop();
  });

  it('holds the newest entries and the state of each actor before them', async () => {
    const recorder = new Recorder(new Timeline(50));
    const actors = Array.from({ length: 30 }, () => startLeaky(recorder));
    const unlimited = new Recorder(new Timeline(100_000));
    const other = Array.from({ length: 30 }, () => startLeaky(unlimited));
    for (let round = 0; round < 20; round += 1) {
      for (const set of [actors, other]) set[(round * 7) % 30]?.send({ type: 'GO', token: '' });
      await settle();
    }
    for (const set of [actors, other]) for (const actor of set.slice(0, 10)) actor.stop();
    expect(recorder.timeline.next - recorder.timeline.first).toBe(50);
    expect(recorder.timeline.next).toBe(unlimited.timeline.next);
    for (let seq = recorder.timeline.first; seq < recorder.timeline.next; seq += 1) {
      const states = ({ timeline }: Recorder) =>
        [...timeline.actorStatesAt(seq).values()].map(({ actor, last }) => [actor.id, last.active]).sort();
      expect(states(recorder)).toEqual(states(unlimited));
    }
    for (const actor of [...actors, ...other]) actor.stop();
    // An actor that has ended disappears once its last entry has left the timeline.
    const last = startLeaky(recorder);
    for (let i = 0; i < 60; i += 1) {
      recorder.markSent(recorder.timeline.next);
      last.send({ type: 'STAY', token: '' });
    }
    expect(recorder.timeline.base.length).toBe(1);
    last.stop();
  });

  it('records connections that share a chart, with their edges and the reason of their end', () => {
    const recorder = new Recorder();
    const chart = new SharedChart(listenerConnectionMachine, { timing: DEFAULT_TIMING });
    const run = new TestRun(chart, recorder.run('listener-1', chart.machine, chart.initial.snapshot));
    for (const type of ['ADMITTED', 'STOP', 'ENDED']) run.send(type);
    const recorded = all(recorder).map(({ kind, event, edges, reason }) => ({
      kind,
      event,
      edges: edges.length,
      reason,
    }));
    expect(recorded).toEqual([
      { kind: 'started', event: 'started', edges: 0, reason: null },
      { kind: 'step', event: 'ADMITTED', edges: 1, reason: null },
      { kind: 'step', event: 'STOP', edges: 1, reason: expect.any(String) },
      { kind: 'ended', event: 'ENDED', edges: 1, reason: expect.any(String) },
    ]);
    expect(recorder.internalErrors).toBe(0);
  });

  it('finds the actors that the initial state invoked before recording began', async () => {
    const recorder = new Recorder();
    const actor = createActor(
      setup({ actors: { work: fromPromise(async () => {}) } }).createMachine({
        id: 'eager',
        initial: 'working',
        states: { working: { invoke: { id: 'work', src: 'work', onDone: 'rest' } }, rest: {} },
      }),
    );
    recorder.actor(actor);
    actor.subscribe(() => {});
    actor.start();
    await settle();
    expect(all(recorder).flatMap(({ born, status }) => born?.name ?? status ?? [])).toEqual([
      expect.any(String),
      'work',
      'done',
    ]);
    actor.stop();
  });

  it('records each upgrade that the listener decided, with the edges that led to the verdict', () => {
    let now = 1_000;
    const recorder = new Recorder(new Timeline(), () => now);
    const facts: UpgradeFacts = {
      mode: 'signedBearer',
      enforced: true,
      hasOrigin: false,
      request: 'upgrade',
      admission: 'open',
      credential: { ...NOTHING_PRESENTED, presented: 'one', matches: true, expired: true },
    };
    const decide = (input: UpgradeFacts) => recorder.verdict(decideWithChart(input), input);
    decide(facts);
    expect(all(recorder).at(-1)).toMatchObject({
      event: 'upgrade',
      kind: 'step',
      edges: [
        'websocketAuth.originCheck always 1',
        'websocketAuth.requestCheck always 0',
        'websocketAuth.admission always 0',
        'websocketAuth.credential.mode always 2',
        'websocketAuth.credential.signedBearer.signature always 0',
        'websocketAuth.credential.signedBearer.expiry always 0',
      ],
      active: ['websocketAuth.rejected'],
      reason: 'expiredJwt',
      lasted: null,
    });
    // The next upgrade is unrelated: it starts in the initial state and has no duration.
    now = 2_000;
    decide({ ...facts, hasOrigin: true });
    expect(all(recorder).at(-1)).toMatchObject({
      edges: ['websocketAuth.originCheck always 0'],
      reason: 'originRefused',
      lasted: null,
    });
    decide({ ...facts, hasOrigin: true });
    expect(all(recorder).at(-1)).toMatchObject({ count: 2 });
    expect(recorder.internalErrors).toBe(0);
  });
});

describe('the states that a step passed through', () => {
  it('are neither the states before nor the states after the step', () => {
    const path = ['a.b.c always 0', 'a.d GO 1', 'a.e always 0'];
    expect(statesPassed(path, [])).toEqual(['a.b.c', 'a.d', 'a.e']);
    expect(statesPassed(path, ['a.b.c'])).toEqual(['a.d', 'a.e']);
    // A parent of the state before does not count.
    expect(statesPassed(['a GO 0', 'a.d always 0'], ['a.b.c'])).toEqual(['a.d']);
    // Two regions of a parallel state that change in one step.
    expect(statesPassed(['p.x.on T 0', 'p.y.on T 0'], ['p.x.on', 'p.y.on'])).toEqual([]);
  });
});
