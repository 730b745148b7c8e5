import type { IncomingMessage } from 'node:http';
import { HttpError, headerOf, requireBearer, requireHeader, unauthorized } from './http.js';
import { hashToken, type Identities } from './identities.js';
import { SERVER_NOT_FOUND } from './routes.js';
import type { ControllerRecord, ServerRecord, Store } from './store.js';

const PROTOCOL_VERSION = '3';

interface ServerUpgrade {
  readonly server: ServerRecord;
  readonly cursor: string | undefined;
}

/** What the upgrade request of a server says. */
export interface ServerUpgradeRequest {
  readonly token: string;
  readonly serverId: string;
  readonly name: string;
  readonly installationId: string;
  readonly cursor: string | undefined;
}

/** Reads the headers of an upgrade request of a server. Throws HttpError 400 and 401. RC-17 */
export function readServerUpgrade(request: IncomingMessage): ServerUpgradeRequest {
  const token = requireBearer(request);
  const serverId = requireHeader(request, 'x-codex-server-id');
  const name = decodeName(requireHeader(request, 'x-codex-name'));
  if (requireHeader(request, 'x-codex-protocol-version') !== PROTOCOL_VERSION) {
    throw new HttpError(400, `The protocol version must be ${PROTOCOL_VERSION}`);
  }
  const installationId = requireHeader(request, 'x-codex-installation-id');
  return { token, serverId, name, installationId, cursor: headerOf(request, 'x-codex-subscribe-cursor') };
}

/** Checks the upgrade request of a server. Throws HttpError. RC-17, RC-19, RC-20 */
export function authenticateServer(
  request: IncomingMessage,
  store: Store,
  identities: Identities,
): ServerUpgrade {
  const { token, serverId, name, installationId, cursor } = readServerUpgrade(request);
  const server = store.servers.get(serverId);
  if (server === undefined) throw new HttpError(404, SERVER_NOT_FOUND);
  const owner = identities.serverOf(token);
  if (owner === undefined) throw unauthorized();
  if (owner !== server) throw new HttpError(403, 'The token belongs to another server');
  if (server.installationId !== installationId)
    throw new HttpError(403, 'The installation id does not match');
  server.name = name;
  return { server, cursor };
}

/** Finds the controller that owns the bearer token of an upgrade request. Throws HttpError 401. */
export function authenticateController(request: IncomingMessage, store: Store): ControllerRecord {
  const hash = hashToken(requireBearer(request));
  for (const controller of store.controllers.values()) if (controller.tokenHash === hash) return controller;
  throw unauthorized();
}

function decodeName(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  const name = bytes.toString('utf8');
  if (bytes.toString('base64') !== text || !Buffer.from(name).equals(bytes)) {
    throw new HttpError(400, 'The header x-codex-name is not base64 of UTF-8 text');
  }
  return name;
}
