/** What a hub answers to the holder of a key: whose key it is, the machines of that account, their devices. HUB-40, HUB-43, HUB-51 */
import type { IncomingMessage } from 'node:http';
import * as v from 'valibot';
import { HttpError, type HttpResponse, parseBody, readJsonBody } from '../backend/http.js';
import { DEVICE_ROLES, type DeviceRole, type HubDirectory, type ServerFact } from './directory.js';

const DEVICES_PATH = /^\/hub\/machines\/([\w-]+)\/devices(?:\/([\w-]+))?$/;
const RoleBody = v.object({ role: v.picklist(DEVICE_ROLES) });
/** Machines that are asked at a time whether they are connected. */
const AT_ONCE = 64;

interface AccountRoutesDeps {
  readonly directory: HubDirectory;
  /** Rejects while nobody can know. */
  readonly isConnected: (environmentId: string) => Promise<boolean>;
  /** Every node must close the sockets that the device has with another role. */
  readonly onRoleChanged: (environmentId: string, clientId: string, role: DeviceRole) => void;
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
    const device = DEVICES_PATH.exec(path);
    if (device !== null) return await this.#devices(request, device[1] ?? '', device[2]);
    if (path !== '/hub/account' && path !== '/hub/machines') return undefined;
    if (request.method !== 'GET') throw new HttpError(405, 'Method Not Allowed', { allow: 'GET' });
    const { account, expiresAt, role } = await this.#deps.directory.identify(request);
    if (path === '/hub/account')
      return { status: 200, body: { account, role, expires_at: timeOf(expiresAt) } };
    return { status: 200, body: { account, role, machines: await this.#machines(account) } };
  }

  /** `GET …/devices` lists them, `PUT …/devices/ID` changes the role of one. */
  async #devices(
    request: IncomingMessage,
    environmentId: string,
    clientId: string | undefined,
  ): Promise<HttpResponse> {
    const { directory, onRoleChanged } = this.#deps;
    const method = clientId === undefined ? 'GET' : 'PUT';
    if (request.method !== method) throw new HttpError(405, 'Method Not Allowed', { allow: method });
    const { account, role: keyRole } = await directory.identify(request);
    if ((await directory.accountOf(environmentId)) !== account)
      throw new HttpError(404, 'Environment not found');
    if (clientId === undefined) {
      const items = (await directory.controllersOf(environmentId)).map((one) => ({
        ...{ client_id: one.clientId, display_name: one.displayName, role: one.role },
        ...{ created_at: timeOf(one.createdAt), last_seen_at: timeOf(one.lastSeenAt) },
      }));
      return { status: 200, body: { items } };
    }
    if (keyRole !== 'owner') throw new HttpError(403, 'This key is for viewing only');
    const { role } = parseBody(RoleBody, await readJsonBody(request));
    const changed = await directory.setRole(environmentId, clientId, role);
    if (changed === undefined) throw new HttpError(404, 'Client not found');
    if (!changed) throw new HttpError(409, 'The device was changed at the same time; try again');
    onRoleChanged(environmentId, clientId, role);
    return { status: 204 };
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
