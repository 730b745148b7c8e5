import type { IncomingMessage } from 'node:http';
import { hashOf } from './credentials.js';
import { headerOf, Refusal, requireBearer, requireHeader, unauthorized } from './http.js';
import type { Identities } from './identities.js';
import { SERVER_GONE } from './routes.js';
import type { ClientRecord, ServerRecord, Store } from './store.js';

const PROTOCOL_VERSION = '3';

export interface ServerUpgrade {
  readonly server: ServerRecord;
  readonly cursor: string | undefined;
}

/** Checks the handshake of a server. Throws Refusal. RC-17, RC-19, RC-20 */
export function checkServerUpgrade(
  request: IncomingMessage,
  store: Store,
  identities: Identities,
): ServerUpgrade {
  const token = requireBearer(request);
  const serverId = requireHeader(request, 'x-codex-server-id');
  const name = decodeName(requireHeader(request, 'x-codex-name'));
  if (requireHeader(request, 'x-codex-protocol-version') !== PROTOCOL_VERSION) {
    throw new Refusal(400, `The protocol version must be ${PROTOCOL_VERSION}`);
  }
  const installationId = requireHeader(request, 'x-codex-installation-id');

  const server = store.servers.get(serverId);
  if (server === undefined) throw new Refusal(404, SERVER_GONE);
  const owner = identities.serverOf(token);
  if (owner === undefined) throw unauthorized();
  if (owner !== server) throw new Refusal(403, 'The token belongs to another server');
  if (server.installationId !== installationId) throw new Refusal(403, 'The installation id does not match');
  server.name = name;
  return { server, cursor: headerOf(request, 'x-codex-subscribe-cursor') };
}

/** Checks the handshake of a controller. Throws Refusal. */
export function checkControllerUpgrade(request: IncomingMessage, store: Store): ClientRecord {
  const hash = hashOf(requireBearer(request));
  for (const client of store.clients.values()) if (client.tokenHash === hash) return client;
  throw unauthorized();
}

function decodeName(text: string): string {
  const bytes = Buffer.from(text, 'base64');
  const name = bytes.toString('utf8');
  if (bytes.toString('base64') !== text || !Buffer.from(name).equals(bytes)) {
    throw new Refusal(400, 'The header x-codex-name is not base64 of a text');
  }
  return name;
}
