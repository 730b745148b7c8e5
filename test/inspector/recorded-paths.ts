/** Recorded sessions of every chart: its generated paths, played as an actor with a recorder attached. */
import { type AnyActor, type AnyStateMachine, createActor, createMachine } from 'xstate';
import { chartHashes } from '../../src/engine/charts.js';
import { Recorder } from '../../src/inspector/recorder.js';
import { FILE_FORMAT, type SavedTimeline, TIMELINE_VERSION, Timeline } from '../../src/inspector/timeline.js';
import { MODELS, pathsOfChart } from '../../src/testing/charts/index.js';
import { endHeld, heldActor } from '../../src/testing/held-actor.js';
import { withNamedActors } from '../../src/testing/named-actors.js';
import { PathClock } from '../../src/testing/path-clock.js';
import type { Path, Step } from '../../src/testing/types.js';

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

/** Names of the charts that have paths. */
export const RECORDED_CHARTS = Object.keys(MODELS);

/** Paths of a chart take seconds to generate. */
const generated = new Map<string, ReturnType<typeof pathsOfChart>['variants']>();

function variantsOf(name: string) {
  const model = MODELS[name];
  if (model === undefined) throw new Error(`there is no model of ${name}`);
  let variants = generated.get(name);
  if (variants === undefined) {
    variants = pathsOfChart(model).variants;
    generated.set(name, variants);
  }
  return { machine: model.machine, variants };
}

/** One timeline with every path of a chart, at most `limit` of them. */
export async function recordedPaths(name: string, limit = Number.POSITIVE_INFINITY): Promise<SavedTimeline> {
  const { machine, variants } = variantsOf(name);
  let now = 1_000_000;
  // Far enough apart that no two steps become one entry.
  const recorder = new Recorder(new Timeline(1_000_000), () => (now += 200));
  let played = 0;
  for (const { variant, generated: found } of variants) {
    for (const path of found.paths) {
      if (played >= limit) break;
      played += 1;
      await play(recorder, machine, path, variant.options);
    }
  }
  if (recorder.internalErrors > 0) throw new Error(`${recorder.internalErrors} errors in the recorder`);
  const { first, next, base } = recorder.timeline;
  return {
    format: FILE_FORMAT,
    version: TIMELINE_VERSION,
    engine: '0.0.0',
    savedAt: now,
    charts: chartHashes(),
    base,
    entries: recorder.timeline.slice(first, next),
  };
}

async function play(
  recorder: Recorder,
  original: AnyStateMachine,
  path: Path,
  options: { readonly input?: unknown; readonly setTime?: (ms: number) => void },
): Promise<void> {
  const machine = held(original);
  const clock = new PathClock(options.setTime ?? (() => {}));
  options.setTime?.(0);
  const invoke = { id: machine.id, src: machine, input: () => options.input } as never;
  // The chart begins while the recorder watches, so that its first transitions are recorded.
  const states = { before: { on: { BEGIN: 'running' } }, running: { invoke } };
  const parent = createActor(createMachine({ id: 'parent', initial: 'before', states }), {
    id: 'parent',
    clock,
  });
  parent.subscribe({ error: () => {} });
  recorder.actor(parent);
  parent.start();
  parent.send({ type: 'BEGIN' });
  const actor = parent.getSnapshot().children[machine.id] as AnyActor | undefined;
  for (const step of path.steps) {
    if (actor !== undefined) await act(actor, clock, step);
    await settled();
  }
  parent.stop();
}

async function act(actor: AnyActor, clock: PathClock, step: Step): Promise<void> {
  const { kind, event, elapsed, value } = step;
  if (kind === 'event') actor.send(event);
  else if (kind === 'delay') clock.pass(elapsed);
  else {
    const child = actor.getSnapshot().children[step.actor ?? ''];
    if (child === undefined) throw new Error(`${step.actor} is not running`);
    endHeld(
      child,
      kind === 'outcome' ? { status: 'done', output: value } : { status: 'error', error: value },
    );
  }
}

/** The machine with actors that wait for the path, and without what its host does. */
function held(original: AnyStateMachine): AnyStateMachine {
  const machine = withNamedActors(original);
  const { actors, actions } = machine.implementations;
  return machine.provide({
    actors: Object.fromEntries(Object.keys(actors).map((key) => [key, heldActor(undefined)])),
    actions: Object.fromEntries(
      Object.entries(actions).flatMap(([key, action]: [string, unknown]) =>
        typeof action === 'function' && !('resolve' in action) ? [[key, () => {}]] : [],
      ),
    ),
  } as never);
}
