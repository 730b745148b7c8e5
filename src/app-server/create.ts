import type { EngineLogger } from '../observe/logger.js';
import { protocolOfCommand } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import type { Secret } from '../protocol/secret.js';
import { UpstreamBreaker } from './breaker.js';
import { CommandAppServer } from './command.js';
import { SharedAppServer } from './shared.js';
import { SocketAppServer } from './socket.js';

/** An app server for `createAppServer`: a socket to connect to, or a command to run. */
export type AppServerSpec =
  /** `ws://`, `wss://` or `unix://`: one socket per client. */
  | { readonly kind: 'socket'; readonly url: string; readonly bearer: Secret | undefined }
  /** A command: one child process per client, or with `shared` one for all, which listens on a socket. */
  | {
      readonly kind: 'command';
      readonly program: string;
      readonly args: readonly string[];
      readonly shared: boolean;
    };

/** Creates an app server. Nothing is started or connected before the first client opens a connection. */
export function createAppServer(spec: AppServerSpec, log: EngineLogger): AppServer {
  if (spec.kind === 'command') {
    const server = spec.shared ? new SharedAppServer(spec, log) : new CommandAppServer(spec, log);
    return Object.assign(server, { protocol: protocolOfCommand(spec.program, spec.args) });
  }
  return new SocketAppServer({
    url: spec.url,
    bearer: spec.bearer,
    breaker: new UpstreamBreaker(),
    onFailed: (why) => log.warn({ app: spec.kind }, why),
    onSkipped: (why, fields) => log.warn(fields, why),
  });
}
