/** Causes come before their effects, with their senders; failures are recorded, without secrets. */
import { describe, expect, it } from 'vitest';
import { createActor, fromPromise, sendTo, setup } from 'xstate';
import { Recorder } from '../../src/inspector/recorder.js';
import type { Entry } from '../../src/inspector/timeline.js';
import { AttachableWatcher } from '../../src/observe/attachable-watcher.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const all = ({ timeline }: Recorder): Entry[] => timeline.slice(timeline.first, timeline.next);

const child = setup({}).createMachine({
  id: 'child',
  initial: 'waiting',
  states: {
    waiting: { on: { WORK: 'working' } },
    working: { on: { STOP: 'done' } },
    done: { type: 'final' },
  },
});

const parent = setup({
  actors: { child, task: fromPromise(async () => 'done') },
  actions: { tell: () => {} },
}).createMachine({
  id: 'parent',
  initial: 'idle',
  states: {
    idle: { on: { GO: 'busy' } },
    busy: {
      invoke: [
        { id: 'child', src: 'child', onDone: 'resting' },
        { id: 'task', src: 'task', onDone: { actions: sendTo('child', { type: 'STOP' }) } },
      ],
      on: { PASS: { actions: [sendTo('child', { type: 'WORK' }), 'tell'] } },
    },
    resting: {},
  },
});

/** `actor: event` of each recorded step, with its sender. */
function stepsOf(recorder: Recorder): string[] {
  const names = new Map(
    all(recorder).flatMap(({ born }) => (born === undefined ? [] : [[born.id, born.name]])),
  );
  return all(recorder).map(({ actor, kind, event, from }) => {
    const what = kind === 'started' ? 'started' : event;
    return `${names.get(actor)}: ${what}${from === undefined ? '' : ` from ${names.get(from)}`}`;
  });
}

describe('the order of the timeline', () => {
  it('a step comes before the steps that it causes in other actors, and each event names its sender', async () => {
    const recorder = new Recorder();
    const actor = createActor(parent, { id: 'parent' });
    recorder.actor(actor);
    actor.start();
    actor.send({ type: 'GO' });
    actor.send({ type: 'PASS' });
    await settle();
    expect(stepsOf(recorder)).toEqual([
      'parent: started',
      'parent: xstate.init',
      'parent: GO',
      'child: started',
      'task: started',
      'child: xstate.init',
      'parent: PASS',
      'child: WORK from parent',
      'task: xstate.promise.resolve',
      'parent: xstate.done.actor.task from task',
      'child: STOP from parent',
      'parent: xstate.done.actor.child from child',
    ]);
    expect(all(recorder).map(({ seq }) => seq)).toEqual(all(recorder).map((_, index) => index));
    expect(recorder.internalErrors).toBe(0);
  });

  it('an action that sends to another root actor is no exception', () => {
    const recorder = new Recorder();
    const other = createActor(child, { id: 'other' });
    const actor = createActor(parent.provide({ actions: { tell: () => other.send({ type: 'WORK' }) } }), {
      id: 'parent',
    });
    for (const root of [actor, other]) {
      recorder.actor(root);
      root.start();
    }
    actor.send({ type: 'GO' });
    const from = recorder.timeline.next;
    actor.send({ type: 'PASS' });
    expect(stepsOf(recorder).slice(from)).toEqual(['parent: PASS', 'other: WORK', 'child: WORK from parent']);
    actor.stop();
  });

  it('a step that XState does not report, because an action failed, holds back nothing', async () => {
    const recorder = new Recorder();
    const broken = createActor(
      parent.provide({
        actions: {
          tell: () => {
            throw new Error('a bug');
          },
        },
      }),
      { id: 'parent' },
    );
    broken.subscribe({ error: () => {} });
    recorder.actor(broken);
    broken.start();
    broken.send({ type: 'GO' });
    broken.send({ type: 'PASS' });
    const other = createActor(child, { id: 'other' });
    recorder.actor(other);
    other.start();
    await settle();
    expect(stepsOf(recorder)).toContain('other: xstate.init');
  });
});

describe('failures in the timeline', () => {
  const failing = setup({
    types: {
      context: {} as { decision: { reason: string }; lastFailure: object | null },
      events: {} as { type: 'STAY' },
    },
  }).createMachine({
    id: 'failing',
    context: { decision: { reason: 'starting' }, lastFailure: null },
    on: { STAY: {} },
  });

  it('a failure is recorded once, with HTTP status and request id, masked, cut and without control characters', () => {
    const recorder = new Recorder();
    const secret = `eyJhbGciOiJIUzI1NiJ9.${'a'.repeat(40)}.${'b'.repeat(40)}`;
    const actor = createActor(failing, { id: 'failing' });
    recorder.actor(actor);
    actor.start();
    const { context } = actor.getSnapshot();
    Object.assign(context, {
      decision: { reason: 'backendUnauthorized' },
      lastFailure: {
        reason: 'backendUnauthorized',
        message: `HTTP 401 for ${secret}\u001b[31m ${'x'.repeat(1_000)}`,
        httpStatus: 401,
        requestId: 'req-1',
        detail: 'the body is not shown',
        at: 0,
      },
    });
    for (const type of ['STAY', 'STAY'] as const) actor.send({ type });
    const failures = all(recorder).flatMap(({ failure }) => failure ?? []);
    expect(failures).toEqual([
      { text: expect.stringMatching(/^HTTP 401 for /), httpStatus: 401, requestId: 'req-1' },
    ]);
    const text = JSON.stringify(all(recorder));
    expect(text).not.toContain('aaaaaaaaaaaaaaaaaaaa');
    expect(text).not.toContain('body is not shown');
    expect(text).not.toContain('\\u001b');
    expect(failures[0]?.text.length).toBeLessThanOrEqual(400);
  });
});

describe('RC-191: an engine that can be watched later', () => {
  const watcherOf = (recorder: Recorder) => {
    recorder.newLink = () => {
      throw new Error('no page');
    };
    const closed: string[] = [];
    const watcher = new AttachableWatcher(async () => ({
      watcher: recorder,
      close: async (message) => {
        recorder.close();
        closed.push(message);
      },
    }));
    return { watcher, closed };
  };

  it('observes nothing before somebody attaches and nothing afterwards', async () => {
    const recorder = new Recorder();
    const { watcher, closed } = watcherOf(recorder);
    const actor = createActor(parent, { id: 'parent' });
    let observers = 0;
    const inspect = actor.system.inspect.bind(actor.system);
    actor.system.inspect = (observer) => {
      observers += 1;
      const subscription = inspect(observer);
      return {
        unsubscribe: () => {
          observers -= 1;
          subscription.unsubscribe();
        },
      };
    };
    watcher.actor(actor);
    actor.start();
    actor.send({ type: 'GO' });
    expect([observers, all(recorder)]).toEqual([0, []]);
    const [one, two] = await Promise.all([watcher.attach(), watcher.attach()]);
    expect(observers).toBe(1);
    expect(all(recorder).map(({ event, active }) => [event, ...active])).toEqual([
      ['attached', 'parent.busy'],
      ['attached', 'child.waiting'],
      ['attached'],
    ]);
    await one.close();
    await one.close();
    actor.send({ type: 'PASS' });
    expect(stepsOf(recorder).slice(3)).toEqual(['parent: PASS', 'child: WORK from parent']);
    await two.close();
    expect([observers, closed]).toEqual([0, [expect.stringContaining('inspect --attach')]]);
    actor.stop();
    expect(all(recorder)).toHaveLength(5);
  });

  it('forgets actors that have ended, however many there are', async () => {
    const recorder = new Recorder();
    const { watcher } = watcherOf(recorder);
    for (let i = 0; i < 1_000; i += 1) {
      const actor = createActor(child, { id: `child-${i}` });
      watcher.actor(actor);
      actor.start();
      if (i < 990) actor.stop();
    }
    await watcher.attach();
    expect(all(recorder)).toHaveLength(10);
    await watcher.close();
  });

  it('an inspector that cannot open is an error for who attaches, and the next one may try again', async () => {
    let fails = true;
    const recorder = new Recorder();
    const watcher = new AttachableWatcher(async () => {
      if (fails) throw new Error('no port');
      return { watcher: recorder, close: async () => {} };
    });
    await expect(watcher.attach()).rejects.toThrow('no port');
    fails = false;
    await (await watcher.attach()).close();
  });
});
