import type { Engine } from '../../engine/engine.js';
import { VERSION } from '../../protocol/version.js';
import { StartPairing } from '../start-pairing.js';
import { printJson } from './print.js';
import { lines, type Text } from './terminal.js';

/** The page of the inspector. The URL opens it once. */
export interface InspectorLink {
  readonly view: 'local' | 'stately';
  readonly url: string;
}

/** What `start` prints on stdout while the engine runs. Made before the engine starts. */
export interface StartOutput {
  /** The engine has started. */
  started(): void;
  stopped(): void;
}

export const noOutput: StartOutput = { started: () => {}, stopped: () => {} };

/** One JSON object per line: `started` first, then `listening`, then `status` at each change. */
export function jsonOutput(engine: Engine, inspector: InspectorLink | undefined, pair: boolean): StartOutput {
  let started = false;
  if (pair) {
    const pairing = new StartPairing(engine, {
      shown: (answer) => printJson({ type: 'pairing', ...answer }),
      claimed: () => printJson({ type: 'claimed' }),
    });
    engine.on('report', () => pairing.look());
  }
  const waiting: object[] = [];
  engine.on('report', (report) => {
    const line = {
      type: 'status',
      ...engine.status,
      state: report.state,
      reason: report.reason,
      since: report.since,
      nextAttemptAt: report.nextAttemptAt,
    };
    if (started) printJson(line);
    else waiting.push(line);
  });
  let listening: object | undefined;
  // The only line that holds the connect URL. WSA-5
  engine.on('listening', ({ url, connectUrl, authMode, enforced }) => {
    // The URL with the token comes first: a program that takes the first URL of the line takes the right one.
    listening = { type: 'listening', connectUrl: connectUrl.reveal(), url, authMode, enforced };
  });
  return {
    started: () => {
      started = true;
      const { home, pid, remoteControl, appServer, appServerHealth } = engine.fullStatus;
      const { serverName, installationId, baseUrl } = remoteControl;
      const { mode, modeReason } = appServerHealth ?? {};
      printJson({
        ...{ type: 'started', version: VERSION, pid, home, serverName, installationId, baseUrl },
        appServer: { name: appServer, mode, modeReason },
      });
      // Who waits for the listener has the link of the inspector then, too.
      if (inspector !== undefined) printJson({ type: 'inspector', ...inspector });
      if (listening !== undefined) printJson(listening);
      listening = undefined;
      for (const line of waiting) printJson(line);
    },
    stopped: () => {},
  };
}

export function inspectorBanner({ view, url }: InspectorLink): Text {
  const note =
    view === 'stately'
      ? [
          '  stately.ai receives the names and times of actors, states, events and reasons, and nothing else.',
          '  The browser needs access to stately.ai; the page says so when there is none.',
        ]
      : [];
  return lines(['', `  Inspector      ${url}`, ...note, '']);
}
