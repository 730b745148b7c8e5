import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import type {
  ControllerIdentity,
  Directory,
  PresentedCode,
  ServerGrant,
  ServerIdentity,
} from './directory.js';
import type { EventDetail } from './events.js';
import type { FaultRoute } from './faults.js';
import { HttpError, type HttpResponse, parseBody, requireBearer, requireHeader } from './http.js';
import { BASE_PATH } from './options.js';
import type { Side } from './sockets.js';

/** The detail from which Codex CLI concludes that its identity no longer exists and that it must enroll again. RC-20 */
export const SERVER_NOT_FOUND = 'Remote app server not found';

const CONTROL_PATH = '/wham/remote/control';
const SOCKET_SIDES: Readonly<Record<string, Side>> = {
  [`${CONTROL_PATH}/server`]: 'server',
  [`${CONTROL_PATH}/client`]: 'controller',
};
const CLIENTS_PATH = new RegExp(`^${CONTROL_PATH}/environments/([^/]+)/clients(?:/([^/]+))?$`);
const POST_ROUTES: Readonly<Record<string, FaultRoute>> = {
  [`${CONTROL_PATH}/server/enroll`]: 'enroll',
  [`${CONTROL_PATH}/server/refresh`]: 'refresh',
  [`${CONTROL_PATH}/server/pair`]: 'pair',
  [`${CONTROL_PATH}/server/pair/status`]: 'pairStatus',
  [`${CONTROL_PATH}/client/claim`]: 'claim',
};
const DEFAULT_PAGE_SIZE = 50;
/** `Retry-After` while every stored identity belongs to a connected server. */
const FULL_RETRY_SECONDS = '60';

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
const ClaimBody = v.object({
  ...CodeMembers,
  display_name: v.nullish(v.pipe(v.string(), v.maxLength(200))),
  expected_environment: v.nullish(v.pipe(v.string(), v.maxLength(200))),
});

/** A request with its route and the parameters of its path. */
export interface RouteMatch {
  readonly route: FaultRoute;
  readonly request: IncomingMessage;
  readonly query: URLSearchParams;
  readonly environmentId: string;
  readonly clientId: string;
}
export interface RouteResponse extends HttpResponse {
  /** Detail of the event that is recorded for this request. */
  readonly detail?: EventDetail;
}

/** A base URL works with and without `/backend-api` at its end. */
function withoutBasePath(pathname: string): string {
  return pathname.startsWith(`${BASE_PATH}/`) ? pathname.slice(BASE_PATH.length) : pathname;
}

/** Which side connects with an upgrade of this URL; undefined when the path is not one of a socket. */
export function socketSide(url: string | undefined): Side | undefined {
  return SOCKET_SIDES[withoutBasePath((url ?? '').replace(/\?.*$/, ''))];
}

/** Finds the route of a request. Throws HttpError 404 or 405. */
export function matchRoute(request: IncomingMessage, url: URL): RouteMatch {
  const { method } = request;
  const pathname = withoutBasePath(url.pathname);
  const postRoute = POST_ROUTES[pathname];
  const match = { request, query: url.searchParams, environmentId: '', clientId: '' };
  if (postRoute !== undefined) {
    if (method !== 'POST') throw new HttpError(405, 'Method Not Allowed', { allow: 'POST' });
    return { ...match, route: postRoute };
  }
  const clients = CLIENTS_PATH.exec(pathname);
  if (clients === null) throw new HttpError(404, 'Not Found');
  const environmentId = decodeSegment(clients[1] ?? '');
  if (clients[2] === undefined) {
    if (method !== 'GET') throw new HttpError(405, 'Method Not Allowed', { allow: 'GET' });
    return { ...match, route: 'clients', environmentId };
  }
  if (method !== 'DELETE') throw new HttpError(405, 'Method Not Allowed', { allow: 'DELETE' });
  return { ...match, route: 'revoke', environmentId, clientId: decodeSegment(clients[2]) };
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new HttpError(400, 'The path is not valid');
  }
}

/** The HTTP requests of the protocol. The claim of a pairing code is an addition of the embedded backend. RC-9, RC-10, RC-47 to RC-49 */
export class Routes {
  readonly #directory: Directory;

  constructor(directory: Directory) {
    this.#directory = directory;
  }

  /** Throws HttpError, and what the directory throws. */
  handle(match: RouteMatch, body: string): Promise<RouteResponse> {
    switch (match.route) {
      case 'enroll':
        return this.#enroll(match, body);
      case 'refresh':
        return this.#refresh(match, body);
      case 'pair':
        return this.#pair(match, body);
      case 'pairStatus':
        return this.#pairStatus(match, body);
      case 'claim':
        return this.#claim(match, body);
      case 'clients':
        return this.#clients(match);
      case 'revoke':
        return this.#revoke(match);
      case 'socket':
      case 'controllerSocket':
        throw new HttpError(426, 'Upgrade Required', { upgrade: 'websocket' });
    }
  }

  async #enroll({ request }: RouteMatch, body: string): Promise<RouteResponse> {
    const accountId = await this.#directory.authenticateAccount(request);
    const installationId = requireHeader(request, 'x-codex-installation-id');
    const params = parseBody(EnrollBody, body);
    requireSameInstallation(installationId, params.installation_id);
    const grant = await this.#directory.enroll({
      accountId,
      installationId,
      name: params.name,
      os: params.os,
      arch: params.arch,
      appServerVersion: params.app_server_version,
    });
    if (grant === undefined)
      throw new HttpError(503, 'Too many servers are connected', { 'retry-after': FULL_RETRY_SECONDS });
    return grantResponse(grant);
  }

  async #refresh({ request }: RouteMatch, body: string): Promise<RouteResponse> {
    const accountId = await this.#directory.authenticateAccount(request);
    const installationId = requireHeader(request, 'x-codex-installation-id');
    const params = parseBody(RefreshBody, body);
    requireSameInstallation(installationId, params.installation_id);
    const server = await this.#directory.findServer(params.server_id, accountId);
    if (server === undefined) throw new HttpError(404, SERVER_NOT_FOUND);
    requireSameInstallation(installationId, server.installationId);
    return grantResponse(await this.#directory.grant(server));
  }

  async #pair({ request }: RouteMatch, body: string): Promise<RouteResponse> {
    const server = await this.#authenticateServer(request);
    const { manual_code: withManualCode } = parseBody(PairBody, body);
    const started = await this.#directory.startPairing(server, withManualCode);
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

  async #pairStatus({ request }: RouteMatch, body: string): Promise<RouteResponse> {
    const server = await this.#authenticateServer(request);
    const result = await this.#directory.pairingStatus(server, readCode(parseBody(PairStatusBody, body)));
    switch (result.kind) {
      case 'unknownCode':
        throw new HttpError(404, 'Pairing code not found');
      case 'tooManyAttempts':
        throw tooManyWrongCodes(result.retryAfterSeconds);
      case 'known': {
        const { claimed } = result;
        return { status: 200, body: { claimed }, detail: { environmentId: server.environmentId, claimed } };
      }
    }
  }

  async #claim({ request }: RouteMatch, body: string): Promise<RouteResponse> {
    const params = parseBody(ClaimBody, body);
    const peer = request.socket.remoteAddress ?? '';
    const { display_name: name, expected_environment: expected } = params;
    const result = await this.#directory.claim(readCode(params), name ?? null, peer, expected ?? undefined);
    switch (result.kind) {
      case 'unknownCode':
        throw new HttpError(404, 'Pairing code not found');
      case 'tooManyAttempts':
        throw tooManyWrongCodes(result.retryAfterSeconds);
      case 'otherEnvironment':
        throw new HttpError(412, 'This pairing code is for another environment; it can still be used');
      case 'tooManyControllers':
        throw new HttpError(409, 'This environment has too many controllers; revoke some');
      case 'claimed':
        return {
          status: 200,
          body: {
            client_id: result.controller.clientId,
            controller_token: result.token.reveal(),
            environment_id: result.server.environmentId,
            server_name: result.server.name,
          },
          detail: { environmentId: result.server.environmentId, clientId: result.controller.clientId },
        };
    }
  }

  async #clients(match: RouteMatch): Promise<RouteResponse> {
    await this.#requireEnvironment(match);
    const limit = readLimit(match.query.get('limit'));
    const order = match.query.get('order') ?? 'desc';
    if (order !== 'asc' && order !== 'desc') throw new HttpError(400, 'order must be asc or desc');
    const controllers = await this.#directory.controllersOf(match.environmentId);
    const sorted = [...controllers].sort(
      (a, b) => a.createdAt - b.createdAt || (a.clientId < b.clientId ? -1 : 1),
    );
    if (order === 'desc') sorted.reverse();
    const after = readCursor(match.query.get('cursor'));
    const start = after === undefined ? 0 : sorted.findIndex(({ clientId }) => clientId === after) + 1;
    if (after !== undefined && start === 0) throw new HttpError(400, 'The cursor is not valid');
    const page = sorted.slice(start, start + limit);
    const last = page.at(-1);
    const cursor = last !== undefined && start + limit < sorted.length ? writeCursor(last.clientId) : null;
    return {
      status: 200,
      body: { items: page.map(describeController), cursor },
      detail: { items: page.length },
    };
  }

  async #revoke(match: RouteMatch): Promise<RouteResponse> {
    await this.#requireEnvironment(match);
    const { environmentId, clientId } = match;
    if (!(await this.#directory.revoke(environmentId, clientId)))
      throw new HttpError(404, 'Client not found');
    return { status: 204, detail: { environmentId, clientId } };
  }

  async #authenticateServer(request: IncomingMessage): Promise<ServerIdentity> {
    const token = requireBearer(request);
    const server = await this.#directory.serverOfToken(token);
    if (server === undefined) throw this.#directory.wrongToken(request, token);
    return server;
  }

  async #requireEnvironment({ request, environmentId }: RouteMatch): Promise<void> {
    const accountId = await this.#directory.authenticateAccount(request);
    const owner = await this.#directory.accountOf(environmentId);
    if (owner !== accountId) throw new HttpError(404, 'Environment not found');
  }
}

function requireSameInstallation(actual: string, expected: string): void {
  if (actual !== expected) throw new HttpError(400, 'The installation id does not match');
}

function tooManyWrongCodes(retryAfterSeconds: number): HttpError {
  return new HttpError(429, 'Too many wrong pairing codes', { 'retry-after': String(retryAfterSeconds) });
}

function grantResponse({ server, token, expiresAt }: ServerGrant): RouteResponse {
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

function readCode(body: {
  readonly pairing_code?: string | null | undefined;
  readonly manual_pairing_code?: string | null | undefined;
}): PresentedCode {
  const { pairing_code: code, manual_pairing_code: manual } = body;
  if (code != null && manual == null) return { kind: 'pairing', text: code };
  if (manual != null && code == null) return { kind: 'manual', text: manual };
  throw new HttpError(400, 'Give either pairing_code or manual_pairing_code');
}

function describeController(controller: ControllerIdentity): Record<string, string | null> {
  return {
    client_id: controller.clientId,
    display_name: controller.displayName,
    created_at: new Date(controller.createdAt).toISOString(),
    last_seen_at: controller.lastSeenAt === null ? null : new Date(controller.lastSeenAt).toISOString(),
  };
}

function readLimit(text: string | null): number {
  if (text === null) return DEFAULT_PAGE_SIZE;
  const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > 100) throw new HttpError(400, 'limit must be between 1 and 100');
  return limit;
}

function writeCursor(clientId: string): string {
  return Buffer.from(clientId).toString('base64url');
}

function readCursor(text: string | null): string | undefined {
  return text === null ? undefined : Buffer.from(text, 'base64url').toString();
}
