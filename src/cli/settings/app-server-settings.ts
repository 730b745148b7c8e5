import type { EngineLogger } from '../../observe/logger.js';
import type { AppServer } from '../../protocol/app-server.js';
import { EngineError } from '../../protocol/errors.js';
import { whyNotExecutable } from '../../system/find-program.js';
import { readSecretFile } from '../../system/secret-file.js';
import type { StartSettings } from './settings.js';

export interface AppServerSettings {
  /** Undefined: the built-in one. */
  readonly appServer: AppServer | undefined;
  readonly warnings: readonly string[];
}

/**
 * The app server that flags or the command after `--` ask for. A command goes before what the environment or the
 * file says.
 * @throws EngineError `usage` or `secretFileUnusable`
 */
export async function appServerSettings(given: {
  readonly settings: StartSettings;
  readonly flags: Readonly<Record<string, unknown>>;
  readonly command: readonly string[] | undefined;
  readonly logger: EngineLogger;
}): Promise<AppServerSettings> {
  const { settings, flags, command, logger: log } = given;
  const { appServer = 'builtin', appServerTokenFile, appServerMode } = settings;
  if (command !== undefined) {
    const [program, ...args] = command;
    if (program === undefined) throw wrong('After -- comes the command of the app server');
    if (flags.appServer !== undefined) throw wrong('--app-server cannot be used with a command after --');
    if (flags.appServerTokenFile !== undefined) {
      throw wrong('--app-server-token-file is for an app server at a URL, not for a command after --');
    }
    const { createAppServer } = await import('../../app-server/create.js');
    const shared = appServerMode === 'shared';
    const fault = whyNotExecutable(program);
    return {
      appServer: createAppServer({ kind: 'command', program, args, shared }, log),
      // No reason not to start: it may be there when the first client comes.
      warnings: fault === null ? [] : [`${program} ${fault}: clients are turned away until it is there.`],
    };
  }
  if (flags.appServerMode !== undefined) throw wrong('--app-server-mode needs a command after --');
  if (appServer === 'builtin') {
    if (flags.appServerTokenFile !== undefined) {
      throw wrong('--app-server-token-file needs --app-server with a URL');
    }
    return { appServer: undefined, warnings: [] };
  }
  const { createAppServer } = await import('../../app-server/create.js');
  const token =
    appServerTokenFile === undefined
      ? undefined
      : readSecretFile(appServerTokenFile, '--app-server-token-file');
  const warning = token?.warning ?? null;
  return {
    appServer: createAppServer({ kind: 'socket', url: appServer, bearer: token?.secret }, log),
    warnings: warning === null ? [] : [warning],
  };
}

const wrong = (message: string): EngineError => new EngineError('usage', `${message}.`);
