/** Lists and revokes the controllers of an environment, which the wire calls clients. RC-49 */
import * as v from 'valibot';
import { isPathSegment, shownUrl } from '../../net/target.js';
import {
  type Controller,
  failure,
  type ListControllersOutcome,
  type RequestFailure,
  type RevokeControllerOutcome,
} from '../../protocol/outcomes.js';
import {
  type AccountCredentials,
  accountHeader,
  Id,
  OptionalText,
  type RequestDeps,
  Time,
} from './request-parts.js';

export interface ListControllersQuery {
  readonly environmentId: string;
  readonly cursor?: string | null | undefined;
  /** 1 to 100. */
  readonly limit?: number | null | undefined;
  readonly order?: 'asc' | 'desc' | null | undefined;
}

export interface ControllerId {
  readonly environmentId: string;
  readonly clientId: string;
}

export interface ControllerRequests {
  /** `other` with HTTP status 400: the backend rejects the parameters. */
  listControllers(
    request: AccountCredentials & ListControllersQuery,
    signal: AbortSignal,
  ): Promise<ListControllersOutcome>;
  revokeController(
    request: AccountCredentials & ControllerId,
    signal: AbortSignal,
  ): Promise<RevokeControllerOutcome>;
}

const Listed = v.object({
  items: v.array(
    v.object({
      client_id: Id,
      display_name: OptionalText,
      device_type: OptionalText,
      platform: OptionalText,
      os_version: OptionalText,
      device_model: OptionalText,
      app_version: OptionalText,
      last_seen_at: v.nullish(Time, null),
    }),
  ),
  cursor: OptionalText,
});

export function controllerRequests({ requester, target, env }: RequestDeps): ControllerRequests {
  /** Ids come from local clients; `..` would lead to another route. */
  function invalidId(what: string, ids: readonly string[]): RequestFailure | undefined {
    const invalid = ids.find((id) => !isPathSegment(id));
    if (invalid === undefined) return undefined;
    const message = `${what}: the id ${JSON.stringify(invalid)} cannot be part of ${shownUrl(target.baseUrl)}`;
    return { kind: 'other', failure: failure('backendRefused', message, env.now()) };
  }

  return {
    async listControllers(request, signal) {
      const { environmentId, cursor, limit, order } = request;
      const invalid = invalidId('client list', [environmentId]);
      if (invalid !== undefined) return invalid;
      const url = new URL(target.controllers(environmentId));
      if (cursor != null) url.searchParams.set('cursor', cursor);
      if (limit != null) url.searchParams.set('limit', String(limit));
      if (order != null) url.searchParams.set('order', order);
      const done = await requester.ask(
        {
          what: 'client list',
          method: 'GET',
          url: url.href,
          bearer: request.accessToken,
          headers: accountHeader(request),
        },
        Listed,
        signal,
      );
      if (done.kind !== 'answered') return done;
      const { items, cursor: nextCursor } = done.value;
      return { kind: 'listed', page: { data: items.map(controllerOf), nextCursor } };
    },

    async revokeController(request, signal) {
      const { environmentId, clientId } = request;
      const invalid = invalidId('client revoke', [environmentId, clientId]);
      if (invalid !== undefined) return invalid;
      const done = await requester.send(
        {
          what: 'client revoke',
          method: 'DELETE',
          url: target.controller(environmentId, clientId),
          bearer: request.accessToken,
          headers: accountHeader(request),
        },
        signal,
      );
      return done.kind === 'answered' ? { kind: 'revoked' } : done;
    },
  };
}

function controllerOf(item: v.InferOutput<typeof Listed>['items'][number]): Controller {
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
