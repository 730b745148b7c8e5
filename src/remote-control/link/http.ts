/** What is asked of the backend over HTTP. Methods answer with outcomes; they reject only for a bug or an abort. */
import * as v from 'valibot';
import { type BackendRequest, createRequester } from '../../net/backend-request.js';
import type { Dialer } from '../../net/dialer.js';
import type { HttpAnswered } from '../../net/http-request.js';
import { responseFailure } from '../../net/request-failure.js';
import { parseHttpDate } from '../../net/retry-after.js';
import { isPathSegment, shownUrl, type Target } from '../../net/target.js';
import type {
  Controller,
  Enrollment,
  EnrollOutcome,
  ListControllersOutcome,
  PairOutcome,
  PairStatusOutcome,
  RefreshOutcome,
  RequestFailure,
  RevokeControllerOutcome,
  ServerToken,
} from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import type { Env, Timing } from '../../protocol/timing.js';
import { parseRfc3339 } from '../../system/formats.js';

export { warmUp } from '../../net/http-request.js';
export type { ControllersPage as ClientsPage } from '../../protocol/outcomes.js';

/** In whose name a request is made. RC-9 */
export interface AccountCredentials {
  readonly account: { readonly accountId: string };
  readonly accessToken: Secret;
}

export interface MachineIdentity {
  /** UUID. RC-4 */
  readonly installationId: string;
  /** Host name. RC-4 */
  readonly serverName: string;
  readonly appServerVersion: string;
}

export interface RefreshRequest extends AccountCredentials {
  readonly enrollment: Enrollment;
}

export interface PairRequest {
  readonly enrollment: Enrollment;
  /** The server token. */
  readonly token: Secret;
  /** Also ask for a code that a person can type. */
  readonly manual: boolean;
}

/** Exactly one of the codes is given. */
export interface PairStatusRequest {
  /** The server token. */
  readonly token: Secret;
  readonly pairingCode: Secret | null;
  readonly manualPairingCode: Secret | null;
}

export interface ListControllersQuery {
  readonly environmentId: string;
  readonly cursor?: string | null | undefined;
  /** 1 to 100. */
  readonly limit?: number | null | undefined;
  readonly order?: 'asc' | 'desc' | null | undefined;
}

export interface ClientName {
  readonly environmentId: string;
  readonly clientId: string;
}

export interface BackendHttp {
  /** Requests an identity and its first server token. RC-9 */
  enroll(request: AccountCredentials, signal: AbortSignal): Promise<EnrollOutcome>;
  /** RC-10. An answer for another identity is `other`. */
  refresh(request: RefreshRequest, signal: AbortSignal): Promise<RefreshOutcome>;
  /** Requests a pairing code for this identity. RC-47 */
  pair(request: PairRequest, signal: AbortSignal): Promise<PairOutcome>;
  /** RC-48. `notFound` (404 or 410): the backend does not know the code, or no longer. */
  pairStatus(request: PairStatusRequest, signal: AbortSignal): Promise<PairStatusOutcome>;
  /** RC-49. `other` with HTTP status 400: the backend finds the parameters wrong. */
  listClients(
    request: AccountCredentials & ListControllersQuery,
    signal: AbortSignal,
  ): Promise<ListControllersOutcome>;
  revokeClient(
    request: AccountCredentials & ClientName,
    signal: AbortSignal,
  ): Promise<RevokeControllerOutcome>;
}

export interface BackendHttpOptions {
  readonly target: Target;
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly timing: Pick<Timing, 'requestTimeout'>;
  readonly identity: MachineIdentity;
}

/** Clocks further apart than this are wrong rather than slow. */
const CLOCK_TOLERANCE = 60_000;

// What becomes a header must be one: visible ASCII.
const HeaderText = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,8192}$/));
const Id = v.pipe(v.string(), v.minLength(1));
const Time = v.pipe(v.string(), v.transform(parseRfc3339), v.number());
const Name = v.nullish(v.string(), null);

const Granted = v.object({
  server_id: HeaderText,
  environment_id: Id,
  remote_control_token: HeaderText,
  expires_at: Time,
});
const Paired = v.object({
  pairing_code: Id,
  manual_pairing_code: Name,
  server_id: Id,
  environment_id: Id,
  expires_at: Time,
});
const Claimed = v.object({ claimed: v.boolean() });
const Listed = v.object({
  items: v.array(
    v.object({
      client_id: Id,
      display_name: Name,
      device_type: Name,
      platform: Name,
      os_version: Name,
      device_model: Name,
      app_version: Name,
      last_seen_at: v.nullish(Time, null),
    }),
  ),
  cursor: Name,
});

export function createBackendHttp(options: BackendHttpOptions): BackendHttp {
  const { target, dialer, env, timing } = options;
  const { installationId, serverName, appServerVersion } = options.identity;
  const { send, ask } = createRequester({ dialer, env, timing, userAgent: `rc-engine/${appServerVersion}` });

  /** enroll and refresh differ in nothing but address and body. */
  const grantCall = (what: string, url: string, who: AccountCredentials, body: object): BackendRequest => ({
    what,
    method: 'POST',
    url,
    bearer: who.accessToken,
    headers: { ...accountHeader(who), 'x-codex-installation-id': installationId },
    body,
  });

  function tokenOf(done: HttpAnswered, granted: v.InferOutput<typeof Granted>): ServerToken {
    // A machine whose clock is wrong would find every token expired, or hold on to a dead one.
    const now = env.now();
    const theirs = parseHttpDate(done.response.header('date') ?? '') ?? now;
    const skew = Math.abs(now - theirs) > CLOCK_TOLERANCE ? now - theirs : 0;
    return { secret: new Secret(granted.remote_control_token), expiresAt: granted.expires_at + skew };
  }

  /** Ids come from local clients; `..` would reach another route. */
  function idFault(what: string, ids: readonly string[]): RequestFailure | undefined {
    const wrong = ids.find((id) => !isPathSegment(id));
    if (wrong === undefined) return undefined;
    const message = `${what}: the id ${JSON.stringify(wrong)} cannot be part of ${shownUrl(target.baseUrl)}`;
    return { kind: 'other', failure: { reason: 'backendRefused', message, at: env.now() } };
  }

  return {
    async enroll(who, signal) {
      const body = {
        name: serverName,
        os: OS,
        arch: ARCH,
        app_server_version: appServerVersion,
        installation_id: installationId,
      };
      const done = await ask(grantCall('enroll', target.enroll, who, body), Granted, signal);
      if (done.kind !== 'answered') return done;
      const { server_id: serverId, environment_id: environmentId } = done.value;
      return {
        kind: 'granted',
        enrollment: { serverId, environmentId, serverName },
        token: tokenOf(done, done.value),
      };
    },

    async refresh({ enrollment, ...who }, signal) {
      const body = { server_id: enrollment.serverId, installation_id: installationId };
      const done = await ask(grantCall('refresh', target.refresh, who, body), Granted, signal);
      if (done.kind !== 'answered') return done;
      const stranger = mismatch(done, done.value, enrollment);
      if (stranger !== undefined) return stranger;
      // One that has expired already is for the backend to refuse: whose clock is right is not known here.
      return { kind: 'granted', token: tokenOf(done, done.value) };
    },

    async pair({ enrollment, token, manual }, signal) {
      const call: BackendRequest = {
        what: 'pairing',
        method: 'POST',
        url: target.pair,
        bearer: token,
        body: { manual_code: manual },
        refused: 'tokenRejected',
      };
      const done = await ask(call, Paired, signal);
      if (done.kind !== 'answered') return done;
      const stranger = mismatch(done, done.value, enrollment);
      if (stranger !== undefined) return stranger;
      const { pairing_code, manual_pairing_code, environment_id, expires_at } = done.value;
      return {
        kind: 'granted',
        code: {
          pairingCode: new Secret(pairing_code),
          manualPairingCode: manual_pairing_code === null ? null : new Secret(manual_pairing_code),
          environmentId: environment_id,
          expiresAt: expires_at,
        },
      };
    },

    async pairStatus({ token, pairingCode, manualPairingCode }, signal) {
      const call: BackendRequest = {
        what: 'pairing status',
        method: 'POST',
        url: target.pairStatus,
        bearer: token,
        body: {
          ...(pairingCode === null ? {} : { pairing_code: pairingCode.reveal() }),
          ...(manualPairingCode === null ? {} : { manual_pairing_code: manualPairingCode.reveal() }),
        },
        secrets: [pairingCode, manualPairingCode].filter((code) => code !== null),
        refused: 'tokenRejected',
      };
      const done = await ask(call, Claimed, signal);
      if (done.kind === 'answered') return { kind: 'known', claimed: done.value.claimed };
      return done.failure.httpStatus === 410 ? { kind: 'notFound', failure: done.failure } : done;
    },

    async listClients(request, signal) {
      const { environmentId, cursor, limit, order } = request;
      const fault = idFault('client list', [environmentId]);
      if (fault !== undefined) return fault;
      const url = new URL(target.controllers(environmentId));
      if (cursor != null) url.searchParams.set('cursor', cursor);
      if (limit != null) url.searchParams.set('limit', String(limit));
      if (order != null) url.searchParams.set('order', order);
      const call: BackendRequest = {
        what: 'client list',
        method: 'GET',
        url: url.href,
        bearer: request.accessToken,
        headers: accountHeader(request),
      };
      const done = await ask(call, Listed, signal);
      if (done.kind !== 'answered') return done;
      return {
        kind: 'listed',
        page: { data: done.value.items.map(remoteClientOf), nextCursor: done.value.cursor },
      };
    },

    async revokeClient(request, signal) {
      const { environmentId, clientId } = request;
      const fault = idFault('client revoke', [environmentId, clientId]);
      if (fault !== undefined) return fault;
      const call: BackendRequest = {
        what: 'client revoke',
        method: 'DELETE',
        url: target.controller(environmentId, clientId),
        bearer: request.accessToken,
        headers: accountHeader(request),
      };
      const done = await send(call, signal);
      return done.kind === 'answered' ? { kind: 'revoked' } : done;
    },
  };
}

function accountHeader(who: AccountCredentials): Record<string, string> {
  return { 'chatgpt-account-id': who.account.accountId };
}

function remoteClientOf(item: v.InferOutput<typeof Listed>['items'][number]): Controller {
  return {
    clientId: item.client_id,
    displayName: item.display_name,
    deviceType: item.device_type,
    platform: item.platform,
    osVersion: item.os_version,
    deviceModel: item.device_model,
    appVersion: item.app_version,
    lastSeenAt: item.last_seen_at === null ? null : Math.floor(item.last_seen_at / 1_000),
  };
}

function mismatch(
  done: HttpAnswered,
  got: { readonly server_id: string; readonly environment_id: string },
  enrolled: Enrollment,
): RequestFailure | undefined {
  if (got.server_id === enrolled.serverId && got.environment_id === enrolled.environmentId) return undefined;
  const because =
    `it is for server ${got.server_id} in environment ${got.environment_id}, but enrolled is ` +
    `${enrolled.serverId} in ${enrolled.environmentId}`;
  return {
    kind: 'other',
    failure: responseFailure(done.attempt, done.response, 'identityMismatch', because),
  };
}

// Names as Rust's std::env::consts has them: the backend knows machines by these. RC-9
const OS_NAMES: Readonly<Record<string, string>> = { darwin: 'macos', win32: 'windows', sunos: 'solaris' };
const ARCH_NAMES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'x86',
  ppc64: 'powerpc64',
  loong64: 'loongarch64',
  mipsel: 'mips',
};
export const OS = OS_NAMES[process.platform] ?? process.platform;
export const ARCH = ARCH_NAMES[process.arch] ?? process.arch;
