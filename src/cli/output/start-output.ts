import type { Engine } from '../../engine/engine.js';
import type { EngineStatus } from '../../engine/status.js';
import type { ListeningInfo } from '../../listener/status.js';
import { VERSION } from '../../protocol/version.js';
import type { StartSettings } from '../settings/start-settings.js';
import { codexRecipe } from './codex-recipe.js';
import { printJson } from './print.js';
import { Progress } from './progress.js';
import { lines, stdout, type Text, text } from './terminal.js';
import { APP_SERVER_MODES, COLOURS, type Row } from './text.js';

/** The page of the inspector. The URL opens it once. */
export interface InspectorLink {
  readonly view: 'local' | 'stately';
  readonly url: string;
}

/** What `start` prints on stdout while the engine runs. Made before the engine starts. */
export interface StartOutput {
  /** The engine has started. */
  started(settings: StartSettings): Promise<void>;
  stopped(): void;
}

export const noOutput: StartOutput = { started: async () => {}, stopped: () => {} };

/** One JSON object per line: `started` first, then `listening`, then `status` at each change. */
export function jsonOutput(engine: Engine, inspector: InspectorLink | undefined): StartOutput {
  let started = false;
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
    started: async () => {
      started = true;
      const { home, pid, remoteControl, appServer, appServerHealth } = engine.fullStatus;
      const { serverName, installationId, baseUrl } = remoteControl;
      const { mode, modeReason } = appServerHealth ?? {};
      printJson({
        ...{ type: 'started', version: VERSION, pid, home, serverName, installationId, baseUrl },
        appServer: { name: appServer, mode, modeReason },
      });
      if (listening !== undefined) printJson(listening);
      listening = undefined;
      if (inspector !== undefined) printJson({ type: 'inspector', ...inspector });
      for (const line of waiting) printJson(line);
    },
    stopped: () => {},
  };
}

/** For a person: the states as they come, then the banners. */
export function textOutput(engine: Engine, settings: StartSettings): StartOutput {
  const progress = new Progress(stdout);
  engine.on('report', (report) => progress.show(report));
  engine.on('listening', (info) => {
    progress.finishLine();
    stdout.write(listeningBanner(info, codexRecipe(engine.fullStatus.appServer, settings, info)));
  });
  return {
    started: async (settings) => {
      const banner = appServerBanner(engine.fullStatus);
      if (banner !== null) {
        progress.finishLine();
        stdout.write(banner);
      }
      const { printConnectedBanner } = await import('./connected-banner.js');
      await printConnectedBanner(engine, settings, progress);
    },
    stopped: () => progress.finishLine(),
  };
}

/** How clients share the app server, and why. RC-61 */
function appServerBanner({ appServer, appServerHealth: health }: EngineStatus): Text | null {
  if (health === null || health.mode === 'builtin') return null;
  return lines([
    `  App server     ${appServer}: ${APP_SERVER_MODES[health.mode]} (${health.modeReason})`,
    '',
  ]);
}

export function inspectorBanner({ view, url }: InspectorLink): Text {
  const note =
    view === 'stately'
      ? ['  stately.ai receives the names and times of actors, states, events and reasons, and nothing else.']
      : [];
  return lines(['', `  Inspector      ${url}`, ...note, '']);
}

const AUTHORITY = {
  queryToken: 'token in the connect URL',
  capability: 'capability token in Authorization: Bearer',
  signedBearer: 'signed token in Authorization: Bearer',
  filesystem: 'only you can enter the directory of the socket',
} as const;

/** What a person needs once when the listener is open: its address, its authority, and warnings. WSA-4, WSA-5 */
function listeningBanner(info: ListeningInfo, recipe: readonly string[]): Text {
  const { paint } = stdout;
  const { url, authMode, enforced, warnings } = info;
  const connectUrl = info.connectUrl.reveal();
  const rows: Row[] = [['Listening', url]];
  if (connectUrl !== url) rows.push(['Connect URL', paint(COLOURS.cyan, connectUrl)]);
  const check = enforced ? 'enforced' : paint(COLOURS.yellow, 'NOT enforced (--no-token-check)');
  rows.push(['Authority', text`${AUTHORITY[authMode]}, ${check}`]);
  if (authMode === 'signedBearer') {
    rows.push([
      'Token expiry',
      info.closeOnTokenExpiry ? 'closes open connections' : 'does not close open connections',
    ]);
  }
  const shown = rows.map(([name, value]) => text`  ${name.padEnd(14)} ${value}`);
  shown.push(...warnings.map((warning) => text`  ${paint(COLOURS.yellow, 'Warning')}        ${warning}`));
  shown.push(...recipe.map((line, i) => text`  ${(i === 0 ? 'Codex CLI' : '').padEnd(14)} ${line}`));
  return lines(['', ...shown, '']);
}
