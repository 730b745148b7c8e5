/** The live inspector: watches an engine's charts and shows them in a browser on this machine. */

import type { EngineWatcher } from '../observe/watcher.js';
import type { Secret } from '../protocol/secret.js';
import { Recorder } from './recorder.js';
import { readTimeline, timelineOf } from './saved.js';
import { InspectorServer } from './server.js';

export interface InspectorStart {
  /** 0: a free one. */
  readonly port: number;
  readonly pageFile: URL;
  /** With it the link leads to this page, which holds the Stately inspector in a frame. */
  readonly statelyFile?: URL | undefined;
  /** Version of this program, and the hash of each of its charts. */
  readonly engine: string;
  readonly charts: Readonly<Record<string, string>>;
}

export interface Inspector {
  /** Opens the page in one browser; print it once and keep it nowhere. */
  readonly link: Secret;
  /** Give it to `createEngine`. */
  readonly watcher: EngineWatcher;
  /** After the engine has stopped, so that its end is seen. */
  close(): Promise<void>;
}

/** @throws EngineError `listenerFailed` when the port cannot be had. */
export async function openInspector({
  port,
  pageFile,
  statelyFile,
  engine,
  charts,
}: InspectorStart): Promise<Inspector> {
  const recorder = new Recorder();
  const server = new InspectorServer({
    port,
    pageFile,
    statelyFile,
    timeline: recorder.timeline,
    about: { mode: 'live', engine, charts },
    told: (next) => recorder.told(next),
    notShown: () => recorder.notShown,
  });
  recorder.onAdded = () => server.wake();
  return { link: await server.listen(), watcher: recorder, close: () => server.close() };
}

export interface Replay {
  readonly link: Secret;
  close(): Promise<void>;
}

/** @throws EngineError `timelineUnusable`, `listenerFailed`. */
export async function openReplay(file: string, start: InspectorStart): Promise<Replay> {
  const saved = await readTimeline(file, start.charts);
  const server = new InspectorServer({
    port: start.port,
    pageFile: start.pageFile,
    timeline: timelineOf(saved, file),
    about: {
      mode: 'replay',
      engine: saved.engine,
      charts: saved.charts,
      file: file.split(/[\\/]/).at(-1) ?? file,
      savedAt: saved.savedAt,
    },
  });
  return { link: await server.listen(), close: () => server.close() };
}
