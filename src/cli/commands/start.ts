import type { EngineOptions } from '../../engine/options.js';
import type { Inspector } from '../../inspector/index.js';
import { usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { errorOutput } from '../output/print.js';
import { defineCommand, HOME_OPTION } from '../parser/command.js';
import { accountOptions, takeAccessToken } from '../settings/account-settings.js';
import { DEFAULT_LISTEN, START_SETTINGS, type StartSettings } from '../settings/start-settings.js';
import { StopSignals } from '../signals.js';

export const start = defineCommand({
  name: 'start',
  description: 'Start an engine and run it until Ctrl-C',
  notes:
    'A command after -- is the app server. Without it and without --app-server, a built-in app server answers.\n' +
    'Ctrl-C stops the engine in good order; a second Ctrl-C stops it at once.\n' +
    'Precedence of settings: flag, environment variable, key in config.json of the home directory.',
  settings: START_SETTINGS.map(({ name }) => name),
  options: {
    ...HOME_OPTION,
    'no-remote-control': { type: 'boolean', description: 'The same as --remote-control off' },
    pair: {
      type: 'boolean',
      description: 'Show a pairing code once connected, with a QR code on a terminal',
    },
    verbose: { type: 'boolean', description: 'Also show each state on the way' },
  },
  examples: [
    ['start --base-url embedded', 'Try it out with a backend in the same process'],
    ['start -- codex app-server', 'Start one Codex app server for each client'],
    ['start -- npx -y @modelcontextprotocol/server-everything', 'Serve an MCP server: docs/agents.md'],
    ['start --auth-file ~/.codex/auth.json -- codex app-server', 'Use the sign-in of Codex CLI'],
    ['start --listen codex -- codex app-server', 'Be the local background server of Codex CLI'],
    ['start --json --listen off --auth-startup recoverable', 'Run as a service, for controllers only'],
  ],
  run: async (args, appServerCommand) => {
    const off = args.noRemoteControl === true;
    if (off && args.remoteControl !== undefined && args.remoteControl !== 'off') {
      throw usageError(
        `--no-remote-control and --remote-control ${String(args.remoteControl)} contradict each other.`,
        'Remove one of the two.',
      );
    }
    const flags = off ? { ...args, remoteControl: 'off' } : args;
    return runStart(flags, appServerCommand);
  },
});

interface StartFlags {
  readonly home?: string | undefined;
  readonly [flag: string]: unknown;
}

async function runStart(flags: StartFlags, command: readonly string[] | undefined): Promise<number> {
  // First: from here on there may be something to clean up when a signal comes.
  const signals = new StopSignals();
  errorOutput.json ||= process.env.RC_ENGINE_JSON === '1' || process.env.RC_ENGINE_JSON === 'true';
  // Before anything starts a process that would inherit it.
  const accessToken = takeAccessToken(process.env);
  const notify =
    process.env.NOTIFY_SOCKET === undefined
      ? undefined
      : (await import('../service/notify.js')).takeNotifySettings(process.env, process.pid);
  if (flags.home === '') {
    throw usageError('--home must not be empty.', 'Name a directory, or leave it out to use ~/.rc-engine.');
  }
  const { checkHome, locateHome, resolveHome } = await import('../../home/home.js');
  const { resolveStartSettings } = await import('../settings/resolve-settings.js');
  const home = locateHome(resolveHome(flags.home));
  // First: another user who can change it could have written its configuration file.
  checkHome(home.dir);
  const settings = {
    listen: DEFAULT_LISTEN,
    ...(await resolveStartSettings(flags, process.env, home.configFile)),
  } as const;
  // Over stdio, stdout belongs to the protocol. WSA-21
  const stdio = settings.listen === 'stdio://';
  if (flags.pair === true) refusePairing(settings);
  errorOutput.json = settings.json === true && !stdio;
  runWithoutOutput(stdio ? 'protocol' : errorOutput.json ? 'json' : 'text');
  const logger = await loggerFor(settings, !stdio && flags.verbose !== true);
  // Everything that can be wrong with the settings is found before anything is created or listens.
  const { listenerOptions } = await import('../settings/listener-options.js');
  const listener = listenerOptions(settings);
  const { appServerOption } = await import('../settings/app-server-option.js');
  const { appServer, warnings } = await appServerOption({ settings, flags, command, logger });
  for (const warning of [...listener.warnings, ...warnings, ...unusedFlags(settings, flags)]) {
    logger.warn({}, warning);
  }
  const { runEngine } = await import('../run-engine.js');
  const givenHome = flags.home ?? (process.env.RC_ENGINE_HOME || undefined);
  const embedded =
    settings.baseUrl === 'embedded'
      ? await (await import('../embedded.js')).startEmbeddedBackend(givenHome)
      : undefined;
  let inspector: Inspector | undefined;
  try {
    if (settings.inspect !== undefined) {
      inspector = await (await import('./inspect.js')).startInspector(settings.inspect);
    }
    const options: EngineOptions = {
      ...engineOptions(settings),
      ...accessToken,
      ...listener.options,
      ...(appServer === undefined ? {} : { appServer }),
      ...(inspector === undefined ? {} : { watcher: inspector.watcher }),
      logger,
      returnMemory: true,
      home: embedded?.home ?? home.dir,
      ...(embedded === undefined ? {} : { baseUrl: embedded.backend.url, accessToken: embedded.accessToken }),
    };
    const display = { verbose: flags.verbose === true, pair: flags.pair === true };
    return await runEngine(options, settings, signals, inspector, display, notify);
  } finally {
    await inspector?.close();
    await embedded?.close();
  }
}

function refusePairing({ remoteControl, listen }: StartSettings): void {
  if (remoteControl === 'off') {
    throw usageError('--pair needs remote control, which is off.', 'Remove --pair, or switch it on.');
  }
  if (listen === 'stdio://') {
    throw usageError(
      '--pair cannot be used with --listen stdio://, where stdout belongs to the client.',
      'Run rc-engine pair in another terminal.',
    );
  }
}

function engineOptions(settings: StartSettings): EngineOptions {
  const { baseUrl, allowHost, caCert, listen, remoteControl } = settings;
  const { clientName, authStartup, onConflict, store, appServerProtocol } = settings;
  const { maxRemoteClients, maxChildren } = settings;
  return {
    ...accountOptions(settings),
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(allowHost === undefined ? {} : { allowHosts: allowHost }),
    ...(caCert === undefined ? {} : { caCert }),
    ...(listen === undefined ? {} : { listen }),
    ...(remoteControl === undefined ? {} : { remoteControl }),
    ...(clientName === undefined ? {} : { clientName }),
    ...(authStartup === undefined ? {} : { authStartup }),
    ...(onConflict === undefined ? {} : { onConflict }),
    ...(store === undefined ? {} : { store }),
    ...(maxRemoteClients === undefined ? {} : { maxRemoteClients }),
    ...(maxChildren === undefined ? {} : { maxChildren }),
    ...(appServerProtocol === undefined ? {} : { appServerProtocol }),
  };
}

async function loggerFor({ json = false, logLevel, logFormat, logFile }: StartSettings, hasScreen: boolean) {
  const { createLogger } = await import('../output/logger.js');
  const { stderr, stdout } = await import('../output/terminal.js');
  // A level that was set applies as it is.
  const besideScreen = hasScreen && !json && logLevel === undefined && stdout.overwrites && stderr.isTTY;
  return createLogger({
    level: logLevel ?? (json ? 'info' : 'warn'),
    format: logFormat ?? (json ? 'json' : 'pretty'),
    besideScreen,
    file: logFile === undefined ? undefined : new (await import('../output/log-file.js')).LogFile(logFile),
  });
}

const unusedFlags = (settings: StartSettings, flags: StartFlags): string[] =>
  settings.baseUrl === 'embedded' && flags.authFile !== undefined
    ? ['--auth-file has no effect with --base-url embedded, which has an account of its own.']
    : [];
