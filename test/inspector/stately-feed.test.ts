import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createActor, fromPromise, setup } from 'xstate';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { Feed, HISTORY_ENTRIES } from '../../src/inspector/page/stately/feed.js';
import { stateValueOf } from '../../src/inspector/page/stately/translator.js';
import { activeStatesOf } from '../../src/inspector/projection.js';
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

let events: StatelyInspectionEvent[];
let feed: Feed;
beforeEach(() => {
  vi.useFakeTimers();
  events = [];
  feed = new Feed((event) => events.push(structuredClone(event)), CHARTS);
});
afterEach(() => {
  vi.useRealTimers();
});

/** A running actor with a recorder. */
function recordedActor() {
  const recorder = new Recorder();
  const actor = createActor(machine, { id: 'both' });
  recorder.actor(actor);
  actor.start();
  return { recorder, actor };
}

function hello(recorder: Recorder): void {
  const { base, first, next } = recorder.timeline;
  feed.receive({ type: 'hello', version: 1, mode: 'live', engine: '1', charts: {}, base, first });
  sendEntries(recorder, first, next);
  feed.receive({ type: 'caughtUp', notShown: 0 });
}
function sendEntries({ timeline }: Recorder, from: number, to = timeline.next): void {
  feed.receive({ type: 'entries', entries: timeline.slice(from, to) });
}

describe('the feed of the Stately inspector', () => {
  it('sends actors, events and snapshots in its protocol, with names only', async () => {
    const recorder = new Recorder(new Timeline(), () => 1_700);
    const actor = createActor(machine, { id: 'both' });
    recorder.actor(actor);
    actor.start();
    actor.send({ type: 'GO' });
    vi.useRealTimers();
    await new Promise((resolve) => setImmediate(resolve));
    vi.useFakeTimers();
    hello(recorder);
    expect(events).toEqual([]);
    feed.connect();
    vi.runAllTimers();
    const details = { createdAt: '1700', rootId: 'x:1', _version: expect.any(String) };
    const up = { link: { up: 'new' }, job: 'working', lamp: {} };
    const reason = 'connected';
    expect(events).toMatchObject([
      { ...details, type: '@xstate.actor', sessionId: 'x:1', name: 'both', definition: CHARTS.both },
      { ...details, type: '@xstate.event', sessionId: 'x:1', event: { type: 'xstate.init' } },
      {
        ...details,
        type: '@xstate.snapshot',
        sessionId: 'x:1',
        snapshot: { status: 'active', value: { link: 'down', job: 'idle', lamp: {} }, context: { reason } },
      },
      { ...details, type: '@xstate.event', sessionId: 'x:1', event: { type: 'GO', reason } },
      { ...details, type: '@xstate.snapshot', sessionId: 'x:1', snapshot: { status: 'active', value: up } },
      {
        ...details,
        type: '@xstate.actor',
        sessionId: 'x:2',
        parentId: 'x:1',
        name: 'work',
        snapshot: { status: 'active' },
      },
      { ...details, type: '@xstate.event', sessionId: 'x:2' },
      { ...details, type: '@xstate.snapshot', sessionId: 'x:2', snapshot: { status: 'done' } },
      {
        ...details,
        type: '@xstate.event',
        sessionId: 'x:1',
        sourceId: 'x:2',
        event: { type: 'xstate.done.actor.work' },
      },
      { ...details, type: '@xstate.snapshot', snapshot: { value: { ...up, job: 'idle' } } },
    ]);
    expect(JSON.stringify(events)).not.toContain(MARK);
    actor.stop();
    expect(recorder.internalErrors).toBe(0);
  });

  it('sends everything again to a frame that is reloaded', () => {
    const { recorder, actor } = recordedActor();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    const first = events.splice(0);
    feed.connect();
    vi.runAllTimers();
    expect(events.map(({ type }) => type)).toEqual(first.map(({ type }) => type));
    actor.stop();
  });

  it('sends the state of each actor and then the newest entries to a frame that connects late', () => {
    const { recorder, actor } = recordedActor();
    const entry = recorder.timeline.get(recorder.timeline.next - 1) as Entry;
    for (let i = 0; i < 2_000; i += 1)
      recorder.timeline.add({ ...entry, seq: recorder.timeline.next, kind: 'ignored', event: 'OLD' });
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    expect(events[0]).toMatchObject({ type: '@xstate.actor', snapshot: { value: { link: 'down' } } });
    expect(events.filter(({ type }) => type === '@xstate.event').length).toBe(HISTORY_ENTRIES);
    actor.stop();
  });

  it('skips and counts entries that come too fast, without a queue, and then sends the correct state', () => {
    const recorder = new Recorder(new Timeline(1_000_000));
    const actor = createActor(machine, { id: 'both' });
    recorder.actor(actor);
    actor.start();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    let from = recorder.timeline.next;
    const ended = createActor(machine, { id: 'ended' });
    recorder.actor(ended);
    ended.start();
    sendEntries(recorder, from);
    vi.runAllTimers();
    events = [];
    from = recorder.timeline.next;
    ended.stop();
    actor.send({ type: 'GO' });
    const entry = recorder.timeline
      .slice(from, recorder.timeline.next)
      .findLast(({ event }) => event === 'GO') as Entry;
    for (let i = 0; i < 3 * TIMELINE_LENGTH; i += 1) {
      recorder.timeline.add({ ...entry, seq: recorder.timeline.next, kind: 'ignored', event: 'FLOOD' });
    }
    sendEntries(recorder, from);
    vi.runAllTimers();
    expect(feed.skipped).toBeGreaterThan(2 * TIMELINE_LENGTH);
    expect(events.length).toBeLessThan(3 * HISTORY_ENTRIES);
    expect(events).toContainEqual(
      expect.objectContaining({ sessionId: 'x:2', snapshot: expect.objectContaining({ status: 'stopped' }) }),
    );
    expect(events.findLast(({ type }) => type === '@xstate.snapshot')).toMatchObject({
      sessionId: 'x:1',
      snapshot: { value: { link: { up: 'new' } } },
    });
    actor.stop();
  });

  it('sends at most 2,000 entries per second', () => {
    const { recorder, actor } = recordedActor();
    hello(recorder);
    feed.connect();
    vi.runAllTimers();
    const before = feed.sent;
    const from = recorder.timeline.next;
    const entry = recorder.timeline.get(from - 1) as Entry;
    for (let i = 0; i < 9_000; i += 1) recorder.timeline.add({ ...entry, seq: recorder.timeline.next });
    sendEntries(recorder, from);
    vi.advanceTimersByTime(1_000);
    expect(feed.sent - before).toBeGreaterThan(1_000);
    expect(feed.sent - before).toBeLessThanOrEqual(2_000);
    actor.stop();
  });
});

describe('a state value computed from the ids of active states', () => {
  it('is equal to the state value of XState', () => {
    const root = JSON.parse(toConfigJson(remoteControlMachine, 'h'));
    for (const value of ['idle', { active: 'connected' }, { active: { loadingAuth: 'reading' } }] as const) {
      const snapshot = remoteControlMachine.resolveState({ value, context: {} as never });
      expect(stateValueOf(root, 'remoteControl', activeStatesOf(snapshot))).toEqual(snapshot.value);
    }
  });
});
