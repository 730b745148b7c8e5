/** The inspector: records the charts of an engine and shows them in a browser on this machine. */

import type { LinkOptions } from '../observe/watcher.js';
import type { Secret } from '../protocol/secret.js';
import { Recorder } from './recorder.js';
import { readTimeline, restoreTimeline } from './saved-timeline.js';
import { InspectorServer } from './server.js';

export interface InspectorOptions {
  /** Port on 127.0.0.1; 0 is any free one. */
  readonly port: number;
  readonly pageFile: URL;
  /** Page with the Stately inspector in a frame. When it is set, the link leads to it. */
  readonly statelyFile?: URL | undefined;
  /** Version of rc-engine. */
  readonly engine: string;
  /** Hash of each chart, by its name. */
  readonly charts: Readonly<Record<string, string>>;
  /** The engine has run before: the history begins here. Wall clock, ms. */
  readonly attachedAt?: number | undefined;
}

export interface Inspector {
  /** Opens the page in one browser. Print it once and store it nowhere. */
  readonly link: Secret;
  /** Pass it to `createEngine`. */
  readonly watcher: Recorder;
  /** Call it after the engine has stopped, so that the page shows the end. The message says why, else. */
  close(message?: string): Promise<void>;
}

/** @throws EngineError `listenerFailed` when the port is not available. */
export async function openInspector({
  port,
  pageFile,
  statelyFile,
  engine,
  charts,
  attachedAt,
}: InspectorOptions): Promise<Inspector> {
  const recorder = new Recorder();
  const server = new InspectorServer({
    port,
    pageFile,
    statelyFile,
    timeline: recorder.timeline,
    about: { mode: 'live', engine, charts, ...(attachedAt === undefined ? {} : { attachedAt }) },
    onSent: (next) => recorder.markSent(next),
    notShown: () => recorder.notShown,
  });
  recorder.onEntry = () => server.notify();
  recorder.newLink = (more) => server.newLink(more);
  return {
    link: await server.listen(),
    watcher: recorder,
    close: async (message) => {
      recorder.close();
      await server.close(message);
    },
  };
}

interface Replay {
  readonly link: Secret;
  newLink(options?: LinkOptions): Secret;
  close(): Promise<void>;
}

/**
 * Shows a saved timeline.
 * @throws EngineError `timelineUnusable`, `listenerFailed`.
 */
export async function openReplay(file: string, options: InspectorOptions): Promise<Replay> {
  const saved = await readTimeline(file, options.charts);
  const server = new InspectorServer({
    port: options.port,
    pageFile: options.pageFile,
    timeline: restoreTimeline(saved),
    about: {
      mode: 'replay',
      engine: saved.engine,
      charts: saved.charts,
      file: file.split(/[\\/]/).at(-1) ?? file,
      savedAt: saved.savedAt,
    },
  });
  return {
    link: await server.listen(),
    newLink: (more) => server.newLink(more),
    close: () => server.close('The replay has ended.'),
  };
}
