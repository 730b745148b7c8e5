import { createActor, createMachine } from 'xstate';
import { Recorder } from '../../src/inspector/recorder.js';
import { FILE_FORMAT, type SavedTimeline, Timeline } from '../../src/inspector/timeline.js';

/** What the inspector page saves after some steps of a small chart. */
export function recordedTimeline(charts: Readonly<Record<string, string>>): SavedTimeline {
  const recorder = new Recorder(new Timeline(20));
  const actor = createActor(
    createMachine({
      id: 'toggle',
      initial: 'off',
      states: { off: { on: { T: 'on' } }, on: { on: { T: 'off' } } },
    }),
    { id: 'toggle' },
  );
  recorder.actor(actor);
  actor.start();
  for (let i = 0; i < 40; i += 1) actor.send({ type: 'T' });
  actor.stop();
  const { timeline } = recorder;
  return {
    format: FILE_FORMAT,
    version: 1,
    engine: '9.9.9',
    savedAt: 1,
    charts,
    base: timeline.base,
    entries: timeline.slice(timeline.first, timeline.next),
  };
}
