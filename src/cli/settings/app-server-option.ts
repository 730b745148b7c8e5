import type { EngineLogger } from '../../observe/logger.js';
import type { AppServer } from '../../protocol/app-server.js';
import { whyNotExecutable } from '../../system/processes.js';
import { readSecretFile } from '../../system/secret-file.js';
import { usageError } from '../errors.js';
import type { StartSettings } from './start-settings.js';

interface AppServerOption {
  /** Undefined: the built-in one. */
  readonly appServer: AppServer | undefined;
  readonly warnings: readonly string[];
}

interface Given {
  readonly settings: StartSettings;
  /** Flags of the command line alone, which a command after `--` must not contradict. */
  readonly flags: Readonly<Record<string, unknown>>;
  /** The command after `--`. */
  readonly command: readonly string[] | undefined;
  readonly logger: EngineLogger;
}

/**
 * The app server that the settings or the command after `--` name. The command takes precedence over the environment
 * and the configuration file.
 * @throws EngineError `usage` or `secretFileUnusable`
 */
export async function appServerOption({ settings, flags, command, logger }: Given): Promise<AppServerOption> {
  const { appServer = 'builtin', appServerTokenFile, appServerMode } = settings;
  if (command !== undefined) {
    const [program, ...args] = command;
    if (program === undefined || program.trim() === '') {
      throw usageError(
        `The command after -- is ${program === undefined ? 'missing' : 'empty'}.`,
        'Add the command of the app server: rc-engine start -- codex app-server',
      );
    }
    refuseWithCommand(flags);
    const { createAppServer, temporaryDirectoryProblem } = await import('../../app-server/create.js');
    const problem = whyNotExecutable(program);
    if (problem !== null) {
      throw usageError(
        `The app server cannot be started: ${program} ${problem}.`,
        'Check the command after --: its name, its path and its permissions.',
      );
    }
    // The background server of Codex CLI is one for all its clients. WSA-56
    const mode = appServerMode ?? (settings.listen === 'codex' ? 'shared' : undefined);
    const shared = mode === undefined ? undefined : mode === 'shared';
    const tmp = temporaryDirectoryProblem();
    return {
      appServer: createAppServer({ kind: 'command', program, args, shared }, logger),
      warnings: tmp === null ? [] : [tmp],
    };
  }
  if (flags.appServerMode !== undefined) {
    throw usageError(
      '--app-server-mode needs a command after --.',
      'Add the command of the app server: rc-engine start --app-server-mode shared -- codex app-server',
    );
  }
  if (appServer === 'builtin') {
    if (flags.appServerProtocol !== undefined) {
      throw usageError(
        '--app-server-protocol needs an app server.',
        'Add its command after --, or --app-server with a URL.',
      );
    }
    if (flags.appServerTokenFile !== undefined) {
      throw usageError(
        '--app-server-token-file needs --app-server with a URL.',
        'Add --app-server ws://HOST:PORT.',
      );
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
    appServer: createAppServer({ kind: 'socket', url: appServer, bearer: token?.secret }, logger),
    warnings: warning === null ? [] : [warning],
  };
}

function refuseWithCommand(flags: Given['flags']): void {
  if (flags.appServer !== undefined) {
    throw usageError('--app-server cannot be used with a command after --.', 'Remove one of the two.');
  }
  if (flags.appServerTokenFile !== undefined) {
    throw usageError(
      '--app-server-token-file cannot be used with a command after --: it is for an app server at a URL.',
      'Remove --app-server-token-file.',
    );
  }
}
