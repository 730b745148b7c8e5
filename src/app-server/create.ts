import type { EngineLogger } from '../observe/logger.js';
import { protocolOfCommand } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Secret } from '../protocol/secret.js';
import { makeCodexHome } from './codex-home.js';
import { CommandConnector } from './command.js';
import { sharingOf } from './recognize.js';
import { SharedConnector } from './shared.js';
import { SocketConnector } from './socket.js';
import { systemPlaces } from './socket-directory.js';
import { SupervisedAppServer } from './supervisor.js';

export { temporaryDirectoryProblem } from './socket-directory.js';

/** An app server for `createAppServer`: a socket to connect to, or a command to run. */
export type AppServerSpec =
  /** `ws://`, `wss://` or `unix://`: one socket per client. */
  | { readonly kind: 'socket'; readonly url: string; readonly bearer: Secret | undefined }
  /**
   * A command. `shared`: one child process serves all clients and listens on a socket; when it does not listen, each
   * client gets its own. Default: true for `codex app-server` and for a command with `{socket}` in its arguments.
   */
  | {
      readonly kind: 'command';
      readonly program: string;
      readonly args: readonly string[];
      readonly shared?: boolean | undefined;
    };

/** Creates an app server. Nothing is started or connected before an engine starts with it. */
export function createAppServer(spec: AppServerSpec, log: EngineLogger): AppServer {
  if (spec.kind === 'socket') {
    const connector = new SocketConnector({
      url: spec.url,
      bearer: spec.bearer,
      onSkipped: (why, fields) => log.warn(fields, why),
    });
    return new SupervisedAppServer({
      ...{ name: connector.name, log, perClient: connector },
      ...{ mode: 'socket', modeReason: 'it runs by itself; each client has its own connection' },
    });
  }
  const command = { program: spec.program, args: spec.args };
  const words = [spec.program, ...spec.args];
  const { shared, reason } = sharingOf(words, spec.shared);
  const protocol = protocolOfCommand(spec.program, spec.args);
  const prepare = protocol === 'codex' ? () => makeCodexHome(process.env) : undefined;
  return new SupervisedAppServer({
    ...{ name: words.join(' '), log, perClient: new CommandConnector(command, log) },
    protocol,
    ...{ mode: shared ? 'shared' : 'perClient', modeReason: reason },
    ...(shared
      ? {
          shared: ({ home, onExit }) =>
            new SharedConnector({ command, log, places: systemPlaces(home), onExit, prepare }),
        }
      : {}),
  });
}
