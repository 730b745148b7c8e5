import { endError } from '../engine/end-error.js';
import { createEngine, type Engine } from '../engine/engine.js';
import type { EngineOptions } from '../engine/options.js';
import { removeOwnFiles } from '../home/engine-info.js';
import { locateHome } from '../home/home.js';
import type { Inspector } from '../inspector/index.js';
import type { EngineLogger } from '../observe/logger.js';
import { EXIT, exitCodeOf } from './errors.js';
import { printError } from './output/print.js';
import {
  type InspectorLink,
  inspectorBanner,
  jsonOutput,
  noOutput,
  type StartOutput,
} from './output/start-output.js';
import { textOutput } from './output/start-text.js';
import { stderr, stdout } from './output/terminal.js';
import type { NotifySettings, ServiceNotifier } from './service/notify.js';
import type { StartSettings } from './settings/start-settings.js';
import type { StopSignals } from './signals.js';
import { onFatalExit, onSuddenEnd } from './signals.js';

/** What `start` shows beyond the settings. */
interface Display {
  readonly verbose: boolean;
  /** Request a pairing code once connected. */
  readonly pair: boolean;
}

/** Runs an engine until it stops, and returns the exit code. */
export async function runEngine(
  options: EngineOptions,
  settings: StartSettings,
  signals: StopSignals,
  inspector: Inspector | undefined,
  display: Display,
  notify?: NotifySettings | undefined,
): Promise<number> {
  const engine = createEngine(options);
  const notifier = notify === undefined ? undefined : await serviceNotifier(engine, notify, options.logger);
  // Over stdio, stdout belongs to the protocol. WSA-21
  const stdio = settings.listen === 'stdio://';
  const link = inspector === undefined ? undefined : linkTo(inspector, settings);
  if (link !== undefined && (stdio || !settings.json)) {
    (stdio ? stderr : stdout).write(inspectorBanner(link));
  }
  const output: StartOutput = stdio
    ? noOutput
    : settings.json
      ? jsonOutput(engine, link, display.pair)
      : textOutput(engine, { settings, ...display, argv: process.argv.slice(2) });
  let running = false;
  const exitCode = new Promise<number>((resolve) => {
    engine.once('stopped', (failure) => {
      const error = failure === null ? undefined : endError(failure);
      // Before the engine runs, `engine.start` rejects with the same error.
      if (error !== undefined && running) printError(error, 'start');
      resolve(error === undefined ? EXIT.ok : exitCodeOf(error));
    });
    engine.once('fault', (error) => {
      printError(error, 'start');
      void engine.stop().finally(() => resolve(EXIT.internal));
    });
  });
  if (signals.received) return EXIT.ok;
  signals.onFirst = () => {
    void notifier?.stopping();
    void engine.stop();
  };
  onFatalExit(() => engine.stop());
  const removed = onSuddenEnd(() => removeOwnFiles(locateHome(options.home)));
  try {
    await engine.start();
  } catch (error) {
    removed();
    output.stopped();
    printError(error, 'start');
    return exitCodeOf(error);
  }
  running = true;
  // A signal may have stopped it before there was anything to show.
  if (!signals.received) {
    notifier?.ready();
    output.started();
  }
  const code = await exitCode;
  await notifier?.stopping();
  removed();
  output.stopped();
  return code;
}

const linkTo = ({ link }: Inspector, { inspect }: StartSettings): InspectorLink => ({
  view: inspect?.startsWith('stately') === true ? 'stately' : 'local',
  url: link.reveal(),
});

/** Reports to systemd what the chart of the engine says; a chart that has ended gives no sign of life. RC-129 */
async function serviceNotifier(
  engine: Engine,
  settings: NotifySettings,
  logger: EngineLogger | undefined,
): Promise<ServiceNotifier> {
  const { ServiceNotifier: Notifier } = await import('./service/notify.js');
  let alive = true;
  const notifier = new Notifier(settings, {
    report: () => (alive ? engine.fullStatus.remoteControl : undefined),
    onFailure: (message) => logger?.warn({}, message),
  });
  engine.on('report', () => notifier.changed());
  for (const end of ['stopped', 'fault'] as const) {
    engine.once(end, () => {
      alive = false;
    });
  }
  return notifier;
}
