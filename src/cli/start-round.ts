/**
 * One run of an engine in a process of `start`, from its settings to its end. `rc-engine restart` begins the next round in the
 * same process where no service manager runs it: the same command line, the same variables, the same terminal. RC-122
 */
import { existsSync } from 'node:fs';
import type { EngineOptions } from '../engine/options.js';
import type { Home } from '../home/home.js';
import { hubsFile } from '../home/hub-sign-ins.js';
import type { EngineLogger } from '../observe/logger.js';
import { usageError } from './errors.js';
import type { LogFile } from './output/log-file.js';
import { accountOptions } from './settings/account-settings.js';
import { DEFAULT_HISTORY_SIZE, DEFAULT_LISTEN, type StartSettings } from './settings/start-settings.js';

export interface StartFlags {
  readonly home?: string | undefined;
  readonly [flag: string]: unknown;
}

interface Given {
  readonly flags: StartFlags;
  /** The command after `--`. */
  readonly command: readonly string[] | undefined;
  /** Variables that may hold a secret are taken out of it. */
  readonly env: NodeJS.ProcessEnv;
  readonly home: Home;
}

/** Everything that can be wrong with the settings has been found; nothing runs yet. */
export interface Round {
  readonly settings: StartSettings;
  readonly options: EngineOptions;
  readonly logger: EngineLogger;
  readonly warnings: readonly string[];
  /** Closes what it opened. */
  close(): void;
}

/** @throws EngineError `usage`, `configInvalid` or `secretFileUnusable` */
export async function prepareRound({ flags, command, env, home }: Given): Promise<Round> {
  const { resolveStartSettings } = await import('./settings/resolve-settings.js');
  const settings = {
    listen: DEFAULT_LISTEN,
    ...(await resolveStartSettings(flags, env, home.configFile)),
  } as const;
  // Only a home that is signed in at a hub has the file.
  const hub = existsSync(hubsFile(home.dir))
    ? (await import('./hub-sign-in.js')).hubAccessOf(home.dir, settings.baseUrl)
    : undefined;
  const stdio = settings.listen === 'stdio://';
  if (flags.pair === true) refusePairing(settings);
  const json = settings.json === true && !stdio;
  const { logger, file } = await loggerFor(settings, !stdio && flags.verbose !== true);
  try {
    const { listenerOptions } = await import('./settings/listener-options.js');
    const listener = listenerOptions(settings);
    const { appServerOption } = await import('./settings/app-server-option.js');
    const { appServer, warnings } = await appServerOption({ settings, flags, command, logger });
    return {
      settings: { ...settings, json },
      options: {
        ...engineOptions(settings),
        ...(hub === undefined
          ? {}
          : { accessToken: hub.accessToken, allowHosts: [...(settings.allowHost ?? []), hub.allowHost] }),
        ...listener.options,
        ...(appServer === undefined ? {} : { appServer }),
      },
      logger,
      warnings: [...listener.warnings, ...warnings, ...unusedFlags(settings, flags)],
      close: () => file?.close(),
    };
  } catch (error) {
    file?.close();
    throw error;
  }
}

/** Settings that only a new process can take. @throws EngineError `usage` */
export function checkNextRound(now: StartSettings, next: StartSettings): void {
  for (const name of ['listen', 'baseUrl'] as const) {
    const special = name === 'listen' ? 'stdio://' : 'embedded';
    if ((now[name] === special) === (next[name] === special)) continue;
    throw usageError(
      `A restart cannot change ${name} from ${now[name] ?? 'its default'} to ${next[name] ?? 'its default'}.`,
      'Stop the engine, and start it again.',
    );
  }
  if (now.listen !== 'stdio://') return;
  throw usageError(
    'An engine with --listen stdio:// cannot restart: its client would lose its conversation.',
    'Let the program that started it start another one.',
  );
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
  const { maxRemoteClients, maxChildren, historySize = DEFAULT_HISTORY_SIZE, historyDays } = settings;
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
    historySize,
    ...(historyDays === undefined ? {} : { historyDays }),
  };
}

async function loggerFor(
  { json = false, logLevel, logFormat, logFile }: StartSettings,
  hasScreen: boolean,
): Promise<{ readonly logger: EngineLogger; readonly file: LogFile | undefined }> {
  const { createLogger } = await import('./output/logger.js');
  const { stderr, stdout } = await import('./output/terminal.js');
  // A level that was set applies as it is.
  const besideScreen = hasScreen && !json && logLevel === undefined && stdout.overwrites && stderr.isTTY;
  const file =
    logFile === undefined ? undefined : new (await import('./output/log-file.js')).LogFile(logFile);
  const logger = createLogger({
    level: logLevel ?? (json ? 'info' : 'warn'),
    format: logFormat ?? (json ? 'json' : 'pretty'),
    besideScreen,
    file,
  });
  return { logger, file };
}

const unusedFlags = (settings: StartSettings, flags: StartFlags): string[] =>
  settings.baseUrl === 'embedded' && flags.authFile !== undefined
    ? ['--auth-file has no effect with --base-url embedded, which has an account of its own.']
    : [];
