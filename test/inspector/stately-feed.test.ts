import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActor, fromPromise, setup } from 'xstate';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { Feed, HISTORY } from '../../src/inspector/page/stately/feed.js';
import { stateValueOf } from '../../src/inspector/page/stately/state-value.js';
import { activeOf } from '../../src/inspector/projection.js';
import { Recorder } from '../../src/inspector/recorder.js';
import type { Entry } from '../../src/inspector/timeline.js';
import { TIMELINE_LENGTH, Timeline } from '../../src/inspector/timeline.js';
import { toConfigJson } from '../../src/visualize/config-json.js';

const MARK = 'MARKED-sEcReT-55512345';

const machine = setup({
  types: { context: {} as { token: string; decision: { reason: string } }, events: {} as { type: 'GO' } },
  actors: { work: fromPromise(async () => MARK) },
}).createMachine({
  id: 'both',
  context: () => ({ token: MARK, decision: { reason: 'connected' } }),
  type: 'parallel',
  states: {
    link: {
      initial: 'down',
      states: { down: { on: { GO: 'up' } }, up: { initial: 'new', states: { new: {} } } },
    },
    job: {
      initial: 'idle',
      states: {
        idle: { on: { GO: 'working' } },
        working: { invoke: { id: 'work', src: 'work', onDone: 'idle' } },
      },
    },
    lamp: {},
  },
});
const CHARTS = { both: toConfigJson(machine, 'hash') };

let told: StatelyInspectionEvent[];
let feed: Feed;
beforeEach(() => {
  vi.useFakeTimers();
  told = [];
  feed = new Feed((event) => told.push(structuredClone(event)), CHARTS);
});
afterEach(() => {
  vi.useRealTimers();
});

/** A running actor that a recorder looks on at. */
function watched() {
  const recorder = new Recorder();
  const actor = createActor(machine, { id: 'both' });
  recorder.actor(actor);
  actor.start();
  return { recorder, actor };
}

function hello(recorder: Recorder): void {
  const { base, first, next } = recorder.timeline;
  feed.receive({ type: 'hello', version: 1, mode: 'live', engine: '1', charts: {}, base, first });
  more(recorder, first, next);
  feed.receive({ type: 'caughtUp', notShown: 0 });
}
function more({ timeline }: Recorder, from: number, to = timeline.next): void {
  feed.receive({ type: 'entries', entries: timeline.slice(from, to) });
}

describe('what the Stately inspector is told', () => {
  it('actors, events and snapshots in its protocol, with names only', async () => {
    const recorder = new Recorder(new Timeline(), () => 1_700);
    const actor = createActor(machine, { id: 'both' });
    recorder.actor(actor);
    actor.start();
    actor.send({ type: 'GO' });
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    vi.useFakeTimers();
    hello(recorder);
    expect(told).toEqual([]);
    feed.connect();
    vi.runAllTimers();
    const common = { createdAt: '1700', rootId: 'x:1', _version: expect.any(String) };
    const up = { link: { up: 'new' }, job: 'working', lamp: {} };
    const reason = 'connected';
    expect(told).toMatchObject([
      { ...common, type: '@xstate.actor', sessionId: 'x:1', name: 'both', definition: CHARTS.both },
      { ...common, type: '@xstate.event', sessionId: 'x:1', event: { type: 'xstate.init' } },
      {
        ...common,
        type: '@xstate.snapshot',
        sessionId: 'x:1',
        snapshot: { status: 'active', value: { link: 'down', job: 'idle', lamp: {} }, context: { reason } },
      },
      {
        ...common,
        type: '@xstate.actor',
        sessionId: 'x:2',
        parentId: 'x:1',
        name: 'work',
        snapshot: { status: 'active' },
      },
      { ...common, type: '@xstate.event', sessionId: 'x:1', event: { type: 'GO', reason } },
      { ...common, type: '@xstate.snapshot', sessionId: 'x:1', snapshot: { status: 'active', value: up } },
      {
        ...common,
        type: '@xstate.event',
        sessionId: 'x:1',
        sourceId: 'x:2',
        event: { type: 'xstate.done.actor.work' },
      },
      { ...common, type: '@xstate.snapshot', snapshot: { value: { ...up, job: 'idle' } } },
      { ...common, type: '@xstate.event', sessionId: 'x:2' },
      { ...common, type: '@xstate.snapshot', sessionId: 'x:2', snapshot: { status: 'done' } },
    ]);
    expect(JSON.stringify(told)).not.toContain(MARK);
    actor.stop();
    expect(recorder.faults).toBe(0);
  });

  it('a frame that is loaded anew is told everything anew', () => {
    const { recorder, actor } = watched();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    const first = told.splice(0);
    feed.connect();
    vi.runAllTimers();
    expect(told.map(({ type }) => type)).toEqual(first.map(({ type }) => type));
    actor.stop();
  });

  it('a frame that comes late is told how everything stands, then the newest of the past', () => {
    const { recorder, actor } = watched();
    const entry = recorder.timeline.get(recorder.timeline.next - 1) as Entry;
    for (let i = 0; i < 2_000; i += 1)
      recorder.timeline.add({ ...entry, seq: recorder.timeline.next, kind: 'ignored', event: 'OLD' });
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    expect(told[0]).toMatchObject({ type: '@xstate.actor', snapshot: { value: { link: 'down' } } });
    expect(told.filter(({ type }) => type === '@xstate.event').length).toBe(HISTORY);
    actor.stop();
  });

  it('more than a frame can take is left out and counted, nothing piles up, and what it knows is right again', () => {
    const recorder = new Recorder(new Timeline(1_000_000));
    const actor = createActor(machine, { id: 'both' });
    recorder.actor(actor);
    actor.start();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    let from = recorder.timeline.next;
    const gone = createActor(machine, { id: 'gone' });
    recorder.actor(gone);
    gone.start();
    more(recorder, from);
    vi.runAllTimers();
    told = [];
    from = recorder.timeline.next;
    gone.stop();
    actor.send({ type: 'GO' });
    const entry = recorder.timeline.get(recorder.timeline.next - 1) as Entry;
    for (let i = 0; i < 3 * TIMELINE_LENGTH; i += 1) {
      recorder.timeline.add({ ...entry, seq: recorder.timeline.next, kind: 'ignored', event: 'FLOOD' });
    }
    more(recorder, from);
    vi.runAllTimers();
    expect(feed.skipped).toBeGreaterThan(2 * TIMELINE_LENGTH);
    expect(told.length).toBeLessThan(3 * HISTORY);
    expect(told).toContainEqual(
      expect.objectContaining({ sessionId: 'x:2', snapshot: expect.objectContaining({ status: 'stopped' }) }),
    );
    expect(told.findLast(({ type }) => type === '@xstate.snapshot')).toMatchObject({
      sessionId: 'x:1',
      snapshot: { value: { link: { up: 'new' } } },
    });
    actor.stop();
  });

  it('never more than 2,000 entries a second', () => {
    const { recorder, actor } = watched();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    const before = feed.told;
    const from = recorder.timeline.next;
    const entry = recorder.timeline.get(from - 1) as Entry;
    for (let i = 0; i < 9_000; i += 1) recorder.timeline.add({ ...entry, seq: recorder.timeline.next });
    more(recorder, from);
    vi.advanceTimersByTime(1_000);
    expect(feed.told - before).toBeGreaterThan(1_000);
    expect(feed.told - before).toBeLessThanOrEqual(2_000);
    actor.stop();
  });
});

describe('a state value made of the ids of active states', () => {
  it('is the one that XState has', () => {
    const root = JSON.parse(toConfigJson(remoteControlMachine, 'h'));
    for (const value of ['idle', { active: 'connected' }, { active: { loadingAuth: 'reading' } }] as const) {
      const snapshot = remoteControlMachine.resolveState({ value, context: {} as never });
      expect(stateValueOf(root, 'remoteControl', activeOf(snapshot))).toEqual(snapshot.value);
    }
  });
});
