import { createEngine, type Engine, endError } from '../../engine/engine.js';
import type { EngineOptions } from '../../engine/options.js';
import { locateHome, resolveHome } from '../../home/home.js';
import type { Inspector } from '../../inspector/index.js';
import { EngineError } from '../../protocol/errors.js';
import { VERSION } from '../../protocol/version.js';
import { onFatalExit } from '../death.js';
import { listeningBanner } from '../output/listening-banner.js';
import { createLogger } from '../output/logger.js';
import { EXIT, errorOutput, exitCodeOf, printError, printJson } from '../output/output.js';
import { Progress } from '../output/progress.js';
import { accountOptionsOf, takeGivenToken } from '../settings/account-settings.js';
import { DEFAULT_LISTEN, resolveStartSettings, type StartSettings } from '../settings/settings.js';

export interface StartFlags {
  readonly home?: string | undefined;
  readonly [flag: string]: unknown;
}

/**
 * `rc-engine start`: runs an engine until it is told to stop. Answers the exit code.
 * @param command What came after `--`: the command of the app server.
 */
export async function start(flags: StartFlags, command?: readonly string[]): Promise<number> {
  // Before anything is made that would be left behind.
  const signals = new Signals();
  errorOutput.json ||= process.env.RC_ENGINE_JSON === '1' || process.env.RC_ENGINE_JSON === 'true';
  if (flags.home === '') throw new EngineError('usage', '--home must not be empty.');
  const home = locateHome(resolveHome(flags.home));
  const settings = {
    listen: DEFAULT_LISTEN,
    ...(await resolveStartSettings(flags, process.env, home.configFile)),
  } as const;
  // Over stdio, stdout belongs to the protocol. WSA-21
  errorOutput.json = settings.json === true && settings.listen !== 'stdio://';
  const logger = loggerOf(settings);
  // Everything that can be wrong with the flags is found before anything is made or listens.
  const { listenerSettings, optionsOfListener } = await import('../settings/listener-settings.js');
  const local = listenerSettings(settings);
  const { appServerSettings } = await import('../settings/app-server-settings.js');
  const appServer = await appServerSettings({ settings, flags, command, logger });
  const warnings = [...local.warnings, ...appServer.warnings];
  if (settings.baseUrl === 'embedded' && flags.authFile !== undefined) {
    warnings.push('--auth-file is not used with --base-url embedded, which has an account of its own.');
  }
  for (const warning of warnings) logger.warn({}, warning);
  const embedded =
    settings.baseUrl === 'embedded'
      ? await (await import('../embedded.js')).startEmbedded(
          flags.home ?? (process.env.RC_ENGINE_HOME || undefined),
        )
      : undefined;
  let inspector: Inspector | undefined;
  try {
    if (settings.inspect !== undefined) {
      inspector = await (await import('./inspect.js')).inspectorOf(settings.inspect);
    }
    return await run(signals, settings, inspector, {
      ...optionsOf(settings),
      ...optionsOfListener(settings, local),
      ...(appServer.appServer === undefined ? {} : { appServer: appServer.appServer }),
      ...(inspector === undefined ? {} : { watcher: inspector.watcher }),
      logger,
      returnMemory: true,
      home: embedded?.home ?? home.dir,
      ...(embedded === undefined ? {} : { baseUrl: embedded.backend.url, accessToken: embedded.accessToken }),
    });
  } finally {
    await inspector?.close();
    await embedded?.close();
  }
}

function optionsOf(settings: StartSettings): EngineOptions {
  const { baseUrl, allowHost, caCert, listen, remoteControl } = settings;
  const { clientName, authStartup, onConflict, store } = settings;
  return {
    ...accountOptionsOf(settings),
    ...takeGivenToken(process.env),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(allowHost === undefined ? {} : { allowHosts: allowHost }),
    ...(caCert === undefined ? {} : { caCert }),
    ...(listen === undefined ? {} : { listen }),
    ...(remoteControl === undefined ? {} : { remoteControl }),
    ...(clientName === undefined ? {} : { clientName }),
    ...(authStartup === undefined ? {} : { authStartup }),
    ...(onConflict === undefined ? {} : { onConflict }),
    ...(store === undefined ? {} : { store }),
  };
}

function loggerOf({ json = false, logLevel, logFormat }: StartSettings) {
  return createLogger({
    level: logLevel ?? (json ? 'info' : 'warn'),
    format: logFormat ?? (json ? 'json' : 'pretty'),
  });
}

async function run(
  signals: Signals,
  settings: StartSettings,
  inspector: Inspector | undefined,
  options: EngineOptions,
): Promise<number> {
  const engine = createEngine(options);
  const stdio = settings.listen === 'stdio://';
  const link = inspector === undefined ? undefined : linkOf(inspector, settings);
  // Over stdio, stdout belongs to the protocol. WSA-21
  if (link !== undefined && (stdio || !settings.json)) {
    const more =
      link.view === 'stately'
        ? '  It tells stately.ai the names of actors, states, events and reasons, and their times; nothing else.\n'
        : '';
    (stdio ? process.stderr : process.stdout).write(`\n  Inspector      ${link.url}\n${more}\n`);
  }
  const face = stdio ? silent : settings.json ? jsonFace(engine, link) : humanFace(engine);
  let running = false;
  const ended = new Promise<number>((resolve) => {
    engine.once('stopped', (failure) => {
      // Until it runs, a failure is what `start` rejects with.
      const error = failure === null ? undefined : endError(failure);
      if (error !== undefined && running) printError(error);
      resolve(error === undefined ? EXIT.ok : exitCodeOf(error));
    });
    engine.once('fault', (error) => {
      printError(error);
      void engine.stop().finally(() => resolve(EXIT.internal));
    });
  });
  if (signals.asked) return EXIT.ok;
  signals.onFirst = () => void engine.stop();
  onFatalExit(() => engine.stop());
  try {
    await engine.start();
  } catch (error) {
    face.end();
    printError(error);
    return exitCodeOf(error);
  }
  running = true;
  await Promise.race([face.started(settings), ended]);
  const code = await ended;
  face.end();
  return code;
}

interface InspectorLink {
  readonly view: 'local' | 'stately';
  readonly url: string;
}

const linkOf = ({ link }: Inspector, { inspect }: StartSettings): InspectorLink => ({
  view: inspect?.startsWith('stately') === true ? 'stately' : 'local',
  url: link.reveal(),
});

interface Face {
  started(settings: StartSettings): Promise<void>;
  end(): void;
}

const silent: Face = { started: async () => {}, end: () => {} };

/** RFC: one object a line; `started` first, then `status` at each change. */
function jsonFace(engine: Engine, link: InspectorLink | undefined): Face {
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
  // The one line that holds the connect URL. WSA-5
  engine.on('listening', ({ url, connectUrl, authMode, enforced }) => {
    // The URL that opens the door comes first: a reader that takes the first URL it sees takes the right one.
    listening = { type: 'listening', connectUrl: connectUrl.reveal(), url, authMode, enforced };
  });
  return {
    started: async () => {
      started = true;
      const { home, pid, remoteControl } = engine.fullStatus;
      const { serverName, installationId, baseUrl } = remoteControl;
      printJson({ type: 'started', version: VERSION, pid, home, serverName, installationId, baseUrl });
      if (listening !== undefined) printJson(listening);
      listening = undefined;
      if (link !== undefined) printJson({ type: 'inspector', ...link });
      for (const line of waiting) printJson(line);
    },
    end: () => {},
  };
}

function humanFace(engine: Engine): Face {
  const progress = new Progress(process.stdout);
  engine.on('report', (report) => progress.show(report));
  engine.on('listening', (info) => {
    progress.settle();
    process.stdout.write(listeningBanner(info));
  });
  return {
    started: async (settings) => {
      const { introduce } = await import('../output/introduce.js');
      await introduce(engine, settings, progress);
    },
    end: () => progress.settle(),
  };
}

/** The first signal stops in good order, a second one at once. RC-46 */
class Signals {
  asked = false;
  onFirst: () => void = () => {};

  constructor() {
    const onSignal = (signal: NodeJS.Signals) => {
      if (this.asked) {
        // Dies by the signal: an ordinary exit would wait for threads, such as one that waits for a database.
        process.removeAllListeners(signal);
        process.kill(process.pid, signal);
        return;
      }
      this.asked = true;
      this.onFirst();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
    // Node would open its debugger on a port, to whoever is on this machine.
    process.on('SIGUSR1', () => {});
  }
}
