import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { isAccountToken } from './credentials.js';
import type { EventDetail } from './events.js';
import type { FaultRoute } from './faults.js';
import { type Answer, parseBody, Refusal, requireBearer, requireHeader, unauthorized } from './http.js';
import type { Grant, Identities } from './identities.js';
import { type AccountPolicy, BASE_PATH } from './options.js';
import type { GivenCode, Pairing } from './pairing.js';
import type { ClientRecord, ServerRecord, Store } from './store.js';

/** What the reference takes for "this identity is gone, enroll again". RC-20 */
export const SERVER_GONE = 'Remote app server not found';

const CONTROL = `${BASE_PATH}/wham/remote/control`;
export const SERVER_SOCKET_PATH = `${CONTROL}/server`;
export const CONTROLLER_SOCKET_PATH = `${CONTROL}/client`;
const CLIENTS_PATH = new RegExp(`^${CONTROL}/environments/([^/]+)/clients(?:/([^/]+))?$`);
const POSTS: Readonly<Record<string, FaultRoute>> = {
  [`${CONTROL}/server/enroll`]: 'enroll',
  [`${CONTROL}/server/refresh`]: 'refresh',
  [`${CONTROL}/server/pair`]: 'pair',
  [`${CONTROL}/server/pair/status`]: 'pairStatus',
  [`${CONTROL}/client/claim`]: 'claim',
};
const DEFAULT_PAGE = 50;

const Text = v.pipe(v.string(), v.nonEmpty(), v.maxLength(1_024));
const EnrollBody = v.object({
  name: Text,
  os: Text,
  arch: Text,
  app_server_version: Text,
  installation_id: Text,
});
const RefreshBody = v.object({ server_id: Text, installation_id: Text });
const PairBody = v.object({ manual_code: v.boolean() });
const CodeMembers = { pairing_code: v.nullish(Text), manual_pairing_code: v.nullish(Text) };
const PairStatusBody = v.object(CodeMembers);
const ClaimBody = v.object({ ...CodeMembers, display_name: v.nullish(v.pipe(v.string(), v.maxLength(200))) });

/** A matched request. */
export interface Call {
  readonly route: FaultRoute;
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly environmentId: string;
  readonly clientId: string;
}
export interface Reply extends Answer {
  /** For the event record. */
  readonly detail?: EventDetail;
}

/** Finds the route. Throws Refusal 404 or 405. */
export function matchRoute(request: IncomingMessage, url: URL): Call {
  const { method } = request;
  const post = POSTS[url.pathname];
  const call = { request, query: url.searchParams, environmentId: '', clientId: '' };
  if (post !== undefined) {
    if (method !== 'POST') throw new Refusal(405, 'Method Not Allowed', { allow: 'POST' });
    return { ...call, route: post };
  }
  const clients = CLIENTS_PATH.exec(url.pathname);
  if (clients === null) throw new Refusal(404, 'Not Found');
  const environmentId = decodePart(clients[1] ?? '');
  if (clients[2] === undefined) {
    if (method !== 'GET') throw new Refusal(405, 'Method Not Allowed', { allow: 'GET' });
    return { ...call, route: 'clients', environmentId };
  }
  if (method !== 'DELETE') throw new Refusal(405, 'Method Not Allowed', { allow: 'DELETE' });
  return { ...call, route: 'revoke', environmentId, clientId: decodePart(clients[2]) };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Refusal(400, 'The path is not valid');
  }
}

export interface RouteParts {
  readonly accounts: AccountPolicy;
  readonly store: Store;
  readonly identities: Identities;
  readonly pairing: Pairing;
  /** A client was revoked: end its sockets. */
  readonly onRevoked: (client: ClientRecord) => void;
}

/** The HTTP side of the protocol: RC-9, RC-10, RC-47 to RC-49, and claiming, which is ours. */
export class Routes {
  readonly #parts: RouteParts;

  constructor(parts: RouteParts) {
    this.#parts = parts;
  }

  /** Throws Refusal. */
  answer(call: Call, body: string): Reply {
    switch (call.route) {
      case 'enroll':
        return this.#enroll(call, body);
      case 'refresh':
        return this.#refresh(call, body);
      case 'pair':
        return this.#pair(call, body);
      case 'pairStatus':
        return this.#pairStatus(call, body);
      case 'claim':
        return this.#claim(body);
      case 'clients':
        return this.#clients(call);
      case 'revoke':
        return this.#revoke(call);
      case 'socket':
      case 'controllerSocket':
        throw new Refusal(426, 'Upgrade Required', { upgrade: 'websocket' });
    }
  }

  #enroll({ request }: Call, body: string): Reply {
    const accountId = this.#requireAccount(request);
    const installationId = requireHeader(request, 'x-codex-installation-id');
    const wanted = parseBody(EnrollBody, body);
    requireSame(installationId, wanted.installation_id);
    return granted(
      this.#parts.identities.enroll({
        accountId,
        installationId,
        name: wanted.name,
        os: wanted.os,
        arch: wanted.arch,
        appServerVersion: wanted.app_server_version,
      }),
    );
  }

  #refresh({ request }: Call, body: string): Reply {
    const accountId = this.#requireAccount(request);
    const installationId = requireHeader(request, 'x-codex-installation-id');
    const wanted = parseBody(RefreshBody, body);
    requireSame(installationId, wanted.installation_id);
    const server = this.#parts.identities.find(wanted.server_id, accountId);
    if (server === undefined) throw new Refusal(404, SERVER_GONE);
    requireSame(installationId, server.installationId);
    return granted(this.#parts.identities.grant(server));
  }

  #pair({ request }: Call, body: string): Reply {
    const server = this.#requireServer(request);
    const { manual_code: withManualCode } = parseBody(PairBody, body);
    const started = this.#parts.pairing.start(server, withManualCode);
    return {
      status: 200,
      body: {
        pairing_code: started.pairingCode.reveal(),
        manual_pairing_code: started.manualPairingCode?.reveal() ?? null,
        server_id: server.serverId,
        environment_id: server.environmentId,
        expires_at: new Date(started.expiresAt).toISOString(),
      },
      detail: { environmentId: server.environmentId, manualCode: withManualCode },
    };
  }

  #pairStatus({ request }: Call, body: string): Reply {
    const server = this.#requireServer(request);
    const claimed = this.#parts.pairing.isClaimed(server, codeOf(parseBody(PairStatusBody, body)));
    if (claimed === undefined) throw new Refusal(404, 'Pairing code not found');
    return { status: 200, body: { claimed }, detail: { environmentId: server.environmentId, claimed } };
  }

  #claim(body: string): Reply {
    const wanted = parseBody(ClaimBody, body);
    const result = this.#parts.pairing.claim(codeOf(wanted), wanted.display_name ?? null);
    switch (result.kind) {
      case 'unknownCode':
        throw new Refusal(404, 'Pairing code not found');
      case 'tooManyTries':
        throw new Refusal(429, 'Too many wrong pairing codes', {
          'retry-after': String(result.retryAfterSeconds),
        });
      case 'tooManyClients':
        throw new Refusal(409, 'This environment has too many clients; revoke some');
      case 'claimed':
        return {
          status: 200,
          body: {
            client_id: result.client.clientId,
            controller_token: result.token.reveal(),
            environment_id: result.server.environmentId,
            server_name: result.server.name,
          },
          detail: { environmentId: result.server.environmentId, clientId: result.client.clientId },
        };
    }
  }

  #clients(call: Call): Reply {
    this.#requireEnvironment(call);
    const limit = readLimit(call.query.get('limit'));
    const order = call.query.get('order') ?? 'desc';
    if (order !== 'asc' && order !== 'desc') throw new Refusal(400, 'order must be asc or desc');
    const sorted = this.#parts.store
      .clientsOf(call.environmentId)
      .sort((a, b) => a.createdAt - b.createdAt || (a.clientId < b.clientId ? -1 : 1));
    if (order === 'desc') sorted.reverse();
    const after = readCursor(call.query.get('cursor'));
    const start = after === undefined ? 0 : sorted.findIndex((client) => client.clientId === after) + 1;
    if (after !== undefined && start === 0) throw new Refusal(400, 'The cursor is not valid');
    const page = sorted.slice(start, start + limit);
    const last = page.at(-1);
    const cursor = last !== undefined && start + limit < sorted.length ? writeCursor(last.clientId) : null;
    return { status: 200, body: { items: page.map(describeClient), cursor }, detail: { items: page.length } };
  }

  #revoke(call: Call): Reply {
    this.#requireEnvironment(call);
    const client = this.#parts.store.clients.get(call.clientId);
    if (client?.environmentId !== call.environmentId) throw new Refusal(404, 'Client not found');
    this.#parts.store.clients.delete(client.clientId);
    this.#parts.store.changed();
    this.#parts.onRevoked(client);
    return { status: 204, detail: { environmentId: call.environmentId, clientId: client.clientId } };
  }

  #requireAccount(request: IncomingMessage): string {
    if (!isAccountToken(this.#parts.accounts, requireBearer(request))) throw unauthorized();
    return requireHeader(request, 'chatgpt-account-id');
  }

  #requireServer(request: IncomingMessage): ServerRecord {
    const server = this.#parts.identities.serverOf(requireBearer(request));
    if (server === undefined) throw unauthorized();
    return server;
  }

  #requireEnvironment({ request, environmentId }: Call): void {
    const accountId = this.#requireAccount(request);
    const server = this.#parts.store.serverOfEnvironment(environmentId);
    if (server?.accountId !== accountId) throw new Refusal(404, 'Environment not found');
  }
}

function requireSame(given: string, known: string): void {
  if (given !== known) throw new Refusal(400, 'The installation id does not match');
}

function granted({ server, token, expiresAt }: Grant): Reply {
  return {
    status: 200,
    body: {
      server_id: server.serverId,
      environment_id: server.environmentId,
      remote_control_token: token.reveal(),
      expires_at: new Date(expiresAt).toISOString(),
    },
    detail: {
      serverId: server.serverId,
      environmentId: server.environmentId,
      accountId: server.accountId,
      installationId: server.installationId,
    },
  };
}

function codeOf(body: {
  readonly pairing_code?: string | null | undefined;
  readonly manual_pairing_code?: string | null | undefined;
}): GivenCode {
  const { pairing_code: code, manual_pairing_code: manual } = body;
  if (code != null && manual == null) return { kind: 'pairing', text: code };
  if (manual != null && code == null) return { kind: 'manual', text: manual };
  throw new Refusal(400, 'Give either pairing_code or manual_pairing_code');
}

function describeClient(client: ClientRecord): Record<string, string | null> {
  return {
    client_id: client.clientId,
    display_name: client.displayName,
    created_at: new Date(client.createdAt).toISOString(),
    last_seen_at: client.lastSeenAt === null ? null : new Date(client.lastSeenAt).toISOString(),
  };
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_PAGE;
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 100) throw new Refusal(400, 'limit must be between 1 and 100');
  return limit;
}

function writeCursor(clientId: string): string {
  return Buffer.from(clientId).toString('base64url');
}

function readCursor(text: string | null): string | undefined {
  return text === null ? undefined : Buffer.from(text, 'base64url').toString();
}
