/** What a hub answers to the holder of a key: whose key it is, and the machines of that account. HUB-40, HUB-43 */
import type { IncomingMessage } from 'node:http';
import { HttpError, type HttpResponse } from '../backend/http.js';
import type { HubDirectory, ServerFact } from './directory.js';

/** Machines that are asked at a time whether they are connected. */
const AT_ONCE = 64;

interface AccountRoutesDeps {
  readonly directory: HubDirectory;
  /** Rejects while nobody can know. */
  readonly isConnected: (environmentId: string) => Promise<boolean>;
}

/** `connected` is null while the broker is away. */
type Presence = { readonly connected: boolean | null; readonly reason: string };

export class AccountRoutes {
  readonly #deps: AccountRoutesDeps;

  constructor(deps: AccountRoutesDeps) {
    this.#deps = deps;
  }

  /** Undefined for any other path. Throws HttpError, StateUnavailableError. */
  async handle(request: IncomingMessage, path: string): Promise<HttpResponse | undefined> {
    if (path !== '/hub/account' && path !== '/hub/machines') return undefined;
    if (request.method !== 'GET') throw new HttpError(405, 'Method Not Allowed', { allow: 'GET' });
    const { account, expiresAt } = await this.#deps.directory.identify(request);
    if (path === '/hub/account') return { status: 200, body: { account, expires_at: timeOf(expiresAt) } };
    return { status: 200, body: { account, machines: await this.#machines(account) } };
  }

  async #machines(account: string): Promise<readonly object[]> {
    const machines = await this.#deps.directory.machinesOf(account);
    const shown: object[] = [];
    for (let start = 0; start < machines.length; start += AT_ONCE) {
      const part = machines.slice(start, start + AT_ONCE);
      shown.push(...(await Promise.all(part.map((machine) => this.#describe(machine)))));
    }
    return shown;
  }

  async #describe(machine: ServerFact): Promise<object> {
    const { environmentId, name, os, arch, appServerVersion, createdAt, lastSeenAt } = machine;
    return {
      ...{ environment_id: environmentId, name, os, arch, app_server_version: appServerVersion },
      ...{ created_at: timeOf(createdAt), last_seen_at: timeOf(lastSeenAt) },
      ...(await this.#presence(environmentId)),
    };
  }

  async #presence(environmentId: string): Promise<Presence> {
    try {
      return (await this.#deps.isConnected(environmentId))
        ? { connected: true, reason: 'connected' }
        : { connected: false, reason: 'its engine is not connected to any node' };
    } catch {
      return { connected: null, reason: 'the broker or the node of its engine does not answer' };
    }
  }
}

const timeOf = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
