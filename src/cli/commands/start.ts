import type { EngineOptions } from '../../engine/options.js';
import type { Inspector } from '../../inspector/index.js';
import { AttachableWatcher } from '../../observe/attachable-watcher.js';
import { EngineError } from '../../protocol/errors.js';
import { checkOpenFileLimit } from '../../system/open-files.js';
import { usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION } from '../parser/command.js';
import { takeAccessToken } from '../settings/account-settings.js';
import { START_SETTINGS } from '../settings/start-settings.js';
import { StopSignals } from '../signals.js';
import { checkNextRound, prepareRound, type Round, type StartFlags } from '../start-round.js';

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
  checkOpenFileLimit();
  const { checkHome, locateHome, resolveHome } = await import('../../home/home.js');
  const home = locateHome(resolveHome(flags.home));
  // First: another user who can change it could have written its configuration file.
  checkHome(home.dir);
  // A restart resolves the same settings once more.
  const variables = { ...process.env };
  let round = await prepareRound({ flags, command, env: process.env, home });
  const { json = false, listen, baseUrl } = round.settings;
  errorOutput.json = json;
  // Over stdio, stdout belongs to the protocol. WSA-21
  runWithoutOutput(listen === 'stdio://' ? 'protocol' : json ? 'json' : 'text');
  const givenHome = flags.home ?? (process.env.RC_ENGINE_HOME || undefined);
  const { runEngine } = await import('../run-engine.js');
  const embedded =
    baseUrl === 'embedded'
      ? await (await import('../embedded.js')).startEmbeddedBackend(givenHome)
      : undefined;
  const fixed: EngineOptions = {
    ...accessToken,
    returnMemory: true,
    home: embedded?.home ?? home.dir,
    ...(embedded === undefined ? {} : { baseUrl: embedded.backend.url, accessToken: embedded.accessToken }),
  };
  try {
    for (let first = true; ; first = false) {
      const current = round;
      let next: Round | undefined;
      const prepareNext = async (): Promise<void> => {
        if (notify !== undefined) throw new EngineError('notManaged', BY_ITS_MANAGER);
        const prepared = await prepareRound({ flags, command, env: { ...variables }, home });
        try {
          checkNextRound(current.settings, prepared.settings);
        } catch (error) {
          prepared.close();
          throw error;
        }
        next?.close();
        next = prepared;
      };
      const display = { verbose: flags.verbose === true, pair: flags.pair === true && first };
      const code = await runRound(current, { ...fixed, onRestart: prepareNext }, (options, inspector) =>
        runEngine(options, current.settings, signals, inspector, display, notify),
      );
      const following: Round | undefined = next;
      if (following === undefined || signals.received || code !== 0) {
        following?.close();
        return code;
      }
      round = following;
      if (round.settings.json === true) printJson({ type: 'restarting' });
      else stdout.print('Starting again, as rc-engine restart asks.');
    }
  } finally {
    await embedded?.close();
  }
}

const BY_ITS_MANAGER = 'A service manager runs this engine, so that only the manager can restart it.';

/** Runs one engine with its inspector, and closes what the round opened. */
async function runRound(
  { settings, options, logger, warnings, close }: Round,
  fixed: EngineOptions,
  run: (options: EngineOptions, inspector: Inspector | undefined) => Promise<number>,
): Promise<number> {
  let inspector: Inspector | undefined;
  let attachable: AttachableWatcher | undefined;
  try {
    for (const warning of warnings) logger.warn({}, warning);
    if (settings.inspect !== undefined) {
      inspector = await (await import('./inspect.js')).startInspector(settings.inspect);
    }
    // Costs next to nothing until rc-engine inspect --attach asks for it.
    const watcher =
      inspector?.watcher ??
      new AttachableWatcher(async (port) => (await import('./inspect.js')).attachInspector(port));
    if (watcher instanceof AttachableWatcher) attachable = watcher;
    return await run({ ...options, watcher, logger, ...fixed }, inspector);
  } finally {
    await inspector?.close();
    await attachable?.close();
    close();
  }
}
